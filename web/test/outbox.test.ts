// The outbox: order, once each, honest marks; through lost answers, refusals, reloads and wrong clocks.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectError } from '@connectrpc/connect';
import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { Caller } from '../src/api/caller';
import { Nodes } from '../src/api/nodes';
import { RequestIds } from '../src/api/request_ids';
import type { Mark } from '../src/model/contract';
import { Outbox } from '../src/model/outbox';
import { openStore, type OutboxEntry, type Store } from '../src/model/store';
import { Tabs } from '../src/model/tabs';
import { bodies, FakeBrowser, marks, until, type Tab } from './browser';
import { FakeCluster, refusal } from './fake_cluster';

let cluster: FakeCluster;
let browser: FakeBrowser;
let tabs: Tab[];
let stops: (() => void)[];

const openTab = (): Tab => {
  const tab = browser.openTab();
  tabs.push(tab);
  return tab;
};

beforeEach(() => {
  cluster = new FakeCluster();
  cluster.addPerson('alice');
  cluster.addPerson('bob');
  browser = FakeBrowser.of(cluster);
  tabs = [];
  stops = [];
});
afterEach(() => {
  for (const stop of stops) stop();
  for (const tab of tabs) tab.close();
});

test('a message goes from typed to committed to read under one key', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  const keys = new Set<string>();
  const seen: (Mark | undefined)[] = [];
  timeline.messages.subscribe((messages) => {
    for (const message of messages) {
      keys.add(message.key);
      if (seen.at(-1) !== message.mark) seen.push(message.mark);
      expect(message.mark === 'committed' || message.mark === 'read').toBe(message.id !== undefined);
    }
  });
  timeline.send('hello');
  await until(() => marks(timeline)[0] === 'committed');
  cluster.markReadBy('bob', cluster.messages.map((message) => message.id));
  await until(() => marks(timeline)[0] === 'read');
  expect(keys.size).toBe(1);
  expect(seen).toEqual(['queued', 'sending', 'committed', 'read']);
  await until(() => tab.app.queuedCount.value === 0);
});

test('messages go out in order, one at a time, each once', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  const texts = Array.from({ length: 20 }, (_, at) => `message ${at}`);
  for (const text of texts) timeline.send(text);
  await until(() => cluster.messages.length === 20 && tab.app.queuedCount.value === 0);
  expect(cluster.messages.map((message) => message.body)).toEqual(texts);
  expect(new Set(cluster.sends).size).toBe(20);
  await until(() => marks(timeline).every((mark) => mark === 'committed'));
  expect(bodies(timeline)).toEqual(texts);
});

test('a lost answer is asked for again under the same request_id', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  for (const node of cluster.nodes) node.loseAnswers = 1;
  timeline.send('one');
  timeline.send('two');
  await until(() => cluster.messages.length === 2 && tab.app.queuedCount.value === 0);
  expect(cluster.messages.map((message) => message.body)).toEqual(['one', 'two']);
  expect(bodies(timeline)).toEqual(['one', 'two']);
});

test('an unknown outcome is shown as such until it is known', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  let attempts = 0;
  // No answer says anything, so that only asking again can tell.
  cluster.refuseSend = () => (++attempts < 8 ? refusal(Code.Unavailable, 'GIVEN_UP', { outcome: 2 }) : undefined);
  timeline.send('hello');
  await until(() => marks(timeline)[0] === 'asking_again');
  await until(() => marks(timeline)[0] === 'committed');
  expect(new Set(cluster.sends).size).toBe(1);
});

test('refused without a position after an unknown attempt stays unknown and is asked again', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  const answers = [refusal(Code.Unavailable, 'GIVEN_UP', { outcome: 2 }), refusal(Code.InvalidArgument, 'INVALID_BODY'), refusal(Code.NotFound, 'RECIPIENT_NOT_FOUND')];
  const shown = new Set<Mark | undefined>();
  timeline.messages.subscribe((messages) => { for (const message of messages) shown.add(message.mark); });
  cluster.refuseSend = () => answers.shift();
  timeline.send('hello');
  await until(() => marks(timeline)[0] === 'committed');
  expect(shown.has('failed')).toBe(false);
  expect(new Set(cluster.sends).size).toBe(1);
  expect(cluster.sends.length).toBe(4);
});

