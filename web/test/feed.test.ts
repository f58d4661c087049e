// The stream of events and the state of the connection: failover, resume, resync, read-only, and several tabs.
import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { Connection } from '../src/model/contract';
import { bodies, FakeBrowser, marks, until, type Tab } from './browser';
import { FakeCluster, refusal } from './fake_cluster';

let cluster: FakeCluster;
let browser: FakeBrowser;
let tabs: Tab[];

const openTab = (): Tab => {
  const tab = browser.openTab();
  tabs.push(tab);
  return tab;
};
const kindsOf = (tab: Tab): Connection['kind'][] => {
  const kinds: Connection['kind'][] = [];
  tab.app.connection.subscribe(({ kind }) => { if (kinds.at(-1) !== kind) kinds.push(kind); });
  return kinds;
};

beforeEach(() => {
  cluster = new FakeCluster();
  for (const name of ['alice', 'bob', 'carol']) cluster.addPerson(name);
  browser = FakeBrowser.of(cluster);
  tabs = [];
});
afterEach(() => { for (const tab of tabs) tab.close(); });

test('messages, read marks and deletions arrive live, and no list is read again for a message', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  await until(() => cluster.streamCount === 1);
  const calls = cluster.node(0).calls.length;
  const { id } = cluster.sendFrom('bob', 'alice', 'hello');
  await until(() => bodies(timeline).join() === 'hello' && tab.app.totalUnread.value === 1);
  expect(tab.row('bob')).toMatchObject({ lastLine: 'hello', unread: 1, lastMine: false });
  expect(cluster.node(0).calls.length).toBe(calls);
  timeline.seen([id]);
  await until(() => tab.app.totalUnread.value === 0 && !timeline.messages.value[0]!.unread);
  cluster.deleteBy('alice', [id]);
  await until(() => timeline.messages.value.length === 0 && tab.row('bob') === undefined);
});

test('nothing is marked read while the setting is off', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  tab.app.settings.markRead.value = false;
  const timeline = await tab.open('bob');
  const { id } = cluster.sendFrom('bob', 'alice', 'hello');
  await until(() => timeline.messages.value.length === 1);
  timeline.seen([id]);
  cluster.sendFrom('bob', 'alice', 'another');
  await until(() => timeline.messages.value.length === 2);
  tab.app.settings.markRead.value = true;
  timeline.seen([timeline.messages.value[1]!.id!]);
  await until(() => cluster.messages[1]!.read);
  expect(cluster.messages[0]!.read).toBe(false);
});

test('the node of the page dies: another goes on, without gap, repeat or banner', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  const kinds = kindsOf(tab);
  const sent: string[] = [];
  for (let turn = 0; turn < 30; ++turn) {
    const body = `message ${turn}`;
    sent.push(body);
    cluster.sendFrom('bob', 'alice', body);
    if (turn % 10 === 3) await until(() => timeline.messages.value.length === sent.length);
    if (turn % 10 === 5) {
      const serving = cluster.nodes.find((node) => (cluster.streams.get(node.origin) ?? 0) > 0)!;
      cluster.change(() => {
        for (const node of cluster.nodes) node.state = node === serving ? 'down' : 'up';
      });
      await until(() => cluster.nodes.some((node) => node !== serving && (cluster.streams.get(node.origin) ?? 0) > 0));
    }
  }
  await until(() => timeline.messages.value.length >= sent.length);
  expect(bodies(timeline)).toEqual(sent);
  expect(tab.app.totalUnread.value).toBe(30);
  expect(kinds).toEqual(['live']);
});

test('a frozen node is left when a call to it goes unanswered', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  await until(() => cluster.streams.get(cluster.node(0).origin) === 1);
  cluster.node(0).state = 'frozen';
  timeline.send('hello');
  await until(() => marks(timeline)[0] === 'committed');
  await until(() => cluster.streams.get(cluster.node(0).origin) === 0 && cluster.streamCount === 1);
  cluster.sendFrom('bob', 'alice', 'answer');
  await until(() => bodies(timeline).join() === 'hello,answer');
});

