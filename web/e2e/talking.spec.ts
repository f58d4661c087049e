// Two people, two browsers, two nodes.
import { chromium, type Request } from '@playwright/test';

import { kPatience_ms, until } from './support/wait';
import { expect, test } from './support/test';

const kMethod = /\/parley\.v1\.\w+\/(\w+)$/;
const kQuiet = 6; // heartbeats, ten seconds at least

const methodOf = (request: Request): string => kMethod.exec(request.url())?.[1] ?? request.url();

test('two browsers talk through two different nodes, live, with no polling', async ({ open, person, launchOptions }) => {
  test.slow();
  const ann = await person('ann');
  const ben = await person('ben');
  const second = await chromium.launch(launchOptions);
  try {
    const anns = await open({ as: ann, node: 1 });
    const bens = await open({ as: ben, node: 2, in: second });
    await anns.open(ben.name);
    await anns.send('Are you there?');
    await anns.expectMark('Are you there?', 'Committed');
    await bens.expectRow(ann.name, 'Are you there?', 1);
    await bens.open(ann.name);
    await anns.expectMark('Are you there?', 'Read');

    // Heartbeats come every two seconds on a stream that stays open, and the page asks for nothing by itself. Not at once:
    // what its reader did is still being counted. Nor while there is no leader: it looks for one.
    const devtools = await bens.page.context().newCDPSession(bens.page);
    await devtools.send('Network.enable');
    let heard = 0;
    const asked: Request[] = [];
    devtools.on('Network.dataReceived', () => { heard += 1; });
    bens.page.on('request', (request) => { asked.push(request); heard = 0; });
    bens.page.on('requestfinished', () => { heard = 0; }); // that was its answer
    await until(`${String(kQuiet)} heartbeats, and nothing is asked in between`, () => heard >= kQuiet, 2 * kPatience_ms);
    asked.length = 0;

    const lines = ['one', 'two', 'three', 'four', 'five'];
    for (const line of lines) {
      await anns.send(line);
      await expect(bens.message(line)).toBeVisible();
    }
    await bens.expectBodies(['Are you there?', ...lines]);
    await bens.send('All five.');
    await expect(anns.message('All five.')).toBeVisible();
    await bens.expectCommitted('All five.');
    for (const line of lines) await anns.expectMark(line, 'Read');
    // What it did ask is what its reader did: read and answer. Where there is no leader, or a node is late, it asks that
    // again, a write with its request_id, and looks for a node that is better.
    const all = (wanted: string): Request[] => asked.filter((request) => methodOf(request) === wanted);
    const writes = (wanted: string): number => new Set(all(wanted).map((request) => request.postDataBuffer()?.toString('latin1'))).size;
    const expected = ['MarkRead', 'GetUnreadCounts', 'SendMessage', 'GetStatus', 'Watch'];
    expect(asked.map(methodOf).filter((method) => !expected.includes(method))).toEqual([]);
    expect(writes('SendMessage')).toBe(1);
    expect(writes('MarkRead')).toBeLessThanOrEqual(lines.length);
    // How many are unread then is asked once for each reading, and once more where another came before the answer.
    const answers = await Promise.all(all('GetUnreadCounts').map((request) => request.response()));
    expect(answers.filter((answer) => answer?.ok()).length).toBeLessThanOrEqual(2 * writes('MarkRead'));
  } finally {
    await second.close();
  }
});

test('unread messages: badge, last line, title; gone once they were seen', async ({ open, person }) => {
  const [ann, ben, cleo] = [await person('ann'), await person('ben'), await person('cleo')];
  await ben.send(ann.name, 'first from ben');
  const chat = await open({ as: ann });
  await expect(chat.page).toHaveTitle('(1) Parley');
  await ben.send(ann.name, 'second from ben');
  await cleo.send(ann.name, 'hello from cleo');
  await expect(chat.page).toHaveTitle('(3) Parley');
  await chat.expectRow(ben.name, 'second from ben', 2);
  await chat.expectRow(cleo.name, 'hello from cleo', 1);
  // The newest conversation is on top.
  await expect(chat.list.getByRole('listitem').getByRole('link').first()).toHaveAccessibleName(new RegExp(`^${cleo.name}`));

  await chat.open(ben.name);
  await expect(chat.page.getByRole('separator', { name: 'New messages' })).toBeVisible();
  await expect(chat.page).toHaveTitle('(1) Parley');
  await chat.expectRow(ben.name, 'second from ben');
  await chat.open(cleo.name);
  await expect(chat.page).toHaveTitle('Parley');
  expect(await ann.unread()).toBe(0);
});

