// The views in a real browser, with a scripted App behind them: accessibility, the position that is held, the keys, what is seen.
import AxeSource from 'axe-core';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ScriptedApp, ScriptedTimeline } from './scripted_app';
import { createStand, type Stand } from './stand';

declare global {
  interface Window { scripted: ScriptedApp; axe: { run(): Promise<AxeResults> } }
}

let stand: Stand;
beforeAll(async () => { stand = await createStand(); });
afterAll(async () => { await stand.stop(); });
afterEach(() => { expect(stand.troubles()).toEqual([]); });

async function audit(page: Page): Promise<string[]> {
  await page.evaluate(async () => {              // until what fades in has its own colour
    await Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => undefined)));
    await new Promise((done) => requestAnimationFrame(() => { requestAnimationFrame(done); }));
  });
  if (!await page.evaluate(() => 'axe' in window)) await page.evaluate(AxeSource.source);
  const result = await page.evaluate(() => window.axe.run());
  return result.violations.map((violation) => `${violation.impact ?? ''} ${violation.id}: ${violation.nodes.map((node) => node.html).join(' ')}`);
}

const sizes = [{ width: 360, height: 740 }, { width: 1480, height: 900 }];
const views: [name: string, scene: string, act?: (page: Page) => Promise<void>][] = [
  ['log in', '?scene=door'],
  ['create an account, with errors', '?scene=door', async (page) => {
    await page.getByRole('button', { name: 'Create an account' }).click();
    await page.getByRole('button', { name: 'Create account' }).click();
  }],
  ['list', ''],
  ['nothing yet', '?scene=empty'],
  ['conversation', '#/with/amara/100'],
  ['every mark, read-only', '?scene=marks#/with/amara/100'],
  ['account gone', '?scene=gone#/with/ines/108'],
  ['cluster during a failover, beside a conversation', '?scene=failover#/with/amara/100/cluster'],
  ['cluster without a majority', '?scene=no-majority#/cluster'],
  ['switcher, all', '#/with/amara/100', async (page) => { await page.keyboard.press('Control+k'); }],
  ['switcher, nobody', '#/with/amara/100', async (page) => {
    await page.keyboard.press('Control+k');
    await page.keyboard.type('zzz');
    await page.getByText('Nobody here').waitFor();
  }],
  ['settings', '#/with/amara/100', async (page) => { await page.evaluate(() => { document.querySelector<HTMLElement>('[aria-label=Settings]')?.click(); }); }],
  ['help', '', async (page) => { await page.keyboard.press('?'); }],
  ['delete a message', '#/with/amara/100', async (page) => {
    await page.locator('.message').last().focus();
    await page.locator('.message').last().getByRole('button', { name: 'Delete' }).click();
  }],
];

test.each(sizes)('axe finds nothing in any view, light and dark, $width pixels wide', async (viewport) => {
  const found: string[] = [];
  for (const [name, scene, act] of views) {
    const page = await stand.open(scene, { viewport, colorScheme: 'light', reducedMotion: 'reduce' });
    await act?.(page);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForFunction((ground) => getComputedStyle(document.querySelector('.shell, .door') ?? document.body).color !== ground, colorScheme === 'light' ? 'rgb(231, 234, 240)' : 'rgb(22, 27, 38)');
      found.push(...(await audit(page)).map((violation) => `${name}, ${colorScheme}: ${violation}`));
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `${name} fits into ${viewport.width}`).toBeLessThanOrEqual(viewport.width);
    await page.context().close();
  }
  expect(found).toEqual([]);
}, 240_000);

const log = '.log';
const firstSeen = (): { key: string; top: number } => {
  const box = document.querySelector('.log');
  const edge = box?.getBoundingClientRect().top ?? 0;
  for (const element of document.querySelectorAll<HTMLElement>('.message')) {
    const top = element.getBoundingClientRect().top - edge;
    if (top >= 0) return { key: element.dataset['key'] ?? '', top };
  }
  return { key: '', top: 0 };
};
const topOf = (key: string): number => {
  const element = document.querySelector(`[data-key="${key}"]`);
  return (element?.getBoundingClientRect().top ?? NaN) - (document.querySelector('.log')?.getBoundingClientRect().top ?? 0);
};

