// The pictures of the README and the docs (docs/images), made from a real cluster: `./dev screenshots`.
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { Page } from '@playwright/test';

import { Api } from './support/api';
import type { ChatPage } from './support/chat_page';
import { expect, test } from './support/test';
import { until } from './support/wait';

test.use({ clusterOptions: { nodes: 5, proxied: false } });

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const kMost_bytes = 200_000;
const kSize = { width: 1280, height: 800 };

async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const path = `${folder}${name}.png`;
  await page.screenshot({ path, animations: 'disabled', caret: 'hide' });
  expect(statSync(path).size, path).toBeLessThan(kMost_bytes);
}

interface People {
  readonly lena: Api;
  readonly marta: Api;
  readonly jonas: Api;
  readonly kofi: Api;
}

async function talk({ lena, marta, jonas, kofi }: People): Promise<void> {
  await marta.send(lena.name, 'The new machine is in the rack. It runs node five now.');
  await lena.send(marta.name, 'Nice. Did anybody notice?');
  await marta.send(lena.name, 'Nobody. It was away for an hour and caught up in four seconds.');
  await lena.send(marta.name, 'Then let us pull the plug of the leader while we talk. That is what it is for: https://raft.github.io/');
  await marta.send(lena.name, 'Done. Are you still there?');
  const all = await lena.conversation(marta.name);
  await marta.markRead(all.filter((message) => message.senderId === lena.id).map((message) => message.id));
  await lena.markRead(all.filter((message) => message.senderId === marta.id).map((message) => message.id));
  await jonas.send(lena.name, 'Minutes of Tuesday are in the folder');
  await kofi.send(lena.name, 'Can you look at the invoice?');
  await kofi.send(lena.name, 'The second page, I think');
}

async function goOn(chat: ChatPage, body: string): Promise<void> {
  await chat.send(body);
  await chat.expectCommitted(body);
}

test('screenshots', async ({ cluster, open }) => {
  const register = (name: string): Promise<Api> => Api.register(cluster.origin(1), name);
  const people: People = { lena: await register('lena'), marta: await register('marta'), jonas: await register('jonas'), kofi: await register('kofi') };
  await talk(people);
  const own = await cluster.follower();
  const marta = await open({ as: people.marta, node: await cluster.follower([own]) });
  const chat = await open({ as: people.lena, node: own, viewport: kSize, colorScheme: 'light', reducedMotion: 'reduce' });
  const { page } = chat;
  await chat.row('marta').click();
  await marta.open('lena');
  await goOn(chat, 'Still here. Not a single message is missing, and this one is on three disks.');
  await chat.expectMark('Still here. Not a single message is missing, and this one is on three disks.', 'Read');
  await marta.page.context().close();
  await goOn(chat, 'I go and tell the others.');
  await page.mouse.move(0, 0);
  await picture(page, 'page-light');
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await picture(page, 'page-dark');

  const phone = await open({ as: people.lena, node: own, viewport: { width: 390, height: 760 }, colorScheme: 'light', hasTouch: true, isMobile: true, deviceScaleFactor: 1.5, reducedMotion: 'reduce' });
  await picture(phone.page, 'page-phone-list');
  await phone.row('marta').click();
  await expect(phone.message('I go and tell the others.')).toBeInViewport();
  await picture(phone.page, 'page-phone');
  await phone.page.context().close();

  // A failover under load.
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize({ width: 1400, height: 900 });
  await chat.pulse.click();
  const view = page.getByRole('complementary', { name: 'Cluster' });
  await expect(view).toContainText('All 5 nodes are healthy');
  let isOver = false;
  const load = (async (): Promise<void> => {
    for (let count = 0; !isOver; ++count) await people.jonas.at(cluster.origin(own)).send('kofi', `note ${String(count)}`).catch(() => undefined);
  })();
  const leader = await cluster.leader();
  const begun = (await cluster.status(own)).commitIndex;
  await until('some thousand writes', async () => (await cluster.status(own)).commitIndex > begun + 1500n);
  await cluster.kill(leader);
  const next = await cluster.leader();
  await expect(view.getByText(`Node ${String(next)} took over`).first()).toBeVisible();
  await expect(view).toContainText(/Down|No contact/);
  const after = (await cluster.status(own)).commitIndex;
  await until('some hundred writes more', async () => (await cluster.status(own)).commitIndex > after + 600n);
  await picture(page, 'cluster-failover');
  isOver = true;
  await load;
});