test('every node is gone: reconnecting is said, and what came meanwhile is there afterwards', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  const kinds = kindsOf(tab);
  cluster.change(() => { for (const node of cluster.nodes) node.state = 'down'; });
  await until(() => tab.app.connection.value.kind === 'reconnecting');
  timeline.send('queued');
  await until(() => marks(timeline)[0] === 'queued');
  cluster.sendFrom('bob', 'alice', 'meanwhile');
  for (const node of cluster.nodes) node.state = 'up';
  await tab.isLive();
  await until(() => bodies(timeline).join() === 'meanwhile,queued' && marks(timeline)[1] === 'committed');
  expect(kinds).toEqual(['live', 'reconnecting', 'live']);
});

test('no majority: read-only is said, reading goes on, the outbox waits, and the banner clears when writes work', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  cluster.sendFrom('carol', 'alice', 'from before');
  const timeline = await tab.open('bob');
  cluster.change(() => { for (const node of cluster.nodes) node.writable = false; });
  await until(() => tab.app.connection.value.kind === 'read_only');
  expect(tab.app.connection.value).toMatchObject({ ageMs: 4_000 });
  timeline.send('one');
  timeline.send('two');
  await until(() => marks(timeline).join() === 'queued,queued');
  const carol = await tab.open('carol'); // a stale read
  expect(bodies(carol)).toEqual(['from before']);
  expect(cluster.sends).toEqual([]);
  cluster.change(() => { for (const node of cluster.nodes) node.writable = true; });
  await tab.isLive();
  await until(() => marks(timeline).join() === 'committed,committed');
  expect(cluster.messages.map((message) => message.body)).toEqual(['from before', 'one', 'two']);
});

test('a node that was cut off from the majority is left for one that takes writes, without gap or repeat', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  await until(() => cluster.streams.get(cluster.node(0).origin) === 1);
  cluster.sendFrom('bob', 'alice', 'before');
  await until(() => bodies(timeline).join() === 'before');
  cluster.change(() => { for (const node of [cluster.node(0), cluster.node(1)]) node.writable = false; });
  await until(() => tab.app.connection.value.kind === 'read_only');
  cluster.sendFrom('bob', 'alice', 'on the other side');
  await tab.isLive();
  expect(tab.app.connection.value).toMatchObject({ node: cluster.node(2).origin });
  await until(() => bodies(timeline).join() === 'before,on the other side');
  cluster.change(() => { for (const node of cluster.nodes) node.writable = true; });
  cluster.sendFrom('bob', 'alice', 'after');
  await until(() => bodies(timeline).join() === 'before,on the other side,after');
  expect(cluster.streamCount).toBe(1);
});

test('while nobody has a majority the stream stays, and the other nodes are asked again and again', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const count = (method: string): number => cluster.nodes.flatMap((node) => node.calls).filter((call) => call === method).length;
  cluster.change(() => { for (const node of cluster.nodes) node.writable = false; });
  await until(() => tab.app.connection.value.kind === 'read_only');
  const [streams, asked] = [count('watch'), count('getStatus')];
  await until(() => count('getStatus') >= asked + 4);
  expect(count('watch')).toBe(streams);
  cluster.change(() => { for (const node of cluster.nodes) node.writable = true; });
  await tab.isLive();
});

test('a write that meets no leader says read-only before a heartbeat does', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  let refuses = true;
  cluster.refuseSend = () => (refuses ? refusal(Code.Unavailable, 'NO_LEADER') : undefined);
  const kinds = kindsOf(tab);
  timeline.send('hello');
  await until(() => kinds.includes('read_only'));
  refuses = false;
  await until(() => marks(timeline)[0] === 'committed');
});

