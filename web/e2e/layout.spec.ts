// From a phone to a wide screen, enlarged, at rest.
import type { Page } from '@playwright/test';

import { expect, test } from './support/test';

async function expectNoSidewaysScroll(page: Page, what: string): Promise<void> {
  const width = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, window: window.innerWidth }));
  expect(width.content, what).toBeLessThanOrEqual(width.window);
}

// Everything that can be pressed lies inside the window (what is scrolled to included).
async function expectWithinReach(page: Page, what: string): Promise<void> {
  const outside = await page.evaluate(() => [...document.querySelectorAll<HTMLElement>('button, a[href], input, textarea')]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .map((element) => ({ name: element.getAttribute('aria-label') ?? element.textContent, box: element.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 0 && (box.left < -0.5 || box.right > window.innerWidth + 0.5))
    .map(({ name }) => name));
  expect(outside, what).toEqual([]);
}

for (const [what, viewport, scale] of [
  ['on a phone, 360 px wide', { width: 360, height: 640 }, 2],
  ['at 200% zoom', { width: 640, height: 400 }, 2],
  ['on a wide screen', { width: 2560, height: 1300 }, 1],
] as const) {
  test(`the page works ${what}`, async ({ open, person }) => {
    const [ann, ben] = [await person('ann'), await person('ben')];
    await ben.send(ann.name, `a long word: ${'Donaudampfschifffahrtsgesellschaft'.repeat(8)} and a long line ${'of words '.repeat(60)}`);
    const chat = await open({ viewport, deviceScaleFactor: scale });
    const { page } = chat;
    const check = async (view: string): Promise<void> => {
      await expectNoSidewaysScroll(page, view);
      await expectWithinReach(page, view);
    };
    await check('the door');
    await chat.logIn(ann.name);
    await chat.row(ben.name).click();
    await expect(chat.messages.first()).toBeVisible();
    await check('a conversation');
    await chat.send('short');
    await chat.expectCommitted('short');
    await expect(chat.message('short')).toBeInViewport();
    await expect(chat.composer).toBeInViewport();
    const back = page.getByRole('button', { name: 'Back to the conversations' });
    if (await back.isVisible()) await back.click();
    await expect(chat.list).toBeVisible();
    await expect(chat.row(ben.name)).toBeInViewport();
    await check('the list');
    const settings = await chat.openSettings();
    await expect(settings).toBeVisible();
    await check('the settings');
    await settings.getByRole('button', { name: 'Delete account…' }).scrollIntoViewIfNeeded();
    await expect(settings.getByRole('button', { name: 'Delete account…' })).toBeInViewport();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Help' }).click();
    await check('the help');
    await page.keyboard.press('Escape');
    await chat.pulse.click();
    await expect(page.getByRole('complementary', { name: 'Cluster' })).toBeVisible();
    await expect(page.getByRole('complementary', { name: 'Cluster' })).toContainText('leads in term');
    await check('the cluster');
    await page.keyboard.press('Escape');
    await expect(chat.list).toBeVisible();
  });
}

test('where motion is to be reduced, nothing moves by itself', async ({ open, person, cluster }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const chat = await open({ as: ann, reducedMotion: 'reduce', node: await cluster.follower() });
  const moving = (): Promise<string[]> => chat.page.evaluate(() => document.getAnimations()
    .filter((animation) => animation.playState === 'running' && Number(animation.effect?.getComputedTiming().duration ?? 0) > 50)
    .map((animation) => (animation.effect instanceof KeyframeEffect ? animation.effect.target?.className ?? '' : '')));
  await chat.open(ben.name);
  await chat.send('hello');
  expect(await moving()).toEqual([]);
  await chat.openSettings();
  expect(await moving()).toEqual([]);
  await chat.page.keyboard.press('Escape');
  await Promise.all(cluster.ids.map((id) => cluster.kill(id)));
  await expect(chat.banner).toBeVisible();
  await chat.send('waits');
  expect(await moving()).toEqual([]);
});

test('the theme follows the system, or the choice, which stays', async ({ open, person }) => {
  const ann = await person('ann');
  const chat = await open({ as: ann, colorScheme: 'dark' });
  const background = (): Promise<string> => chat.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  const settings = await chat.openSettings();
  await settings.getByRole('radio', { name: 'Light' }).check();
  await expect.poll(background).not.toBe(dark);
  await chat.page.reload();
  await chat.expectLive();
  expect(await background()).not.toBe(dark);
  await (await chat.openSettings()).getByRole('radio', { name: 'Dark' }).check();
  await chat.page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(background).toBe(dark);
});
