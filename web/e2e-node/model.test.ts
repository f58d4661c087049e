// The page's model, without a browser, against a real cluster: what a page does while nodes are killed under it.
import { createConnectTransport } from '@connectrpc/connect-web';
import type { Transport } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { Connection, Timeline } from '../src/model/contract';
import { bodies, FakeBrowser, marks, until, type Tab } from '../test/browser';
import { RealCluster } from './cluster';

const kPassword = 'a password';
const kLong_ms = 40_000;
let cluster: RealCluster;
let tabs: Tab[];

const transport = (baseUrl: string): Transport => createConnectTransport({ baseUrl, useBinaryFormat: true });

async function signUp(name: string, at: number): Promise<{ tab: Tab; browser: FakeBrowser }> {
  const browser = new FakeBrowser(transport, cluster.node(at).origin);
  const tab = browser.openTab();
  tabs.push(tab);
  expect(await tab.app.register(name, kPassword)).toMatchObject({ ok: true });
  await tab.isLive();
  await until(() => browser.knownNodes === cluster.nodes.length, 'the nodes to be known');
  return { tab, browser };
}

const kindsOf = (tab: Tab): Connection['kind'][] => {
  const kinds: Connection['kind'][] = [];
  tab.app.connection.subscribe(({ kind }) => { if (kinds.at(-1) !== kind) kinds.push(kind); });
  return kinds;
};
const allCommitted = (timeline: Timeline): boolean => marks(timeline).every((mark) => mark === undefined || mark === 'committed' || mark === 'read');

beforeEach(() => { tabs = []; });
afterEach(async () => {
  for (const tab of tabs) tab.close();
  await cluster.stop();
});

test('two people talk through two nodes, which are killed and started again one after another', async () => {
  cluster = await RealCluster.start(3);
  const { tab: alice } = await signUp('alice', 0);
  const { tab: bob } = await signUp('bob', 1);
  const [a, b] = [await alice.open('bob'), await bob.open('alice')];
  const said: string[] = [];
  const talk = async (count: number): Promise<void> => {
    for (let number = 0; number < count; ++number) {
      const body = `message ${said.length}`;
      said.push(body);
      a.send(body);
      await new Promise((resolve) => { setTimeout(resolve, 10); });
    }
  };
  await talk(20);
  for (const node of cluster.nodes) {
    const sending = talk(60);
    await node.stop();
    await sending;
    await until(() => bodies(b).length === said.length, `all that was said after node ${node.id} was killed`, kLong_ms);
    node.start();
    await cluster.isReady();
  }
  await until(() => allCommitted(a) && alice.app.queuedCount.value === 0, 'everything committed', kLong_ms);
  expect(bodies(b)).toEqual(said);
  expect(bodies(a)).toEqual(said);
  expect(bob.app.totalUnread.value).toBe(said.length);
  b.seen(b.messages.value.map((message) => message.id!));
  await until(() => marks(a).every((mark) => mark === 'read') && bob.app.totalUnread.value === 0, 'everything read', kLong_ms);
});

test('a majority is killed: read-only, the outbox waits, and empties in order when it is back', async () => {
  cluster = await RealCluster.start(3);
  const { tab: alice, browser } = await signUp('alice', 0);
  const { tab: bob } = await signUp('bob', 0);
  const [a, b] = [await alice.open('bob'), await bob.open('alice')];
  const kinds = kindsOf(alice);
  a.send('before');
  await until(() => bodies(b).length === 1 && allCommitted(a));
  await Promise.all([cluster.node(1).stop(), cluster.node(2).stop()]);
  await until(() => alice.app.connection.value.kind === 'read_only', 'read-only', kLong_ms);
  for (const body of ['one', 'two', 'three']) a.send(body);
  await until(() => marks(a).join() === 'committed,queued,queued,queued');
  const again = await alice.open('bob'); // reading goes on
  expect(bodies(again)).toEqual(['before', 'one', 'two', 'three']);
  // A reload in the middle.
  alice.close();
  const reloaded = browser.openTab();
  tabs.push(reloaded);
  await until(() => reloaded.app.connection.value.kind === 'read_only', 'read-only after the reload', kLong_ms);
  expect(reloaded.app.queuedCount.value).toBe(3);
  cluster.node(1).start();
  await until(() => bodies(b).length === 4, 'the outbox at its end', kLong_ms);
  await reloaded.isLive();
  expect(bodies(b)).toEqual(['before', 'one', 'two', 'three']);
  await until(() => reloaded.app.queuedCount.value === 0); // the other may see a message before its author's answer is here
  expect(kinds.find((kind) => kind !== 'live')).toBe('read_only'); // not "reconnecting": its node is there
});