test('a position that is too old, or another cluster: everything is read again', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  cluster.change(() => { for (const node of cluster.nodes) node.state = 'down'; });
  await until(() => tab.app.connection.value.kind === 'reconnecting');
  cluster.sendFrom('bob', 'alice', 'one');
  cluster.horizon = cluster.sendFrom('bob', 'alice', 'two').id;
  for (const node of cluster.nodes) node.state = 'up';
  await until(() => bodies(timeline).join() === 'one,two' && tab.app.totalUnread.value === 2);
  cluster.sendFrom('bob', 'alice', 'three');
  await until(() => bodies(timeline).join() === 'one,two,three' && tab.app.totalUnread.value === 3);
  cluster.clusterId = 'cluster-2';
  cluster.change(() => { for (const node of cluster.nodes) node.state = 'down'; });
  await until(() => tab.app.connection.value.kind === 'reconnecting');
  for (const node of cluster.nodes) node.state = 'up';
  await tab.isLive();
  cluster.sendFrom('bob', 'alice', 'four');
  await until(() => bodies(timeline).join() === 'one,two,three,four' && tab.app.totalUnread.value === 4);
});

test('two tabs of one account agree, with one stream between them, and one takes over when the other closes', async () => {
  const first = openTab();
  await first.signIn('alice');
  const second = openTab();
  await second.isLive();
  const [one, two] = [await first.open('bob'), await second.open('bob')];
  expect(cluster.streamCount).toBe(1);
  one.send('from the first');
  await until(() => marks(two).join() === 'committed');
  two.send('from the second');
  await until(() => marks(one).join() === 'committed,committed' && marks(two).join() === 'committed,committed');
  expect(one.messages.value.map((message) => message.key)).toEqual(two.messages.value.map((message) => message.key));
  cluster.sendFrom('bob', 'alice', 'an answer');
  await until(() => [one, two].every((timeline) => bodies(timeline).join() === 'from the first,from the second,an answer'));
  two.draft.value = 'half a';
  await until(() => one.draft.value === 'half a');

  first.close();
  cluster.sendFrom('bob', 'alice', 'while the first closes');
  await until(() => bodies(two).length === 4);
  two.send('and on');
  await until(() => marks(two).at(-1) === 'committed' && cluster.streamCount === 1);
  expect(bodies(two)).toEqual(['from the first', 'from the second', 'an answer', 'while the first closes', 'and on']);
  expect(second.app.totalUnread.value).toBe(2);
  expect(new Set(cluster.sends).size).toBe(cluster.sends.length);
});

test('a login and a logout are the same in all tabs', async () => {
  const [first, second] = [openTab(), openTab()];
  await until(() => second.app.session.value.kind === 'signed_out');
  await first.signIn('alice');
  await second.isLive();
  expect(second.app.session.value).toMatchObject({ kind: 'signed_in', name: 'alice' });
  await second.app.logOut();
  await until(() => first.app.session.value.kind === 'signed_out');
  expect(cluster.nodes.every((node) => node.state === 'up')).toBe(true);
  await until(() => cluster.streamCount === 0);
});

test('a session that was ended elsewhere is over here', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  cluster.people[0]!.gone = true;
  timeline.send('too late');
  await until(() => tab.app.session.value.kind === 'signed_out');
  expect(tab.app.session.value).toMatchObject({ why: 'The session has ended. Log in again.' });
});

test('nodes are learned, and a page whose node is dead starts through another', async () => {
  const first = openTab();
  await first.signIn('alice');
  await until(() => browser.knownNodes === 3);
  first.close();
  cluster.node(0).state = 'down';
  const second = openTab();
  await second.isLive();
  expect(second.app.connection.value).not.toMatchObject({ node: cluster.node(0).origin });
});

test('the cluster view goes on at another node', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const { view, stop } = tab.app.cluster();
  await until(() => view.value !== null);
  expect(view.value).toMatchObject({ leaderId: 1, askedNode: cluster.node(0).origin, reachable: true });
  expect(view.value!.nodes.map((node) => [node.id, node.role])).toEqual([[1, 'leader'], [2, 'follower'], [3, 'follower']]);
  cluster.change(() => { cluster.node(0).state = 'down'; });
  await until(() => view.value!.askedNode !== cluster.node(0).origin && view.value!.nodes[0]?.healthy === false);
  await until(() => view.value!.writesPerSecond.length > 0);
  stop();
});
