// Answers of nodes that lag behind what the page knows already: they roll nothing back, and what they lack comes later.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  GetUnreadCountsResponseSchema, ListConversationsResponseSchema, ListMessagesResponseSchema, MessageSchema, WatchResponseSchema, type Message, type WatchResponse,
} from '../src/gen/parley/v1/api_pb';
import { Conversations } from '../src/model/conversations';
import type { Reading } from '../src/model/reading';
import { openStore } from '../src/model/store';
import { ConversationTimeline, type TimelineWorld } from '../src/model/timeline';
import { Unread } from '../src/model/unread';
import { bodies, FakeBrowser, until, type Tab } from './browser';
import { FakeCluster } from './fake_cluster';

let cluster: FakeCluster;
let browser: FakeBrowser;
let tab: Tab;

// Two nodes: the first has everything, the second will lag.
beforeEach(() => {
  cluster = new FakeCluster(2);
  for (const name of ['alice', 'bob']) cluster.addPerson(name);
  browser = FakeBrowser.of(cluster);
  tab = browser.openTab();
});
afterEach(() => { tab.close(); });

const signIn = async (): Promise<void> => {
  await tab.signIn('alice');
  await until(() => browser.knownNodes === 2 && cluster.streams.get(cluster.node(0).origin) === 1);
};
// Nobody has a majority, and the node that has everything is gone.
const leaveTheLaggingNode = (): void => {
  cluster.change(() => {
    for (const node of cluster.nodes) node.writable = false;
    cluster.node(0).state = 'down';
    cluster.node(1).state = 'up';
  });
};
const heal = (): void => {
  cluster.change(() => {
    for (const node of cluster.nodes) Object.assign(node, { writable: true, state: 'up', appliedTo: undefined });
  });
};
// Ends the stream, and lets no other go on where it ended.
const cutTheStream = async (body: string): Promise<void> => {
  cluster.change(() => { for (const node of cluster.nodes) node.state = 'down'; });
  await until(() => tab.app.connection.value.kind === 'reconnecting');
  cluster.horizon = cluster.sendFrom('bob', 'alice', body).id;
};
// All values that follow each other.
const valuesOf = <T>(read: () => T, source: { subscribe(changed: () => void): () => void }): T[] => {
  const values: T[] = [];
  source.subscribe(() => { if (values.at(-1) !== read()) values.push(read()); });
  return values;
};

test('what events brought to an open conversation stays when an older answer follows a resync', async () => {
  await signIn();
  const timeline = await tab.open('bob');
  const [, two] = ['one', 'two', 'three'].map((body) => cluster.sendFrom('bob', 'alice', body));
  await until(() => bodies(timeline).length === 3);
  const shown = valuesOf(() => bodies(timeline).join(), timeline.messages);
  cluster.node(1).appliedTo = two!.id;
  await cutTheStream('four');
  let wasLeft = false;
  cluster.onCall = (_, name) => {
    // The lists are read again, and then the messages.
    if (name === 'listMessages' && !wasLeft) {
      wasLeft = true;
      leaveTheLaggingNode();
    }
    return undefined;
  };
  const stale = cluster.node(1).staleReads;
  cluster.change(() => { cluster.node(0).state = 'up'; });
  await until(() => cluster.node(1).staleReads > stale);
  heal();
  await until(() => bodies(timeline).length === 4);
  expect(shown).toEqual(['one,two,three', 'one,two,three,four']);
});

test('what events brought to the lists stays when older answers follow a resync', async () => {
  await signIn();
  const [, two] = ['one', 'two', 'three'].map((body) => cluster.sendFrom('bob', 'alice', body));
  await until(() => tab.app.totalUnread.value === 3);
  const lines = valuesOf(() => tab.row('bob')?.lastLine, tab.app.conversations);
  const counts = valuesOf(() => tab.app.totalUnread.value, tab.app.totalUnread);
  cluster.node(1).appliedTo = two!.id;
  await cutTheStream('four');
  const lagging = cluster.node(1);
  const read = (): number => lagging.calls.filter((name) => name === 'listConversations').length;
  const before = read();
  cluster.change(() => { lagging.state = 'up'; });
  await until(() => read() >= before + 3); // two of them are answered
  heal();
  await until(() => tab.app.totalUnread.value === 4 && tab.row('bob')?.lastLine === 'four');
  expect([lines, counts]).toEqual([['three', 'four'], [3, 4]]);
});

test('an answer from before a deletion leaves the lists as they are, and is asked for again', async () => {
  const [one, , three] = ['one', 'two', 'three'].map((body) => cluster.sendFrom('bob', 'alice', body));
  await signIn();
  const timeline = await tab.open('bob');
  cluster.node(1).appliedTo = cluster.position; // every event after it is known here
  const lines = valuesOf(() => tab.row('bob')?.lastLine, tab.app.conversations);
  const counts = valuesOf(() => tab.app.totalUnread.value, tab.app.totalUnread);
  cluster.markReadBy('alice', [one!.id]);
  await until(() => tab.app.totalUnread.value === 2);
  const stop = timeline.messages.subscribe((messages) => {
    // The moment the event is there, and before the lists are read again because of it.
    if (messages.length === 2 && cluster.node(0).writable) leaveTheLaggingNode();
  });
  cluster.deleteBy('alice', [three!.id]);
  await until(() => cluster.node(1).staleReads >= 2);
  stop();
  heal();
  await until(() => tab.app.totalUnread.value === 1 && tab.row('bob')?.lastLine === 'two');
  expect([lines, counts]).toEqual([['three', 'two'], [3, 2, 1]]);
});