test.each([1, 1.5, 2])('10,000 messages: at most 300 elements, and the position moves 0 px when older ones are put in front (scale %s)', async (deviceScaleFactor) => {
  const page = await stand.open('?scene=long#/with/amara/100', { deviceScaleFactor });
  await page.waitForSelector('.message');
  for (let round = 0; round < 12; round += 1) {
    const before = await page.evaluate(async () => {
      const timeline = window.scripted.timelines.get('amara');
      const box = document.querySelector('.log');
      if (!timeline || !box) throw new Error('no conversation');
      box.scrollTop = 37;
      await new Promise((done) => requestAnimationFrame(done));
      return timeline.messages.value[0]?.key;
    });
    const anchor = await page.evaluate(firstSeen);
    await page.waitForFunction((key) => window.scripted.timelines.get('amara')?.messages.value[0]?.key !== key && window.scripted.timelines.get('amara')?.loading.value === null, before);
    const after = await page.evaluate(topOf, anchor.key);
    expect(after - anchor.top, `round ${round}`).toBe(0);
    expect(await page.locator('.message').count()).toBeLessThanOrEqual(300);
  }
  expect(await page.evaluate(() => window.scripted.timelines.get('amara')?.hasNewer.value)).toBe(true);
  await page.getByRole('button', { name: 'Newest' }).click();
  await page.waitForFunction(() => window.scripted.timelines.get('amara')?.hasNewer.value === false);
  expect(await page.locator('.message').last().textContent()).toContain('10000. ');
  await page.waitForFunction((selector) => { const box = document.querySelector(selector); return box !== null && box.scrollHeight - box.clientHeight - box.scrollTop < 1; }, log);
  await page.context().close();
});

test('every row of the log is a whole number of pixels high', async () => {
  for (const scene of ['#/with/amara/100', '?scene=marks#/with/amara/100', '?scene=long#/with/amara/100', '?scene=gone#/with/ines/108']) {
    const page = await stand.open(scene);
    await page.waitForSelector('.message');
    expect(await page.evaluate(() => [...document.querySelectorAll('.log-content > *')].filter((row) => row.getBoundingClientRect().height % 1 !== 0).map((row) => row.outerHTML)), scene).toEqual([]);
    await page.context().close();
  }
});

test('what arrives is followed at the end, and moves nothing for a reader who scrolled up', async () => {
  const page = await stand.open('?scene=long#/with/amara/100');
  await page.waitForSelector('.message');
  const add = (key: string): Promise<void> => page.evaluate((name) => { window.scripted.timelines.get('amara')?.add({ key: name, id: 20_000n, mine: false, senderId: 2n, body: `arrived ${name}`, unread: true, at: new Date() }); }, key);
  const fromEnd = (): Promise<number> => page.evaluate(() => { const box = document.querySelector('.log'); return box === null ? NaN : Math.abs(box.scrollHeight - box.clientHeight - box.scrollTop); });
  await add('one');
  await page.getByText('arrived one').waitFor();
  expect(await fromEnd()).toBeLessThan(1);
  await page.evaluate(() => { const box = document.querySelector('.log'); if (box) box.scrollTop -= 900; });
  await page.getByRole('button', { name: 'Newest' }).waitFor();
  const anchor = await page.evaluate(firstSeen);
  await add('two');
  await page.getByRole('button', { name: 'New messages' }).waitFor();
  expect(await page.evaluate(topOf, anchor.key)).toBe(anchor.top);
  await page.getByRole('button', { name: 'New messages' }).click();
  await page.waitForFunction(() => document.querySelector('.to-newest') === null);
  expect(await fromEnd()).toBeLessThan(1);
  await page.context().close();
});