test('a refusal fails the message, says why, and lets the next one go', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  let isFirst = true;
  cluster.refuseSend = () => {
    if (!isFirst) return undefined;
    isFirst = false;
    return refusal(Code.InvalidArgument, 'INVALID_BODY');
  };
  timeline.send('bad');
  timeline.send('good');
  await until(() => marks(timeline).includes('committed') && marks(timeline).includes('failed'));
  const failed = timeline.messages.value.find((message) => message.mark === 'failed')!;
  expect(failed).toMatchObject({ body: 'bad', failure: 'INVALID_BODY', canRetry: true });
  timeline.retry(failed.key);
  await until(() => marks(timeline).join() === 'committed,committed');
  expect(new Set(cluster.sends).size).toBe(2); // the retry had the same request_id
});

test('a recipient who is another account now is not written to', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  cluster.people.find((person) => person.name === 'bob')!.gone = true;
  cluster.addPerson('bob');
  timeline.send('for the first bob only');
  await until(() => marks(timeline)[0] === 'failed');
  expect(timeline.messages.value[0]!.canRetry).toBe(false);
  expect(cluster.messages).toEqual([]);
  timeline.discard(timeline.messages.value[0]!.key);
  await until(() => timeline.messages.value.length === 0);
});

test('a forgotten request_id is told as unknown and never sent under a new one', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  // Without a position: the node may have sent it twice, and the first may have been executed.
  cluster.refuseSend = () => refusal(Code.FailedPrecondition, 'REQUEST_ID_FORGOTTEN', { outcome: 2, serverTime: { seconds: BigInt(Math.floor(Date.now() / 1000)) } });
  timeline.send('hello');
  await until(() => marks(timeline)[0] === 'failed');
  const [message] = timeline.messages.value;
  expect(message!.failure).toMatch(/not known whether/);
  expect(message!.canRetry).toBe(false);
  expect(cluster.sends.length).toBe(1);
});

test('a clock that is ahead learns the time from the server', async () => {
  cluster.clockAhead_ms = -3_600_000; // the page is an hour ahead
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  timeline.send('one');
  timeline.send('two');
  await until(() => cluster.messages.length === 2);
  expect(cluster.sends.length).toBe(3); // the first was refused, and told the time
  expect(new Set(cluster.sends).size).toBe(3);
});

test('five queued messages, a reload and one lost reply: each arrives once, in order', async () => {
  const first = openTab();
  await first.signIn('alice');
  const timeline = await first.open('bob');
  cluster.node(0).loseAnswers = 1;
  const texts = ['one', 'two', 'three', 'four', 'five'];
  cluster.refuseSend = () => {
    // The moment the first is tried, the tab goes.
    if (cluster.sends.length === 1) queueMicrotask(() => { first.close(); });
    return undefined;
  };
  for (const text of texts) timeline.send(text);
  await until(() => cluster.sends.length === 1);
  const second = openTab();
  await second.isLive();
  await until(() => cluster.messages.length === 5 && second.app.queuedCount.value === 0);
  expect(cluster.messages.map((message) => message.body)).toEqual(texts);
  const again = await second.open('bob');
  await until(() => marks(again).join() === 'committed,committed,committed,committed,committed');
  expect(bodies(again)).toEqual(texts);
});

test('offline: messages wait, survive a reload, and go out by themselves', async () => {
  const first = openTab();
  await first.signIn('alice');
  const timeline = await first.open('bob');
  timeline.send('before');
  await until(() => cluster.messages.length === 1);
  browser.setOnline(false);
  for (const node of cluster.nodes) node.state = 'down';
  expect(first.app.connection.value.kind).toBe('offline');
  timeline.send('one');
  timeline.send('two');
  await until(() => marks(timeline).join() === 'committed,queued,queued');
  first.close();

  const second = openTab();
  await until(() => second.app.queuedCount.value === 2);
  await until(() => second.row('bob')?.queued === 2); // known from before, without any node
  const again = second.app.open({ name: 'bob' });
  await until(() => bodies(again).join() === 'before,one,two');
  for (const node of cluster.nodes) node.state = 'up';
  browser.setOnline(true);
  await until(() => cluster.messages.length === 3 && second.app.queuedCount.value === 0);
  await second.isLive();
  expect(cluster.messages.map((message) => message.body)).toEqual(['before', 'one', 'two']);
});

test('what waits belongs to its account', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  for (const node of cluster.nodes) node.writable = false;
  timeline.send('from alice');
  await until(() => tab.app.queuedCount.value === 1);
  await tab.app.logOut();
  for (const node of cluster.nodes) node.writable = true;
  await tab.signIn('bob');
  expect(tab.app.queuedCount.value).toBe(0);
  await tab.app.logOut();
  await tab.signIn('alice');
  await until(() => cluster.messages.length === 1);
  expect(cluster.messages[0]!.sender).toBe('alice');
});