test('marked read when seen: not before, not in a window without focus, and not where the setting is off', async ({ open, person }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const bens = await open({ as: ben });
  await bens.open(ann.name);
  await bens.send('seen when opened');
  const anns = await open({ as: ann, node: 2 });
  await anns.expectRow(ben.name, 'seen when opened', 1);
  await bens.expectMark('seen when opened', 'Committed');
  await anns.open(ben.name);
  await bens.expectMark('seen when opened', 'Read');

  // Without focus.
  const devtools = await anns.page.context().newCDPSession(anns.page);
  await devtools.send('Emulation.setFocusEmulationEnabled', { enabled: false });
  const other = await anns.page.context().newPage();
  await other.bringToFront();
  await until('the window has no focus', () => anns.page.evaluate(() => !document.hasFocus()));
  await bens.send('arrived behind her back');
  await expect(anns.page).toHaveTitle('(1) Parley');
  await bens.expectMark('arrived behind her back', 'Committed');
  await devtools.send('Emulation.setFocusEmulationEnabled', { enabled: true });
  await anns.page.bringToFront();
  await bens.expectMark('arrived behind her back', 'Read');
  await other.close();

  // With the setting off.
  const settings = await anns.openSettings();
  await settings.getByRole('checkbox', { name: 'Mark messages as read when I see them' }).uncheck();
  await anns.page.keyboard.press('Escape');
  await bens.send('seen in secret');
  await expect(anns.message('seen in secret')).toBeVisible();
  await anns.send('an answer that comes after it');
  await expect(bens.message('an answer that comes after it')).toBeVisible();
  await bens.expectMark('seen in secret', 'Committed');
  expect(await ann.unread()).toBe(1);
  await anns.page.reload();
  await anns.expectLive();
  await expect(anns.message('seen in secret')).toBeVisible();
  await expect((await anns.openSettings()).getByRole('checkbox', { name: /^Mark messages/ })).not.toBeChecked();
  await anns.page.getByRole('checkbox', { name: /^Mark messages/ }).check();
  await anns.page.keyboard.press('Escape');
  await bens.expectMark('seen in secret', 'Read');
});

test('people are found by a part of their name and by a glob; a conversation begins', async ({ open, person }) => {
  const stem = `z${Date.now().toString(36)}`;
  const [ann, first, second] = [await person('ann'), await person(`${stem}-first`), await person(`${stem}-second`)];
  const chat = await open({ as: ann });
  await chat.page.getByRole('button', { name: 'Find people' }).first().click();
  const field = chat.palette.getByRole('combobox');
  await field.fill(stem.toUpperCase());
  await expect(chat.palette.getByRole('option')).toHaveCount(2);
  await field.fill(`${stem}-s*`);
  await expect(chat.palette.getByRole('option')).toHaveCount(1);
  await expect(chat.palette.getByRole('option')).toContainText(second.name);
  await field.fill(`${stem}-nobody`);
  await expect(chat.palette.getByText(/Nobody here is called/)).toBeVisible();
  await field.fill(first.name);
  await expect(chat.palette.getByRole('option')).toHaveCount(1);
  await field.press('Enter');
  await expect(chat.log(first.name)).toBeVisible();
  await expect(chat.page.getByText('This is the beginning of your conversation')).toBeVisible();
  await chat.send('nice to find you');
  await chat.expectMark('nice to find you', 'Committed');
  await chat.expectRow(first.name, 'You: nice to find you');
  expect((await first.conversation(ann.name)).map((message) => message.body)).toEqual(['nice to find you']);
});

