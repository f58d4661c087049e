// One conversation: its window on many messages, what is unread, deleting, accounts that go.
import { afterEach, beforeEach, expect, test } from 'vitest';

import { bodies, FakeBrowser, marks, until, type Tab } from './browser';
import { FakeCluster } from './fake_cluster';

let cluster: FakeCluster;
let browser: FakeBrowser;
let tab: Tab;

beforeEach(() => {
  cluster = new FakeCluster();
  for (const name of ['alice', 'bob', 'constructor', '__proto__']) cluster.addPerson(name);
  browser = FakeBrowser.of(cluster);
  tab = browser.openTab();
});
afterEach(() => { tab.close(); });

test('10,000 messages: a window of at most 300 goes from one end to the other and misses none', async () => {
  for (let number = 0; number < 10_000; ++number) cluster.sendFrom(number % 2 === 0 ? 'alice' : 'bob', number % 2 === 0 ? 'bob' : 'alice', number.toString());
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  const seen = new Set(bodies(timeline));
  let most = 0;
  while (timeline.hasOlder.value) {
    await timeline.loadOlder();
    for (const body of bodies(timeline)) seen.add(body);
    most = Math.max(most, timeline.messages.value.length);
  }
  expect(most).toBe(300);
  expect(seen.size).toBe(10_000);
  expect(bodies(timeline)[0]).toBe('0');
  expect(timeline.hasNewer.value).toBe(true);

  // What arrives below does not move the window.
  const before = bodies(timeline);
  cluster.sendFrom('bob', 'alice', 'new');
  await until(() => timeline.newBelow.value === 1);
  expect(bodies(timeline)).toEqual(before);
  await timeline.loadNewer();
  expect(bodies(timeline)[0]).toBe('100');
  expect(timeline.messages.value.length).toBe(300);
  await timeline.jumpToNewest();
  expect(bodies(timeline).at(-1)).toBe('new');
  expect([timeline.newBelow.value, timeline.hasNewer.value, timeline.messages.value.length]).toEqual([0, false, 300]);
  cluster.sendFrom('bob', 'alice', 'newer');
  await until(() => bodies(timeline).at(-1) === 'newer');
  expect(timeline.messages.value.length).toBe(300);
});

test('the line before new messages stays where it was when the conversation was opened', async () => {
  cluster.sendFrom('bob', 'alice', 'old');
  cluster.markReadBy('alice', cluster.messages.map((message) => message.id));
  const first = cluster.sendFrom('bob', 'alice', 'new');
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  await until(() => timeline.newLineBefore.value !== null);
  expect(timeline.newLineBefore.value).toBe(timeline.messages.value[1]!.key);
  timeline.seen([first.id]);
  await until(() => !timeline.messages.value[1]!.unread);
  expect(timeline.newLineBefore.value).toBe(timeline.messages.value[1]!.key);
});

test('deleting takes messages out of one view, and the row shows what is last now', async () => {
  cluster.sendFrom('bob', 'alice', 'one');
  cluster.sendFrom('bob', 'alice', 'two');
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  expect(await timeline.remove([timeline.messages.value[1]!.key])).toMatchObject({ ok: true });
  expect(bodies(timeline)).toEqual(['one']);
  await until(() => tab.row('bob')?.lastLine === 'one' && tab.app.totalUnread.value === 1);
});

test('a first message makes the conversation, and its row', async () => {
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  expect(timeline.key.value).toBe('pbob');
  timeline.send('hello');
  await until(() => marks(timeline)[0] === 'committed');
  expect(timeline.key.value).toBe(`c${timeline.conversationId.value!.toString()}`);
  await until(() => tab.row('bob')?.key === timeline.key.value);
  expect(tab.app.conversations.value.length).toBe(1);
});

test('an account that goes: its conversation says so, and what it had received is gone', async () => {
  cluster.sendFrom('bob', 'alice', 'from bob');
  cluster.sendFrom('alice', 'bob', 'to bob');
  await tab.signIn('alice');
  const timeline = await tab.open('bob');
  cluster.deleteAccount('bob');
  await until(() => timeline.peerGone.value && bodies(timeline).join() === 'from bob');
  await until(() => tab.row('bob')?.peerGone === true && tab.row('bob')?.lastLine === 'from bob');
  cluster.addPerson('bob');
  const other = await tab.open('bob');
  expect(other.key.value).toBe('pbob');
  expect([other.peerGone.value, bodies(other)]).toEqual([false, []]);
});

test('nobody of that name', async () => {
  await tab.signIn('alice');
  const timeline = await tab.open('nobody');
  expect(timeline.peerGone.value).toBe(true);
});

test('drafts outlive a reload, also those to people with odd names', async () => {
  await tab.signIn('alice');
  for (const name of ['bob', 'constructor', '__proto__']) {
    const timeline = await tab.open(name);
    expect(timeline.draft.value).toBe('');
    timeline.draft.value = `to ${name}`;
  }
  tab.close();
  tab = browser.openTab();
  await tab.isLive();
  for (const name of ['bob', 'constructor', '__proto__']) expect((await tab.open(name)).draft.value).toBe(`to ${name}`);
  const timeline = await tab.open('bob');
  timeline.send(timeline.draft.value);
  expect(timeline.draft.value).toBe('');
});

test('people are found by a part of their name or by a glob', async () => {
  await tab.signIn('alice');
  expect(await tab.app.searchPeople('LI')).toMatchObject({ ok: true, value: [{ name: 'alice' }] });
  expect(await tab.app.searchPeople('b*')).toMatchObject({ ok: true, value: [{ name: 'bob' }] });
});

test('wrong passwords and taken names are told, and nobody is logged in', async () => {
  await until(() => tab.app.session.value.kind === 'signed_out');
  expect(await tab.app.logIn('alice', 'wrong')).toMatchObject({ ok: false, unknown: false, reason: 'WRONG_NAME_OR_PASSWORD' });
  expect(await tab.app.register('alice', 'password')).toMatchObject({ ok: false, unknown: false, reason: 'NAME_TAKEN', field: 'name' });
  expect(tab.app.session.value.kind).toBe('signed_out');
  expect(await tab.app.register('dave', 'password')).toMatchObject({ ok: true });
  expect(tab.app.session.value).toMatchObject({ kind: 'signed_in', name: 'dave' });
});