// By body: the request_ids under which it reached a node.
const idsOfSends = (): Map<string, Set<string>> => {
  const ids = new Map<string, Set<string>>();
  cluster.refuseSend = ({ body, requestId }) => {
    ids.set(body, (ids.get(body) ?? new Set()).add(requestId));
    return undefined;
  };
  return ids;
};

test('without locks every tab sends: each message arrives once, under one request_id', async () => {
  browser.hasLocks = false;
  const ids = idsOfSends();
  const first = openTab();
  await first.signIn('alice');
  const second = openTab();
  await second.isLive();
  const timelines = [await first.open('bob'), await second.open('bob')];
  const texts = Array.from({ length: 50 }, (_, at) => `message ${at}`);
  for (const [at, text] of texts.entries()) {
    if (at % 10 === 5) cluster.node(at % 3).loseAnswers = 1;
    timelines[at % 2]!.send(text);
    await until(() => timelines.every((timeline) => bodies(timeline).includes(text)));
  }
  await until(() => tabs.every((tab) => tab.app.queuedCount.value === 0));
  expect(cluster.messages.map((message) => message.body).sort()).toEqual([...texts].sort());
  expect([...ids.values()].map((each) => each.size)).toEqual(texts.map(() => 1));
  for (const timeline of timelines) await until(() => marks(timeline).length === 50 && marks(timeline).every((mark) => mark === 'committed'));
});

test('without locks a wrong clock gives a message one new request_id, not one in each tab', async () => {
  browser.hasLocks = false;
  cluster.clockAhead_ms = -3_600_000; // the page is an hour ahead
  for (const turn of [1, 2, 3, 4, 5]) {
    const ids = idsOfSends();
    const [first, second] = [openTab(), openTab()]; // new ones: they have not learned the time
    if (turn === 1) await first.signIn('alice');
    await first.isLive();
    await second.isLive();
    const timeline = await first.open('bob');
    timeline.send(`message ${turn}`);
    await until(() => cluster.messages.length >= turn);
    await until(() => [first, second].every((tab) => tab.app.queuedCount.value === 0));
    first.close();
    second.close();
    expect(cluster.messages.map((message) => message.body)).toEqual(Array.from({ length: turn }, (_, at) => `message ${at + 1}`));
    expect(ids.get(`message ${turn}`)!.size).toBe(2); // the refused one, and the one in its place
  }
});

// Refuses an id that will be good a moment later.
const ahead = (requestId: string): ConnectError =>
  refusal(Code.FailedPrecondition, 'REQUEST_ID_AHEAD', { serverTime: timestampFromMs(parseInt(requestId.replace('-', '').slice(0, 12), 16) - 60_200) });

test('without locks an id that is refused and soon good is waited for while another tab may have it under way', async () => {
  browser.hasLocks = false;
  cluster.clockAhead_ms = -60_600;
  const ids = idsOfSends();
  const [first, second] = [openTab(), openTab()];
  await first.signIn('alice');
  await second.isLive();
  const timeline = await first.open('bob');
  let calls = 0;
  const isTaken = (): boolean => {
    const [id] = [...(ids.get('hello') ?? [])];
    return id !== undefined && new RequestIds(() => Date.now() + cluster.clockAhead_ms).untilTaken_ms(id) <= 0;
  };
  cluster.onCall = (_, name) => {
    if (name !== 'sendMessage' || ++calls > 2) return undefined;
    // The one is refused when the other is under way, which arrives when the id has become good.
    return calls === 1 ? until(() => calls > 1) : until(isTaken);
  };
  timeline.send('hello');
  await until(() => calls > 1 && [first, second].every((tab) => tab.app.queuedCount.value === 0));
  await until(() => cluster.sends.length === calls);
  expect(cluster.messages.map((message) => message.body)).toEqual(['hello']);
  expect(ids.get('hello')!.size).toBe(1);
});

test('an id that is refused after a lost attempt, and soon good, settles what became of it', async () => {
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  const answers = [() => refusal(Code.Unavailable, 'GIVEN_UP', { outcome: 2 }), ahead];
  const shown = new Set<Mark | undefined>();
  timeline.messages.subscribe((messages) => { for (const message of messages) shown.add(message.mark); });
  cluster.refuseSend = ({ requestId }) => answers.shift()?.(requestId);
  timeline.send('hello');
  await until(() => marks(timeline)[0] === 'committed');
  expect(shown.has('failed')).toBe(false);
  expect(cluster.sends.length).toBe(3);
  expect(new Set(cluster.sends).size).toBe(1);
});

