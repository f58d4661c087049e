// axe-core on every view, in both themes, on a phone and on a desk, with dialogs open: nothing serious.
import { audit } from './support/axe';
import { expect, test } from './support/test';

test.use({ clusterOptions: { nodes: 5, proxied: true } });

for (const colorScheme of ['light', 'dark'] as const) {
  for (const viewport of [{ width: 360, height: 640 }, { width: 1400, height: 900 }]) {
    test(`nothing serious in the ${colorScheme} theme at ${String(viewport.width)} px`, async ({ open, person, cluster, consoles }) => {
      test.slow();
      const [ann, ben, cleo] = [await person('ann'), await person('ben'), await person('cleo')];
      const own = await cluster.follower();
      const chat = await open({ node: own, colorScheme, viewport, reducedMotion: 'reduce' });
      const { page } = chat;
      const found: string[] = [];
      const look = async (view: string): Promise<void> => {
        for (const line of await audit(page)) found.push(`${view}: ${line}`);
      };
      await expect(chat.door).toBeVisible();
      await look('log in');
      await page.getByRole('button', { name: 'Create an account' }).click();
      await chat.fillDoor('bad name', 'short');
      await page.getByRole('button', { name: 'Create account', exact: true }).click();
      await expect(page.getByRole('alert').first()).toBeVisible();
      await look('create an account, with errors');
      await page.getByRole('button', { name: 'Log in' }).click();
      await chat.logIn(ann.name);
      await chat.expectLive();
      await look('no conversations');
      for (const body of ['hello', 'see https://example.org/ for more', 'third']) await ben.send(ann.name, body);
      await cleo.send(ann.name, 'unread');
      await expect(chat.row(cleo.name)).toBeVisible();
      await look('the list');

      await page.keyboard.press('Control+k');
      await chat.palette.getByRole('combobox').fill('e');
      await expect(chat.palette.getByRole('option').first()).toBeVisible();
      await look('the palette');
      await page.keyboard.press('Escape');
      await chat.row(ben.name).click();
      await expect(chat.message('third')).toBeVisible();
      await chat.send('an answer');
      await chat.expectCommitted('an answer');
      await look('a conversation');
      await chat.messages.first().hover();
      await chat.messages.first().getByRole('button', { name: 'Delete' }).click();
      await expect(page.getByRole('dialog', { name: 'Delete this message?' })).toBeVisible();
      await look('asked before a deletion');
      await page.keyboard.press('Escape');

      const back = page.getByRole('button', { name: 'Back to the conversations' });
      const toList = async (): Promise<void> => { if (await back.isVisible()) await back.click(); };
      await toList();
      const settings = await chat.openSettings();
      await settings.getByRole('button', { name: 'Delete account…' }).click();
      await settings.getByRole('button', { name: 'Delete account for good' }).click();
      await expect(settings.getByLabel('Password', { exact: true })).toHaveAttribute('aria-invalid', 'true');
      await look('settings');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Help' }).click();
      await expect(page.getByRole('dialog', { name: 'Help' })).toBeVisible();
      await look('help');
      await page.keyboard.press('Escape');

      await chat.pulse.click();
      await expect(page.getByRole('complementary', { name: 'Cluster' })).toContainText('leads in term');
      await look('the cluster');
      await page.keyboard.press('Escape');

      consoles.wasOffline = true;
      const dead = cluster.ids.filter((id) => id !== own).slice(0, 3);
      await Promise.all(dead.map((id) => cluster.kill(id)));
      await expect(chat.banner).toHaveAttribute('data-connection', 'read_only');
      await chat.row(ben.name).click();
      await chat.send('waits for better times');
      await chat.send('so does this');
      await chat.expectMark('so does this', 'Queued');
      await look('no majority, with a queue');
      await toList();
      await chat.pulse.click();
      await expect(page.getByRole('complementary', { name: 'Cluster' })).toContainText('no majority');
      await look('the cluster without a majority');
      expect(found).toEqual([]);
    });
  }
}
