// The page without a mouse.
import { expect, test } from './support/test';

test('Ctrl-K switches, Alt-Shift-arrows go to what is unread, Esc closes, ? helps', async ({ open, person }) => {
  const [ann, ben, cleo, dora] = [await person('ann'), await person('ben'), await person('cleo'), await person('dora')];
  await ben.send(ann.name, 'unread from ben');
  await cleo.send(ann.name, 'to be read');
  await dora.send(ann.name, 'unread from dora');
  const chat = await open({ as: ann });
  const { keyboard } = chat.page;
  await keyboard.press('Control+k');
  await expect(chat.palette.getByRole('combobox')).toBeFocused();
  await keyboard.type(cleo.name);
  await expect(chat.palette.getByRole('option')).toHaveCount(1);
  await keyboard.press('Enter');
  await expect(chat.log(cleo.name)).toBeVisible();
  await expect(chat.composer).toBeFocused();
  await expect(chat.page).toHaveTitle('(2) Parley');

  await keyboard.press('Alt+Shift+ArrowDown');
  await expect(chat.log(ben.name)).toBeVisible();
  await expect(chat.page).toHaveTitle('(1) Parley');
  await keyboard.press('Alt+Shift+ArrowUp');
  await expect(chat.log(dora.name)).toBeVisible();
  await expect(chat.page).toHaveTitle('Parley');

  await keyboard.type('first line');
  await keyboard.press('Shift+Enter');
  await keyboard.type('second line?');
  await keyboard.press('Enter');
  await chat.expectCommitted('first line\nsecond line?');

  // From the composer "?" is a letter; from the log it is a question.
  await expect(chat.page.getByRole('dialog', { name: 'Help' })).toHaveCount(0);
  await chat.log().focus();
  await keyboard.press('?');
  await expect(chat.page.getByRole('dialog', { name: 'Help' })).toBeVisible();
  await keyboard.press('Escape');
  await expect(chat.page.getByRole('dialog')).toHaveCount(0);
  await expect(chat.log()).toBeFocused();

  // Messages and their tools.
  await keyboard.press('ArrowUp');
  await expect(chat.messages.last()).toBeFocused();
  await keyboard.press('Tab');
  await expect(chat.messages.last().getByRole('button', { name: 'Copy text' })).toBeFocused();
  await keyboard.press('Escape');
  await expect(chat.composer).toBeFocused();

  // A dialog keeps the focus, and gives it back.
  await keyboard.press('Control+k');
  for (let step = 0; step < 12; ++step) {
    await keyboard.press('Tab');
    expect(await chat.page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest('dialog') !== null)).toBe(true);
  }
  await keyboard.press('Escape');
  await expect(chat.composer).toBeFocused();
});

test('the focus can be seen wherever it goes, and everything can be reached', async ({ open, person }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  await ben.send(ann.name, 'hello');
  const chat = await open({ as: ann });
  await chat.open(ben.name);
  const reached = new Set<string>();
  for (let step = 0; step < 25; ++step) {
    await chat.page.keyboard.press('Tab');
    const focus = await chat.page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      const around = [element, element.parentElement].filter((each) => each !== null).map((each) => getComputedStyle(each));
      const seen = around.some((each) => (each.outlineStyle !== 'none' && parseFloat(each.outlineWidth) >= 1) || each.boxShadow !== 'none');
      return { name: element.getAttribute('aria-label') ?? element.textContent.trim(), seen, style: `${style.outline} ${style.boxShadow}` };
    });
    if (!focus) continue;
    expect(focus.seen, `the focus on "${focus.name}" shows: ${focus.style}`).toBe(true);
    reached.add(focus.name);
  }
  for (const name of ['Help', 'Settings', `Message to ${ben.name}`, `Messages with ${ben.name}`, 'Cluster']) expect([...reached]).toContain(name);
  expect([...reached].some((name) => name.startsWith('Find people'))).toBe(true);
  expect([...reached].some((name) => name.startsWith(ben.name))).toBe(true);
});
