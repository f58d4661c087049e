// The stream of events and the state of the connection: failover, resume, resync, read-only, and several tabs.
import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { Caller } from '../src/api/caller';
import { Nodes } from '../src/api/nodes';
import { RequestIds } from '../src/api/request_ids';
import { WatchResponseSchema } from '../src/gen/parley/v1/api_pb';
import type { Connection } from '../src/model/contract';
import { Feed } from '../src/model/feed';
import { Tabs } from '../src/model/tabs';
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

test('no majority, and then no node at all: reconnecting is said, and read-only again by the first that is back', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  cluster.change(() => { for (const node of cluster.nodes) node.writable = false; });
  await until(() => tab.app.connection.value.kind === 'read_only');
  cluster.change(() => { for (const node of cluster.nodes) node.state = 'down'; });
  await until(() => tab.app.connection.value.kind === 'reconnecting');
  cluster.node(1).state = 'up';
  await until(() => tab.app.connection.value.kind === 'read_only');
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

// The newer node serves the lists and goes; the other, which lags, answers what is read then. Nobody has a majority.
const leaveTheLaggingNode = (): void => {
  cluster.change(() => {
    for (const node of cluster.nodes) node.writable = false;
    cluster.node(0).state = 'down';
  });
};
const heal = (): void => {
  cluster.change(() => {
    for (const node of cluster.nodes) Object.assign(node, { writable: true, state: 'up', appliedTo: undefined });
  });
};

test('a conversation that was read from a node that lags shows what is missing when it can be had', async () => {
  cluster = new FakeCluster(2);
  for (const name of ['alice', 'bob']) cluster.addPerson(name);
  browser = FakeBrowser.of(cluster);
  cluster.node(1).appliedTo = cluster.sendFrom('bob', 'alice', 'one').id;
  for (const body of ['two', 'three']) cluster.sendFrom('bob', 'alice', body);
  const tab = openTab();
  await tab.signIn('alice'); // through the node that has everything
  await until(() => browser.knownNodes === 2 && cluster.streams.get(cluster.node(0).origin) === 1);
  leaveTheLaggingNode();
  await until(() => tab.app.connection.value.kind === 'read_only');
  const timeline = await tab.open('bob');
  expect(bodies(timeline)).toEqual(['one']);
  await until(() => timeline.newLineBefore.value !== null); // does not wait for the others
  heal();
  await until(() => bodies(timeline).join() === 'one,two,three');
  cluster.sendFrom('bob', 'alice', 'four');
  await until(() => bodies(timeline).join() === 'one,two,three,four');
});

test('an older answer rolls back neither the list nor the counts', async () => {
  cluster = new FakeCluster(2);
  for (const name of ['alice', 'bob']) cluster.addPerson(name);
  browser = FakeBrowser.of(cluster);
  cluster.node(1).appliedTo = cluster.sendFrom('bob', 'alice', 'one').id;
  const [, three] = ['two', 'three'].map((body) => cluster.sendFrom('bob', 'alice', body));
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  await until(() => tab.app.totalUnread.value === 3 && browser.knownNodes === 2);
  const counts = new Set<number>();
  const lines = new Set<string | undefined>();
  const stops = [
    tab.app.totalUnread.subscribe((count) => { counts.add(count); }),
    tab.app.conversations.subscribe(() => { lines.add(tab.row('bob')?.lastLine); }),
    timeline.messages.subscribe((messages) => {
      // The moment the event is there, and before the lists are read again because of it.
      if (messages.length === 2 && cluster.node(0).writable) leaveTheLaggingNode();
    }),
  ];
  cluster.deleteBy('alice', [three!.id]);
  await until(() => cluster.node(1).staleReads >= 4); // each of the two, twice
  heal();
  await until(() => tab.app.totalUnread.value === 2 && tab.row('bob')?.lastLine === 'two');
  for (const stop of stops) stop();
  expect([[...counts], [...lines], bodies(timeline)]).toEqual([[3, 2], ['three', 'two'], ['one', 'two']]);
});

test('an older answer rolls an open conversation back no more', async () => {
  cluster = new FakeCluster(2);
  for (const name of ['alice', 'bob']) cluster.addPerson(name);
  browser = FakeBrowser.of(cluster);
  cluster.node(1).appliedTo = cluster.sendFrom('bob', 'alice', 'one').id;
  for (const body of ['two', 'three']) cluster.sendFrom('bob', 'alice', body);
  const before = openTab();
  await before.signIn('alice');
  await until(() => browser.knownNodes === 2);
  before.close();
  let release: () => void = () => undefined;
  const shown = new Promise<void>((resolve) => { release = resolve; });
  // The lists come after the messages, which are then read once more: by now from the node that lags.
  cluster.onCall = (_, name) => (name === 'getUnreadCounts' ? shown : undefined);
  const tab = openTab();
  await until(() => tab.app.session.value.kind === 'signed_in');
  const timeline = await tab.open('bob');
  const lengths = new Set<number>();
  const stop = timeline.messages.subscribe((messages) => { lengths.add(messages.length); });
  cluster.onCall = (_, name) => {
    if (name === 'listMessages' && cluster.node(0).writable) leaveTheLaggingNode();
    return undefined;
  };
  const stale = cluster.node(1).staleReads;
  release();
  await until(() => cluster.node(1).staleReads > stale);
  cluster.sendFrom('bob', 'alice', 'four');
  heal();
  await until(() => bodies(timeline).join() === 'one,two,three,four');
  stop();
  expect([...lengths]).toEqual([3, 4]);
});

test('the feed says how far back its events reach', () => {
  const origin = cluster.node(0).origin;
  const tab = openTab();
  const platform = browser.platform(tab, origin);
  const caller = new Caller(new Nodes(origin), cluster.transport, new RequestIds());
  const resyncs: bigint[] = [];
  const handler = { onEvent: () => undefined, onSent: () => undefined, reload: (position: bigint) => { resyncs.push(position); }, onSessionEnd: () => undefined };
  const others = new Tabs(platform, 'somebody');
  const feed = new Feed(platform, caller, others, handler, () => undefined);
  const hear = (position: bigint): void => { feed.onResponse(create(WatchResponseSchema, { position, event: { case: 'message', value: {} } }), position - 1n); };
  feed.startAt(100n, cluster.clusterId);
  expect([feed.hasAllSince(99n), feed.hasAllSince(100n)]).toEqual([false, true]);
  for (let position = 101n; position <= 2_200n; ++position) hear(position);
  // It has let the oldest go, and says so.
  const from = feed.since(0n)[0]!.position;
  expect(from).toBeGreaterThan(101n);
  expect([feed.hasAllSince(100n), feed.hasAllSince(from - 2n), feed.hasAllSince(from - 1n)]).toEqual([false, false, true]);
  feed.onResync(3_000n, cluster.clusterId);
  expect([feed.hasAllSince(2_999n), feed.hasAllSince(3_000n), resyncs]).toEqual([false, true, [3_000n]]);
  // Lists that are newer than what was heard: what lies between is in them alone.
  feed.startAt(3_010n, cluster.clusterId);
  hear(3_005n);
  hear(3_011n);
  expect([feed.hasAllSince(3_009n), feed.hasAllSince(3_010n)]).toEqual([false, true]);
  feed.close();
  others.close();
});

test('a logout that is asked for again ends no session that another tab has begun', async () => {
  const [first, second] = [openTab(), openTab()];
  await first.signIn('alice');
  await second.isLive();
  cluster.change(() => { for (const node of cluster.nodes) node.writable = false; });
  const leaving = first.app.logOut();
  expect(await second.app.logIn('bob', 'password')).toMatchObject({ ok: true });
  await until(() => tabs.every((tab) => tab.app.session.value.kind === 'signed_in' && tab.app.session.value.name === 'bob'));
  cluster.change(() => { for (const node of cluster.nodes) node.writable = true; });
  expect(await leaving).toMatchObject({ ok: false, reason: 'SIGNED_OUT' });
  await second.isLive();
  expect(cluster.logOuts).toEqual([]);
  expect(tabs.map((tab) => tab.app.session.value)).toMatchObject([{ name: 'bob' }, { name: 'bob' }]);
});

test('what one account deletes is not asked for under the token of the next', async () => {
  const asked: string[] = [];
  cluster.refuseDelete = (name) => {
    asked.push(name);
    return name === 'alice' ? refusal(Code.Unavailable, 'GIVEN_UP', { outcome: 2 }) : undefined;
  };
  const tab = openTab();
  await tab.signIn('alice');
  cluster.sendFrom('bob', 'alice', 'hello');
  const timeline = await tab.open('bob');
  await until(() => timeline.messages.value.length === 1);
  const removing = timeline.remove(timeline.messages.value.map((message) => message.key));
  await until(() => asked.length > 0);
  await tab.signIn('bob');
  expect(await removing).toMatchObject({ ok: false, unknown: true, reason: 'SIGNED_OUT' });
  expect(asked).not.toContain('bob');
  expect(bodies(await tab.open('alice'))).toEqual(['hello']);
});

test('what is deleted in several requests stops where another account begins', async () => {
  const asked: string[] = [];
  cluster.refuseDelete = (name) => {
    asked.push(name);
    return undefined;
  };
  for (let number = 0; number < 1_001; ++number) cluster.sendFrom('bob', 'alice', number.toString());
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  const keys = new Set<string>();
  const note = (): void => { for (const message of timeline.messages.value) keys.add(message.key); };
  note();
  while (timeline.hasOlder.value) {
    await timeline.loadOlder();
    note();
  }
  expect(keys.size).toBe(1_001);
  // The first request is under way until the other account is there.
  let next: Promise<void> | undefined;
  cluster.onCall = (_, name) => (name === 'deleteMessages' ? (next ??= tab.signIn('bob')) : undefined);
  expect(await timeline.remove([...keys])).toMatchObject({ ok: false, reason: 'SIGNED_OUT' });
  await next;
  expect(asked).toEqual(['alice']);
});