test('a message is copied, and deleted from one view only', async ({ open, person }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const text = 'two lines,\n  the second one indented';
  await ben.send(ann.name, text);
  await ben.send(ann.name, 'goes away');
  const chat = await open({ as: ann, permissions: ['clipboard-read', 'clipboard-write'] });
  await chat.open(ben.name);
  const first = chat.messages.first();
  await first.hover();
  // It is said for 2.6 s: looked for inside the browser, which misses nothing where this process is late.
  const said = chat.page.waitForFunction(() => document.querySelector('.toast')?.textContent === 'Copied.');
  await Promise.all([said, first.getByRole('button', { name: 'Copy text' }).click()]);
  expect(await chat.page.evaluate(() => navigator.clipboard.readText())).toBe(text);

  const doomed = chat.message('goes away');
  await doomed.hover();
  await doomed.getByRole('button', { name: 'Delete' }).click();
  await chat.page.getByRole('dialog', { name: 'Delete this message?' }).getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(doomed).toHaveCount(0);
  await chat.expectBodies([text]);
  expect((await ann.conversation(ben.name)).map((message) => message.body)).toEqual([text]);
  expect((await ben.conversation(ann.name)).map((message) => message.body)).toEqual([text, 'goes away']);
});

test('what cannot be delivered is marked failed, says why, and can be discarded', async ({ open, person, consoles }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const chat = await open({ as: ann });
  await chat.open(ben.name);
  await chat.send('while you were here');
  await chat.expectMark('while you were here', 'Committed');
  consoles.wasOffline = true;
  consoles.expectRefusal(404);
  await chat.page.context().setOffline(true);
  await expect(chat.banner).toHaveAttribute('data-connection', 'offline');
  await chat.send('too late');
  await chat.expectMark('too late', 'Queued');
  await ben.deleteAccount();
  await chat.page.context().setOffline(false);
  await chat.expectMark('too late', 'Failed');
  await expect(chat.message('too late')).toContainText('Recipient does not exist.');
  await chat.message('too late').getByRole('button', { name: 'Discard' }).click();
  await expect(chat.message('too late')).toHaveCount(0);
});

test('two tabs of one account agree, on one stream', async ({ open, person }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const first = await open({ as: ann });
  const watches: string[] = [];
  const page = await first.page.context().newPage();
  page.on('request', (request) => { if (request.url().endsWith('/Watch')) watches.push(request.url()); });
  await page.goto(`${first.origin}/`);
  const { ChatPage } = await import('./support/chat_page');
  const second = new ChatPage(page, first.origin);
  await second.expectLive();
  await first.open(ben.name);
  await first.composer.fill('half a thou');
  await second.open(ben.name);
  await expect(second.composer).toHaveValue('half a thou');
  await second.send('a whole thought');
  await first.expectMark('a whole thought', 'Committed');
  await second.expectMark('a whole thought', 'Committed');
  await expect(first.composer).toHaveValue('');
  await ben.send(ann.name, 'heard');
  await expect(first.message('heard')).toHaveCount(1);
  await expect(second.message('heard')).toHaveCount(1);
  await first.send('from the first');
  await second.expectCommitted('from the first');
  expect(await first.bodies()).toEqual(['a whole thought', 'heard', 'from the first']);
  expect(await second.bodies()).toEqual(['a whole thought', 'heard', 'from the first']);
  expect(watches, 'the second tab opened no stream of its own').toEqual([]);

  // The tab that led is closed: the other one goes on.
  await first.page.close();
  await ben.send(ann.name, 'still there?');
  await expect(second.message('still there?')).toHaveCount(1);
  await second.send('of course');
  await second.expectCommitted('of course');

  const third = new ChatPage(await second.page.context().newPage(), first.origin);
  await third.visit();
  await third.expectLive();
  await (await third.openSettings()).getByRole('button', { name: 'Log out' }).click();
  await expect(third.door).toBeVisible();
  await expect(second.door).toBeVisible();
});
