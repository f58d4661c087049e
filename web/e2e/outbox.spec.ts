// What is written while nothing can be sent: it outlives reload and offline, and arrives in order, once each.
import type { Api } from './support/api';
import { expect, test, type ChatPage } from './support/test';

test.use({ clusterOptions: { nodes: 5, proxied: true } });

const kSend = 'POST /parley.v1.MessageService/SendMessage';
const kFive = ['one of five', 'two of five', 'three of five', 'four of five', 'five of five'];

async function expectHeld(person: Api, peer: Api, bodies: readonly string[]): Promise<void> {
  const held = await person.conversation(peer.name);
  expect(held.map((message) => message.body)).toEqual(bodies);
}

async function goOffline(chat: ChatPage): Promise<void> {
  await chat.page.context().setOffline(true);
  await expect(chat.banner).toHaveAttribute('data-connection', 'offline');
}

// Its service worker has the page, and answers for it.
async function waitForServiceWorker(chat: ChatPage): Promise<void> {
  await chat.page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) await new Promise((resolve) => { navigator.serviceWorker.addEventListener('controllerchange', resolve); });
  });
}

test('five queued messages, a reload and one lost reply: each arrives once, in order', async ({ open, person, cluster, consoles }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  consoles.wasOffline = true;
  const bens = await open({ as: ben, node: 2 });
  const anns = await open({ as: ann, node: 1, host: 'localhost' });
  await waitForServiceWorker(anns);
  await anns.open(ben.name);
  await bens.open(ann.name);
  await goOffline(anns);
  for (const body of kFive) await anns.send(body);
  await anns.expectBodies(kFive);
  await anns.page.reload();
  await anns.expectBodies(kFive);
  for (const body of kFive) await anns.expectMark(body, 'Queued');
  const lost = cluster.loseOneReply(kSend);
  await anns.page.context().setOffline(false);
  await lost.answered;
  await anns.expectMark(kFive[0]!, 'Outcome unknown, asking again', 'Committed', 'Read');
  for (const body of kFive) await anns.expectCommitted(body);
  await anns.expectBodies(kFive);
  await bens.expectBodies(kFive);
  await expect(anns.banner).toHaveCount(0);
  await expectHeld(ben, ann, kFive);
});

test('a reload in the middle of a send: the same message goes out again, once', async ({ open, person, cluster }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const anns = await open({ as: ann, node: 1 });
  await anns.open(ben.name);
  const lost = cluster.loseOneReply(kSend);
  await anns.send('sent and asked again');
  await anns.send('behind it');
  await lost.answered;
  cluster.wasFaulty = true; // the reload ends the request that waits for its answer
  await anns.page.reload();
  await anns.expectCommitted('sent and asked again');
  await anns.expectCommitted('behind it');
  await anns.expectBodies(['sent and asked again', 'behind it']);
  await expectHeld(ben, ann, ['sent and asked again', 'behind it']);
});

test('offline a while: what was read stays, what is written waits, what arrived meanwhile is shown', async ({ open, person, consoles }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  consoles.wasOffline = true;
  await ben.send(ann.name, 'before');
  const anns = await open({ as: ann, node: 1 });
  await anns.brand();
  await anns.open(ben.name);
  await anns.composer.fill('a draft');
  await goOffline(anns);
  await ben.send(ann.name, 'meanwhile');
  await anns.send('from the tunnel');
  await anns.expectMark('from the tunnel', 'Queued');
  await expect(anns.message('before')).toBeVisible();
  await anns.page.context().setOffline(false);
  await anns.expectCommitted('from the tunnel');
  await anns.expectBodies(['before', 'meanwhile', 'from the tunnel']);
  await expect(anns.banner).toHaveCount(0);
  await anns.expectNoReload();
});

test('a reload while offline shows the page, the conversations and what waits', async ({ open, person, consoles }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  consoles.wasOffline = true;
  await ben.send(ann.name, 'kept in the list');
  const anns = await open({ as: ann, node: 1, host: 'localhost' });
  await waitForServiceWorker(anns);
  await anns.open(ben.name);
  await expect(anns.message('kept in the list')).toBeVisible();
  await anns.expectRow(ben.name, 'kept in the list');
  await goOffline(anns);
  await anns.send('written offline');
  await anns.composer.fill('half a sentence');
  await anns.page.reload();
  await expect(anns.banner).toHaveAttribute('data-connection', 'offline');
  await expect(anns.row(ben.name)).toBeVisible();
  await anns.expectMark('written offline', 'Queued');
  await expect(anns.composer).toHaveValue('half a sentence');
  await anns.page.context().setOffline(false);
  await anns.expectCommitted('written offline');
  await anns.expectBodies(['kept in the list', 'written offline']);
});

test('a reload while the page\'s node is dead', async ({ open, person, cluster }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const own = await cluster.follower();
  const anns = await open({ as: ann, node: own, host: 'localhost' });
  await waitForServiceWorker(anns);
  await anns.open(ben.name);
  await anns.send('while it lived');
  await anns.expectCommitted('while it lived');
  await cluster.kill(own);
  await anns.page.reload();
  await anns.expectLive();
  await anns.expectBodies(['while it lived']);
  await anns.send('and after');
  await anns.expectCommitted('and after');
  await ben.at(cluster.origin(await cluster.leader())).send(ann.name, 'an answer');
  await expect(anns.message('an answer')).toHaveCount(1);
});

test('a queued message can be taken back', async ({ open, person, consoles }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  consoles.wasOffline = true;
  const anns = await open({ as: ann });
  await anns.open(ben.name);
  await goOffline(anns);
  await anns.send('better not');
  await anns.send('rather this');
  await anns.message('better not').getByRole('button', { name: 'Discard' }).click();
  await anns.page.context().setOffline(false);
  await anns.expectCommitted('rather this');
  await anns.expectBodies(['rather this']);
  await expectHeld(ben, ann, ['rather this']);
});
