// Long conversations.
import { existsSync, readdirSync } from 'node:fs';

import { ChatPage } from './support/chat_page';
import { Api, kPassword } from './support/api';
import { Cluster } from './support/cluster';
import { expect, freshName, test } from './support/test';

const kMany = 10_000;
const kMostShown = 300;

interface Climb {
  readonly seen: number; // different messages
  readonly mostShown: number;
  readonly loads: number;
  readonly furthest_px: number; // how far the position moved in any frame in which older messages were put in front
}

// Scrolls to the top again and again, until there is nothing older. In every frame: where does the message stand that
// stood first in the window, compared with where the last scrolling left it?
async function climb(chat: ChatPage): Promise<Climb> {
  return chat.log().evaluate(async (log) => {
    const frame = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));
    const all = (): HTMLElement[] => [...log.querySelectorAll<HTMLElement>('article[data-key]')];
    const seen = new Set<string>();
    let mostShown = 0;
    let loads = 0;
    let furthest_px = 0;
    const take = (): void => {
      const shown = all();
      for (const element of shown) seen.add(element.querySelector('.body')?.textContent ?? '');
      mostShown = Math.max(mostShown, shown.length);
    };
    // The page keeps places in the log, and a banner above it moves them all.
    const topOf = (element: Element): number => element.getBoundingClientRect().top - log.getBoundingClientRect().top;
    const isStart = (): boolean => log.textContent.includes('This is the beginning of your conversation');
    take();
    for (let idle = 0; idle < 600;) {
      // Not to the very top: a position that is cut off at an end could not be told from one that was kept.
      log.scrollTop = Math.min(log.scrollTop, 150);
      const edge = log.getBoundingClientRect().top;
      const anchor = all().find((element) => element.getBoundingClientRect().bottom > edge);
      if (!anchor) throw new Error('no message is in view');
      const first = all()[0];
      const top = topOf(anchor);
      if (isStart()) break;
      for (idle = 0; idle < 600 && all()[0] === first && !isStart(); ++idle) {
        await frame();
        furthest_px = Math.max(furthest_px, Math.abs(topOf(anchor) - top));
      }
      // In the frame in which they came, and in the next ones.
      for (let frames = 0; frames < 3; ++frames) {
        furthest_px = Math.max(furthest_px, Math.abs(topOf(anchor) - top));
        await frame();
      }
      loads += 1;
      take();
    }
    return { seen: seen.size, mostShown, loads, furthest_px };
  });
}

test('10,000 messages: at most 300 are in the document, and the position moves 0 px when older ones are put in front', async ({ open, person }) => {
  test.slow();
  const [ann, ben] = [await person('ann'), await person('ben')];
  const bodies = Array.from({ length: kMany }, (_, index) => `message ${String(index)}${index % 7 === 0 ? `\nwith ${'a longer text '.repeat(index % 40)}` : ''}`);
  await ben.sendMany(ann.name, bodies);
  const chat = await open({ as: ann });
  // Read already: there is no line to begin at.
  await (await chat.openSettings()).getByRole('checkbox', { name: /^Mark messages/ }).uncheck();
  await chat.page.keyboard.press('Escape');
  await chat.open(ben.name);
  await expect(chat.messages.first()).toBeVisible();
  expect(await chat.messages.count()).toBeLessThanOrEqual(kMostShown);
  const found = await climb(chat);
  console.log(`  10,000 messages: ${String(found.loads)} loads of older ones, at most ${String(found.mostShown)} in the document, moved by ${String(found.furthest_px)} px`);
  expect(found.seen).toBe(kMany);
  expect(found.mostShown).toBeLessThanOrEqual(kMostShown);
  // Chromium scrolls by whole pixels: less than half of one is what it cannot do better.
  expect(found.furthest_px).toBeLessThan(0.5);

  // And back: new ones meanwhile are counted, and one step leads to them.
  await ben.send(ann.name, 'the very newest');
  const newest = chat.page.getByRole('button', { name: /Newest|New messages/ });
  await expect(newest).toBeVisible();
  await newest.click();
  await expect(chat.message('the very newest')).toBeInViewport();
  expect(await chat.messages.count()).toBeLessThanOrEqual(kMostShown);
});

test('a message that arrives while one reads further up moves nothing, and is told', async ({ open, person }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  for (let index = 0; index < 60; ++index) await ben.send(ann.name, `line ${String(index)}`);
  const chat = await open({ as: ann });
  await chat.open(ben.name);
  await expect(chat.page).toHaveTitle(/Parley/);
  await chat.message('line 20').scrollIntoViewIfNeeded();
  const place = await chat.placeOf('line 20');
  await ben.send(ann.name, 'news');
  await expect(chat.page.getByRole('button', { name: /New messages/ })).toBeVisible();
  expect(await chat.placeOf('line 20')).toBe(place);
  await chat.page.getByRole('button', { name: /New messages/ }).click();
  await expect(chat.message('news')).toBeInViewport();
});

// A cluster that lives yesterday, and is then started again today.
test('days are told apart', async ({ browser, consoles }) => {
  const library = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`).find((path) => existsSync(path));
  expect(library, 'faketime is installed').toBeDefined();
  const yesterday = { LD_PRELOAD: library!, FAKETIME: '-1d', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  const cluster = await Cluster.start({ nodes: 1, proxied: false }, yesterday);
  try {
    const [annName, benName] = [freshName('ann'), freshName('ben')];
    const [ann, ben] = [await Api.register(cluster.origin(1), annName), await Api.register(cluster.origin(1), benName)];
    await ben.send(ann.name, 'said yesterday');
    await ann.send(ben.name, 'answered yesterday');
    await cluster.stop(1);
    await cluster.startNode(1);
    await cluster.waitUntilWritable();
    await ben.send(ann.name, 'said today');
    const context = await browser.newContext();
    consoles.watch(context);
    const chat = new ChatPage(await context.newPage(), cluster.origin(1));
    await chat.visit();
    await chat.logIn(annName, kPassword);
    await chat.expectLive();
    await chat.open(benName);
    await chat.expectBodies(['said yesterday', 'answered yesterday', 'said today']);
    const order = await chat.log().locator('article .body, [role=separator]').allTextContents();
    expect(order.filter((text) => text !== 'New messages')).toEqual(['Yesterday', 'said yesterday', 'answered yesterday', 'Today', 'said today']);
    await context.close();
  } finally {
    await cluster.close();
  }
});
