// Accounts on the page: made, entered, left, protected, ended.
import { kPassword } from './support/api';
import { expect, freshName, test } from './support/test';

const kOther = 'another horse battery';

test('an account is created, left and entered again', async ({ open, consoles }) => {
  const name = freshName('ann');
  const chat = await open();
  await expect(chat.door).toBeVisible();
  await chat.register(name);
  await chat.expectLive();
  await expect(chat.page.getByText('No conversations yet.')).toBeVisible();

  const settings = await chat.openSettings();
  await expect(settings.getByText(name)).toBeVisible();
  await settings.getByRole('button', { name: 'Log out' }).click();
  await expect(chat.door).toBeVisible();

  consoles.expectRefusal(401);
  await chat.logIn(name, 'not her password');
  await expect(chat.page.getByRole('alert')).toBeVisible();
  await chat.logIn(name);
  await chat.expectLive();
  // A reload, and a second tab, are still logged in; nothing of the session is in an address.
  await chat.page.reload();
  await chat.expectLive();
  expect(chat.page.url()).not.toMatch(/token|=/);
});

test('a taken name, a bad name and a short password are told beside their field', async ({ open, person, consoles }) => {
  const taken = await person('taken');
  const chat = await open();
  consoles.expectRefusal(409);
  await chat.register(taken.name, kOther);
  const name = chat.page.getByLabel('Name', { exact: true });
  await expect(name).toHaveAttribute('aria-invalid', 'true');
  await expect(name).toHaveAccessibleDescription(/taken|exists/i);
  await chat.fillDoor('no spaces please', 'short');
  await chat.page.getByRole('button', { name: 'Create account', exact: true }).click();
  await expect(name).toHaveAttribute('aria-invalid', 'true');
  await expect(chat.page.getByLabel('Password', { exact: true })).toHaveAttribute('aria-invalid', 'true');
});

test('a change of password ends the other sessions', async ({ open, person, consoles }) => {
  const ann = await person('ann');
  const here = await open({ as: ann, node: 1 });
  const there = await open({ as: ann, node: 2 });
  consoles.expectRefusal(401);
  consoles.expectRefusal(403);
  const settings = await here.openSettings();
  await settings.getByLabel('Current password').fill('not her password');
  await settings.getByLabel('New password').fill(kOther);
  await settings.getByRole('button', { name: 'Change password' }).click();
  await expect(settings.getByLabel('Current password')).toHaveAttribute('aria-invalid', 'true');
  await settings.getByLabel('Current password').fill(kPassword);
  await settings.getByRole('button', { name: 'Change password' }).click();
  await expect(here.page.getByText('Password changed.')).toBeVisible();
  await expect(there.door).toBeVisible();
  await there.logIn(ann.name, kPassword);
  await expect(there.page.getByRole('alert')).toBeVisible();
  await there.logIn(ann.name, kOther);
  await there.expectLive();
  await here.page.reload();
  await here.expectLive();
});

test('an account is deleted with its password; its peer sees that it is gone', async ({ open, person, consoles }) => {
  const ann = await person('ann');
  const ben = await person('ben');
  await ann.send(ben.name, 'kept by ben');
  await ben.send(ann.name, 'goes with ann');
  const anns = await open({ as: ann, node: 1 });
  const bens = await open({ as: ben, node: 2 });
  await bens.open(ann.name);
  await bens.expectBodies(['kept by ben', 'goes with ann']);

  consoles.expectRefusal(401);
  consoles.expectRefusal(403);
  const settings = await anns.openSettings();
  await settings.getByRole('button', { name: 'Delete account…' }).click();
  await settings.getByLabel('Password', { exact: true }).fill('not her password');
  await settings.getByRole('button', { name: 'Delete account for good' }).click();
  await expect(settings.getByLabel('Password', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  await settings.getByLabel('Password', { exact: true }).fill(kPassword);
  await settings.getByRole('button', { name: 'Delete account for good' }).click();
  await expect(anns.door).toBeVisible();

  await bens.expectBodies(['kept by ben']);
  await expect(bens.page.getByText('This account was deleted.')).toBeVisible();
  await expect(bens.composer).toHaveCount(0);
  await anns.logIn(ann.name);
  await expect(anns.page.getByRole('alert')).toBeVisible();
});