// More conversations than one page holds.
const manyConversations = (): string[] => {
  const names = Array.from({ length: 60 }, (_, at) => `person-${at.toString()}`);
  for (const name of names) {
    cluster.addPerson(name);
    for (const body of ['first', 'second']) cluster.sendFrom(name, 'alice', body);
  }
  return names;
};
const secondOf = (name: string): bigint => cluster.messages.find((message) => message.sender === name && message.body === 'second')!.id;

test('more of the list, from a node that lags: what it lacks is there when it can be had', async () => {
  manyConversations();
  await signIn();
  await until(() => tab.app.hasMoreConversations.value && tab.row('person-5') === undefined);
  cluster.node(1).appliedTo = cluster.position;
  cluster.deleteBy('alice', [secondOf('person-5')]); // in a row that is not there yet
  cluster.sendFrom('person-59', 'alice', 'third');
  await until(() => tab.row('person-59')?.lastLine === 'third');
  leaveTheLaggingNode();
  await until(() => tab.app.connection.value.kind === 'read_only');
  await tab.app.loadMoreConversations();
  expect([tab.app.conversations.value.length, tab.row('person-59')?.lastLine]).toEqual([60, 'third']);
  heal();
  await until(() => tab.row('person-5')?.lastLine === 'first');
  expect([tab.app.conversations.value.length, tab.row('person-59')?.lastLine]).toEqual([60, 'third']);
});

test('a list that was being read when more of it was wanted is read all the same', async () => {
  manyConversations();
  await signIn();
  await until(() => tab.app.hasMoreConversations.value);
  let reads = 0;
  cluster.onCall = (_, name) => (name === 'listConversations' && ++reads === 1 ? until(() => reads > 1) : undefined);
  cluster.deleteBy('alice', [secondOf('person-59')]);
  await until(() => reads === 1);
  await tab.app.loadMoreConversations();
  await until(() => tab.row('person-59')?.lastLine === 'first' && tab.app.conversations.value.length === 60);
});

test('older messages, from a node that lags: what it lacks is there when it can be had', async () => {
  const all = Array.from({ length: 280 }, (_, at) => cluster.sendFrom('alice', 'bob', at.toString()));
  cluster.node(1).appliedTo = all[100]!.id;
  cluster.deleteBy('alice', [all[80]!.id]); // the other node does not know, and no event will say
  await signIn();
  const timeline = await tab.open('bob');
  expect(bodies(timeline)[0]).toBe('230');
  cluster.deleteBy('alice', [all[90]!.id]); // the event says
  cluster.sendFrom('alice', 'bob', 'newest');
  await until(() => bodies(timeline).at(-1) === 'newest');
  const newest = valuesOf(() => bodies(timeline).slice(-51).join(), timeline.messages);
  leaveTheLaggingNode();
  await until(() => tab.app.connection.value.kind === 'read_only');
  await timeline.loadOlder();
  expect(bodies(timeline).slice(-52, -50)).toEqual(['100', '230']);
  expect([bodies(timeline).includes('80'), bodies(timeline).includes('90')]).toEqual([true, false]);
  const stale = cluster.node(1).staleReads;
  await until(() => cluster.node(1).staleReads > stale); // it is asked for again, and knows no more
  heal();
  await until(() => bodies(timeline).includes('229') && !bodies(timeline).includes('80'));
  while (timeline.hasOlder.value) await timeline.loadOlder();
  expect(bodies(timeline)).toEqual([...all.map((_, at) => at.toString()).filter((body) => body !== '80' && body !== '90'), 'newest']);
  expect(newest.length).toBe(1);
});

// A feed of which the events after `from` are known, and a node that says whatever it is told.
const makeWorld = () => {
  const known = { from: 100n, events: [] as WatchResponse[] };
  const answer: { value: unknown } = { value: undefined };
  const feed = {
    since: (position: bigint) => known.events.filter((event) => event.position > position),
    hasAllSince: (position: bigint) => position >= known.from,
  };
  return {
    feed,
    answer,
    reading: { read: () => Promise.resolve(answer.value) } as unknown as Reading,
    event: (position: bigint, event: MessageInitShape<typeof WatchResponseSchema>['event']): WatchResponse => {
      const made = create(WatchResponseSchema, { position, ...(event ? { event } : {}) });
      known.events.push(made);
      return made;
    },
    resync: (position: bigint) => { Object.assign(known, { from: position, events: [] }); },
  };
};
const messageOf = (id: bigint): Message => create(MessageSchema, { id, conversationId: 7n, senderId: 2n, sender: 'bob', recipientId: 1n, body: id.toString() });