test('a frozen node: sends and events go on through another', async () => {
  cluster = await RealCluster.start(3);
  const { tab: alice } = await signUp('alice', 2);
  const { tab: bob } = await signUp('bob', 1);
  const [a, b] = [await alice.open('bob'), await bob.open('alice')];
  a.send('before');
  await until(() => bodies(b).length === 1);
  await cluster.node(2).freeze();
  a.send('one');
  a.send('two');
  await until(() => bodies(b).join() === 'before,one,two' && allCommitted(a), 'messages past the frozen node', kLong_ms);
  b.send('answer');
  await until(() => bodies(a).at(-1) === 'answer', 'the answer', kLong_ms);
  cluster.node(2).thaw();
  a.send('after');
  await until(() => bodies(b).at(-1) === 'after');
  expect(bodies(b)).toEqual(['before', 'one', 'two', 'answer', 'after']);
});

test('everything is killed and started again: all is there, and a reload finds it', async () => {
  cluster = await RealCluster.start(3);
  const { tab: alice, browser } = await signUp('alice', 0);
  await signUp('bob', 1);
  const a = await alice.open('bob');
  a.send('before');
  await until(() => allCommitted(a) && bodies(a).length === 1);
  await Promise.all(cluster.nodes.map((node) => node.stop()));
  await until(() => alice.app.connection.value.kind === 'reconnecting', 'reconnecting', kLong_ms);
  a.send('while all is down');
  for (const node of cluster.nodes) node.start();
  await cluster.isReady();
  await alice.isLive();
  await until(() => allCommitted(a) && alice.app.queuedCount.value === 0, 'all committed', kLong_ms);
  alice.close();
  await cluster.node(0).stop(); // the page's own
  const reloaded = browser.openTab();
  tabs.push(reloaded);
  await reloaded.isLive();
  const again = await reloaded.open('bob');
  await until(() => bodies(again).join() === 'before,while all is down', 'all of it', kLong_ms);
  const { view, stop } = reloaded.app.cluster();
  await until(() => view.value?.nodes.find((node) => node.id === 1)?.healthy === false && view.value.leaderId !== 1, 'the dead node in the view', kLong_ms);
  stop();
});

test('accounts: password, search, deletion', async () => {
  cluster = await RealCluster.start(1);
  const { tab: alice } = await signUp('alice', 0);
  const { tab: bob } = await signUp('bob', 0);
  const [a, b] = [await alice.open('bob'), await bob.open('alice')];
  a.send('to bob');
  b.send('to alice');
  await until(() => bodies(a).length === 2 && bodies(b).length === 2 && allCommitted(a));
  expect(await alice.app.searchPeople('BO')).toMatchObject({ ok: true, value: [{ name: 'bob' }] });
  expect(await alice.app.changePassword('wrong password', 'another one')).toMatchObject({ ok: false, unknown: false, reason: 'WRONG_PASSWORD', field: 'password' });
  expect(alice.app.session.value.kind).toBe('signed_in');
  expect(await alice.app.changePassword(kPassword, 'another one')).toMatchObject({ ok: true });
  expect(await bob.app.deleteAccount('wrong password')).toMatchObject({ ok: false, reason: 'WRONG_PASSWORD' });
  expect(await bob.app.deleteAccount(kPassword)).toMatchObject({ ok: true });
  expect(bob.app.session.value).toMatchObject({ kind: 'signed_out' });
  await until(() => a.peerGone.value && bodies(a).join() === 'to alice', 'the account to be gone');
  await until(() => alice.row('bob')?.peerGone === true);
  expect(await alice.app.logOut()).toMatchObject({ ok: true });
  expect(await alice.app.logIn('alice', kPassword)).toMatchObject({ ok: false, reason: 'WRONG_NAME_OR_PASSWORD' });
  expect(await alice.app.logIn('alice', 'another one')).toMatchObject({ ok: true });
  await alice.isLive();
  expect(bodies(await alice.open('bob'))).toEqual([]);
});
