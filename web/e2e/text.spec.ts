// What people write is only ever text.
import { expect, test } from './support/test';

const kHostile = [
  '<img src=x onerror="document.title=\'owned\'">',
  '<script>document.title="owned"</script>',
  '"><svg onload=document.title=\'owned\'>',
  '&lt;b&gt;not bold&lt;/b&gt; <b>nor this</b>',
  '{{constructor.constructor("document.title=1")()}} ${document.title}',
  'right-to-left \u202E gnp.exe and a null-like \uFFFD',
  '<a href="javascript:document.title=\'owned\'">click</a>',
];

test('markup in a message is shown, not obeyed', async ({ open, person }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  for (const body of kHostile) await ben.send(ann.name, body);
  const chat = await open({ as: ann });
  await chat.open(ben.name);
  await chat.expectBodies(kHostile);
  await expect(chat.log().locator('img, script, svg[onload], b, iframe, a')).toHaveCount(0);
  await chat.send(kHostile[0]!);
  await chat.expectCommitted(kHostile[0]!);
  await expect(chat.page).toHaveTitle('Parley');
  await expect(chat.row(ben.name)).toContainText('<img src=x');
});

test('links: only http, https and mailto, and they give nothing away', async ({ open, person }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  await ben.send(ann.name, 'see https://example.org/a?b=1, (http://example.net/x_(y)) or mailto:ann@example.org.');
  await ben.send(ann.name, 'not javascript:alert(1) data:text/html,hi file:///etc/passwd vbscript:x ftp://example.org JAVASCRIPT:alert(1)');
  const chat = await open({ as: ann });
  await chat.open(ben.name);
  const links = chat.messages.first().getByRole('link');
  await expect(links).toHaveText(['https://example.org/a?b=1', 'http://example.net/x_(y)', 'mailto:ann@example.org']);
  for (const link of await links.all()) {
    await expect(link).toHaveAttribute('rel', 'noopener noreferrer');
    await expect(link).toHaveAttribute('target', '_blank');
  }
  await expect(chat.messages.nth(1).getByRole('link')).toHaveCount(0);
});

test('the largest message goes through, a larger one is told before it is sent', async ({ open, person }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const chat = await open({ as: ann });
  await chat.open(ben.name);
  const largest = `${'ä'.repeat(8_191)}zz`;
  await chat.composer.fill(`${largest}!`);
  await expect(chat.page.getByText('1 bytes too long')).toBeVisible();
  await expect(chat.page.getByRole('button', { name: 'Send' })).toBeDisabled();
  await chat.send(largest);
  await chat.expectCommitted(largest);
  expect((await ben.conversation(ann.name)).map((message) => message.body)).toEqual([largest]);
});

test('the page forbids what it does not need', async ({ cluster }) => {
  const response = await fetch(`${cluster.origin(1)}/`);
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*/);
  for (const id of cluster.ids) expect(policy).toContain(cluster.origin(id));
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
});