const openAlone = async () => {
  const world = makeWorld();
  const say = (position: bigint, ids: readonly bigint[]): void => {
    world.answer.value = create(ListMessagesResponseSchema, { messages: ids.map(messageOf).reverse(), asOf: { position } });
  };
  say(100n, [90n]);
  const rest = {
    account: 1n,
    store: await openStore(undefined),
    outbox: { entries: signal([]), keys: new Map() },
    conversations: { rows: signal([]), find: () => undefined },
    unread: () => new Map(),
    draft: signal(''),
    onClose: () => undefined,
  };
  const timeline = new ConversationTimeline({ ...world, ...rest } as unknown as TimelineWorld, { name: 'bob', id: 2n, conversationId: 7n });
  await until(() => timeline.loading.value === null);
  const read = async (position: bigint, ids: readonly bigint[]) => {
    say(position, ids);
    await timeline.refresh();
    return timeline.messages.value.map(({ id }) => id);
  };
  return { timeline, read, ...world };
};

test('an answer is older than an open conversation if it lacks an event, not if one came after a gap', async () => {
  const { timeline, read, event, resync } = await openAlone();
  for (const id of [103n, 104n]) timeline.apply(event(id, { case: 'message', value: messageOf(id) }));
  timeline.apply(event(105n, { case: 'deleted', value: { messageIds: [103n] } }));
  resync(200n);
  timeline.apply(event(201n, { case: 'message', value: messageOf(201n) }));
  expect(await read(104n, [90n, 103n, 104n])).toEqual([90n, 104n, 201n]);
  expect(await read(150n, [90n, 104n, 120n])).toEqual([90n, 104n, 120n, 201n]);
  expect(await read(149n, [90n, 104n])).toEqual([90n, 104n, 120n, 201n]);
  expect(await read(200n, [90n, 120n, 180n])).toEqual([90n, 120n, 180n, 201n]);
  timeline.close();
});

test('a message that an answer said is committed stays until its event comes', async () => {
  const { timeline, read, event } = await openAlone();
  timeline.take(messageOf(106n));
  expect(await read(105n, [90n])).toEqual([90n, 106n]);
  timeline.apply(event(106n, { case: 'message', value: messageOf(106n) }));
  expect(await read(106n, [90n, 106n])).toEqual([90n, 106n]);
  timeline.close();
});

test('an answer is older than the counts if it lacks an event, not if one came after a gap', async () => {
  const { feed, reading, answer, event, resync } = makeWorld();
  const unread = new Unread(reading, 1n, feed);
  const read = async (position: bigint, unreadCount: number) => {
    answer.value = create(GetUnreadCountsResponseSchema, { counts: [{ conversationId: 7n, unreadCount }], asOf: { position } });
    const { isWhole } = await unread.load();
    return [unread.total.value, isWhole];
  };
  const hear = (id: bigint): void => { unread.apply(event(id, { case: 'message', value: messageOf(id) })); };
  expect(await read(100n, 1)).toEqual([1, true]);
  hear(103n);
  // Only a node can say how many that leaves.
  expect(unread.apply(event(104n, { case: 'read', value: { messageIds: [90n] } }))).toBe(true);
  expect(await read(103n, 2)).toEqual([2, false]);
  expect(await read(104n, 1)).toEqual([1, true]);
  for (const id of [105n, 106n]) hear(id);
  resync(200n);
  hear(201n);
  expect(await read(105n, 2)).toEqual([4, false]);
  expect(await read(150n, 4)).toEqual([5, false]);
  expect(await read(200n, 5)).toEqual([6, true]);
});

test('an answer is older than the list if it lacks an event, not if one came after a gap', async () => {
  const { feed, reading, answer, event, resync } = makeWorld();
  const none = { unread: () => new Map<bigint, number>(), entries: () => [], onBehind: () => undefined };
  const list = new Conversations({ reading, feed, store: await openStore(undefined), account: 1n, ...none });
  const read = async (position: bigint, last: bigint) => {
    answer.value = create(ListConversationsResponseSchema, { conversations: [{ id: 7n, peer: 'bob', lastMessage: messageOf(last) }], asOf: { position } });
    const { isWhole } = await list.load();
    return [list.rows.value[0]!.lastLine, isWhole];
  };
  expect(await read(100n, 90n)).toEqual(['90', true]);
  for (const id of [103n, 104n]) list.apply(event(id, { case: 'message', value: messageOf(id) }));
  resync(200n);
  expect(await read(103n, 103n)).toEqual(['104', false]);
  const other = create(MessageSchema, { ...messageOf(201n), conversationId: 5n });
  list.apply(event(201n, { case: 'message', value: other }));
  const bobs = async (...args: Parameters<typeof read>) => {
    const [, isWhole] = await read(...args);
    return [list.rows.value.find(({ id }) => id === 7n)!.lastLine, list.rows.value.length, isWhole];
  };
  expect(await bobs(150n, 140n)).toEqual(['140', 2, false]);
  expect(await bobs(149n, 130n)).toEqual(['140', 2, false]);
  expect(await bobs(200n, 180n)).toEqual(['180', 2, true]);
  list.close();
});