test('a message is seen when it is before the eyes, and not before', async () => {
  const page = await stand.open('?scene=long#/with/amara/100');
  await page.waitForSelector('.message');
  const seen = (): Promise<string[]> => page.evaluate(() => (window.scripted.timelines.get('amara') as ScriptedTimeline).seenIds.map(String));
  await page.evaluate(() => { const box = document.querySelector('.log'); if (box) box.scrollTop -= 900; });
  await page.getByRole('button', { name: 'Newest' }).waitFor();
  await page.evaluate(() => { window.scripted.timelines.get('amara')?.add({ key: 'below', id: 20_001n, mine: false, senderId: 2n, body: 'below', unread: true, at: new Date() }); });
  await page.getByRole('button', { name: 'New messages' }).waitFor();
  expect(await seen()).not.toContain('20001');
  await page.getByRole('button', { name: 'New messages' }).click();
  await page.waitForFunction(() => window.scripted.timelines.get('amara')?.seenIds.includes(20_001n));
  await page.context().close();
});

test('text is only text', async () => {
  const page = await stand.open('#/with/amara/100');
  const body = '<img src=x onerror="document.title=1"> <script>document.title=2</script> javascript:alert(1) https://example.org/"onmouseover="x';
  await page.evaluate((text) => { window.scripted.timelines.get('amara')?.add({ key: 'evil', id: 9n, mine: false, senderId: 2n, body: text, unread: false, at: new Date() }); }, body);
  const message = page.locator('[data-key=evil] .body');
  await message.waitFor();
  expect(await message.textContent()).toBe(body);
  expect(await message.locator('*').evaluateAll((elements) => elements.map((element) => `${element.tagName} ${element.getAttribute('href') ?? ''} ${element.getAttribute('rel') ?? ''} ${element.getAttribute('target') ?? ''}`)))
    .toEqual(['A https://example.org/ noopener noreferrer _blank']);
  await page.context().close();
});

test('Enter sends and Shift-Enter does not; what is too long is not sent, and says by how much', async () => {
  const page = await stand.open('#/with/amara/100');
  const box = page.getByRole('textbox', { name: 'Message to amara' });
  await box.fill('one');
  await box.press('Shift+Enter');
  await box.pressSequentially('two');
  await box.press('Enter');
  await page.locator('.message').last().getByRole('img', { name: 'Committed' }).waitFor();
  expect(await page.locator('.message .body').last().textContent()).toBe('one\ntwo');
  expect(await box.inputValue()).toBe('');
  const count = await page.locator('.message').count();
  await box.fill('é'.repeat(8_193));
  await box.press('Enter');
  await page.getByText('2 bytes too long').waitFor();
  expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
  expect(await page.locator('.message').count()).toBe(count);
  await page.context().close();
});

test('the keys: Ctrl-K, Alt-Shift-arrows, Esc and ?; the focus comes back from a dialog', async () => {
  const page = await stand.open('#/with/amara/100');
  const box = page.getByRole('textbox', { name: 'Message to amara' });
  await box.focus();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await box.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press('Control+k');
  await page.keyboard.type('kofi');
  await page.getByRole('option', { name: 'kofi' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('textbox', { name: 'Message to kofi' }).waitFor();
  await page.keyboard.press('Alt+Shift+ArrowDown');
  await page.getByRole('textbox', { name: 'Message to bjorn.larsen' }).waitFor();
  await page.keyboard.press('Alt+Shift+ArrowUp');
  await page.getByRole('textbox', { name: 'Message to grace-h' }).waitFor();
  await page.keyboard.type('?');
  expect(await page.getByRole('dialog').count()).toBe(0);
  await page.locator(log).focus();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Help' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement?.matches('.composer textarea') === true);
  await page.goBack();
  await page.getByRole('textbox', { name: 'Message to bjorn.larsen' }).waitFor();
  await page.context().close();
});

test('the banner comes and goes with the connection, and the title counts', async () => {
  const page = await stand.open('?scene=marks#/with/amara/100');
  await page.getByText('Read-only: the cluster has no majority.').waitFor();
  expect(await page.title()).toBe('(132) Parley');
  await page.evaluate(() => { window.scripted.connection.value = { kind: 'live', node: 'http://x' }; });
  await page.waitForFunction(() => document.querySelector('.banner') === null);
  await page.evaluate(() => { window.scripted.connection.value = { kind: 'reconnecting', sinceMs: Date.now() }; });
  await page.getByText('Looking for a node').or(page.getByText('3 messages wait')).waitFor();
  await page.context().close();
});