test('an id that nobody else has begun with is changed at once, however soon it is good', async () => {
  cluster.clockAhead_ms = -60_000 - 29_000;
  browser.hasLocks = false;
  const tab = openTab();
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  timeline.send('hello');
  await until(() => marks(timeline)[0] === 'committed');
  expect(cluster.sends.length).toBe(2);
  expect(new Set(cluster.sends).size).toBe(2);
});

// One outbox on a store that another tab changes just before its update of this number.
const sendBeside = async (number: number, beside: (entry: OutboxEntry) => OutboxEntry, mayTry = signal(true)): Promise<Outbox> => {
  const inner = await openStore(undefined);
  let updates = 0;
  const store: Store = Object.assign(Object.create(inner) as Store, {
    async update(...[sequence, change]: Parameters<Store['update']>) {
      if (++updates === number) await inner.update(sequence, beside);
      return inner.update(sequence, change);
    },
  });
  const { origin } = cluster.node(0);
  const caller = new Caller(new Nodes(origin), cluster.transport, new RequestIds());
  caller.token = 'token-alice';
  const lone = new Tabs(browser.platform(openTab(), origin), 'lone');
  const outbox = new Outbox({ store, caller, tabs: lone, account: '101', mayTry, onCommitted: () => undefined, onNoLeader: () => undefined });
  stops.push(() => { outbox.close(); }, () => { lone.close(); });
  await outbox.add('bob', undefined, 'hello');
  return outbox;
};

test('what another tab has just begun with is asked for under its request_id, and under no other', async () => {
  cluster.clockAhead_ms = -3_600_000; // which makes a request_id anew, if nobody can have used it
  const requestId = new RequestIds().make();
  const outbox = await sendBeside(1, (entry) => ({ ...entry, requestId, state: 'sending' }));
  await until(() => outbox.entries.value[0]?.state === 'failed');
  expect(outbox.entries.value[0]!.failure).toMatch(/not known whether/);
  expect(cluster.sends).toEqual([requestId]);
});

test('what another tab has just failed or settled is left alone', async () => {
  const failed = await sendBeside(1, (entry) => ({ ...entry, requestId: 'theirs', state: 'failed', failure: 'refused', canRetry: true }));
  await until(() => failed.entries.value[0]?.state === 'failed');
  await failed.add('bob', undefined, 'next');
  await until(() => failed.entries.value.length === 1 && cluster.messages.length === 1);
  expect(failed.entries.value).toMatchObject([{ body: 'hello', state: 'failed', failure: 'refused' }]);
  expect(cluster.messages[0]!.body).toBe('next');
});

test('where another tab has changed the request_id after a wrong clock, that one is used', async () => {
  cluster.clockAhead_ms = -3_600_000;
  const requestId = new RequestIds(() => Date.now() - 3_600_000).make();
  const outbox = await sendBeside(3, (entry) => ({ ...entry, requestId, state: 'asking' }));
  await until(() => cluster.messages.length === 1 && outbox.entries.value.length === 0);
  expect(cluster.sends.length).toBe(2);
  expect(cluster.messages[0]!.requestId).toBe(requestId);
});

test('what another tab joins under a refused id that is soon good keeps it', async () => {
  cluster.refuseSend = ({ requestId }) => (cluster.sends.length === 1 ? ahead(requestId) : undefined);
  // The other one begins between the refusal and the change.
  await sendBeside(3, (entry) => ({ ...entry, state: 'asking' }));
  await until(() => cluster.messages.length === 1);
  expect(cluster.sends.length).toBe(2);
  expect(new Set(cluster.sends).size).toBe(1);
});

test('what another tab has changed before it is tried is tried as it is stored then', async () => {
  const requestId = new RequestIds().make();
  const outbox = await sendBeside(2, (entry) => ({ ...entry, requestId }));
  await until(() => cluster.messages.length === 1 && outbox.entries.value.length === 0);
  expect(cluster.sends).toEqual([requestId]);
});

test('a refused attempt puts back nothing that another tab has begun with under another id', async () => {
  const requestId = new RequestIds().make();
  let isRefused = true;
  const mayTry = signal(true);
  cluster.refuseSend = () => {
    if (!isRefused) return undefined;
    isRefused = false;
    mayTry.value = false;
    return refusal(Code.Unavailable, 'NO_LEADER');
  };
  // Claimed twice, refused, claimed once more, and given up.
  const outbox = await sendBeside(4, (entry) => ({ ...entry, requestId }), mayTry);
  await until(() => outbox.entries.value[0]?.requestId === requestId);
  expect(outbox.entries.value[0]!.state).toBe('sending');
  mayTry.value = true;
  await until(() => cluster.messages.length === 1 && outbox.entries.value.length === 0);
  expect(cluster.messages[0]!.requestId).toBe(requestId);
});
