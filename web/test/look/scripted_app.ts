// An App that does what a test tells it: for looking at the views without a cluster. It is not part of the page.
import { signal, type Signal } from '@preact/signals';
import type { App, ClusterNode, ClusterView, Connection, ConversationRow, Mark, Outcome, Person, Session, ShownMessage, Theme, Timeline } from '../../src/model/contract';
import { kMaxShownMessages } from '../../src/model/contract';

const ok: Outcome = { ok: true, value: undefined };
const kMinute_ms = 60_000;

export const people: readonly string[] = ['amara', 'bjorn.larsen', 'chiamaka', 'dmitri', 'eleni_p', 'farid', 'grace-h', 'hiroshi', 'ines', 'jonas.w', 'kofi', 'lena', 'a-name-of-thirty-two-characters-1'];

export class ScriptedTimeline implements Timeline {
  readonly key: Signal<string>;
  readonly conversationId: Signal<bigint | undefined>;
  readonly peer: Signal<string>;
  readonly peerGone: Signal<boolean>;
  readonly messages = signal<readonly ShownMessage[]>([]);
  readonly hasOlder = signal(false);
  readonly hasNewer = signal(false);
  readonly newBelow = signal(0);
  readonly loading = signal<'older' | 'newer' | 'first' | null>(null);
  readonly error = signal<string | null>(null);
  readonly newLineBefore = signal<string | null>(null);
  readonly draft = signal('');
  readonly seenIds: bigint[] = [];
  all: ShownMessage[] = [];
  private typed_ = 0;

  constructor(name: string, id: bigint | undefined, gone: boolean) {
    this.key = signal(name);
    this.conversationId = signal(id);
    this.peer = signal(name);
    this.peerGone = signal(gone);
  }

  fill(all: ShownMessage[], shown: number): void {
    this.all = all;
    this.messages.value = all.slice(-shown);
    this.hasOlder.value = all.length > shown;
  }
  add(message: ShownMessage): void {
    this.all.push(message);
    if (this.hasNewer.value) this.newBelow.value += 1;
    else this.messages.value = [...this.messages.value, message].slice(-kMaxShownMessages);
  }
  change(key: string, change: Partial<ShownMessage>): void {
    const apply = (message: ShownMessage): ShownMessage => (message.key === key ? { ...message, ...change } : message);
    this.all = this.all.map(apply);
    this.messages.value = this.messages.value.map(apply);
  }
  async loadOlder(): Promise<void> {
    if (this.loading.value !== null || !this.hasOlder.value) return;
    this.loading.value = 'older';
    await new Promise((done) => setTimeout(done, 30));
    const first = this.all.findIndex((message) => message.key === this.messages.value[0]?.key);
    const from = Math.max(0, first - 50);
    const window = this.all.slice(from, first).concat(this.messages.value);
    this.messages.value = window.slice(0, kMaxShownMessages);
    this.hasOlder.value = from > 0;
    this.hasNewer.value = window.length > kMaxShownMessages || this.hasNewer.value;
    this.loading.value = null;
  }
  async loadNewer(): Promise<void> {
    if (this.loading.value !== null || !this.hasNewer.value) return;
    this.loading.value = 'newer';
    await new Promise((done) => setTimeout(done, 30));
    const last = this.all.findIndex((message) => message.key === this.messages.value.at(-1)?.key);
    const window = this.messages.value.concat(this.all.slice(last + 1, last + 51));
    this.messages.value = window.slice(-kMaxShownMessages);
    this.hasNewer.value = last + 51 < this.all.length;
    this.hasOlder.value = window.length > kMaxShownMessages || this.hasOlder.value;
    this.loading.value = null;
  }
  jumpToNewest(): Promise<void> {
    this.messages.value = this.all.slice(-50);
    this.hasNewer.value = false;
    this.hasOlder.value = this.all.length > 50;
    this.newBelow.value = 0;
    return Promise.resolve();
  }
  send(body: string): void {
    this.typed_ += 1;
    this.draft.value = '';
    const key = `typed-${this.typed_}`;
    this.add({ key, mine: true, senderId: 1n, body, mark: 'sending', unread: false });
    setTimeout(() => { this.change(key, { mark: 'committed', id: 900_000n + BigInt(this.typed_), at: new Date() }); }, 40);
  }
  retry(key: string): void { this.change(key, { mark: 'sending' }); }
  discard(key: string): void { this.messages.value = this.messages.value.filter((message) => message.key !== key); }
  remove(keys: readonly string[]): Promise<Outcome> {
    this.messages.value = this.messages.value.filter((message) => !keys.includes(message.key));
    return Promise.resolve(ok);
  }
  seen(ids: readonly bigint[]): void { this.seenIds.push(...ids); }
  close(): void { /* nothing is held */ }
}

export function clusterView(change: Partial<ClusterView> = {}, down: readonly number[] = [], leader = 2): ClusterView {
  const commit = 184_213n;
  const nodes: ClusterNode[] = [1, 2, 3, 4, 5].map((id) => ({
    id, role: down.includes(id) ? 'unknown' : id === leader ? 'leader' : 'follower', voter: true, peerAddr: `10.0.0.${id}:7701`, clientAddr: `10.0.0.${id}:7700`, httpAddr: `10.0.0.${id}:8080`,
    matchIndex: down.includes(id) ? commit - 412n : commit - BigInt(id % 2), lag: down.includes(id) ? 412 : id % 2, healthy: !down.includes(id), asked: id === 1,
    ...(down.includes(id) ? { lastContactMs: 7_400 } : { lastContactMs: 12 * id }),
  }));
  const writes = Array.from({ length: 60 }, (_, second) => Math.round(180 + 50 * Math.sin(second / 5) + 23 * Math.sin(second * 2.3)));
  return {
    clusterId: '5f0c2b7e91d34a6c', nodes, leaderId: leader, term: 7n, commitIndex: commit, appliedIndex: commit, writable: true, writesPerSecond: writes,
    leaderChanges: [{ term: 7n, leaderId: 2, at: new Date(Date.now() - 3 * 3_600_000), gapMs: 312 }, { term: 6n, leaderId: 1, at: new Date(Date.now() - 26 * 3_600_000), gapMs: 41 }],
    askedNode: 'http://10.0.0.1:8080', askedId: 1, version: '0.2.0', reachable: true, ...change,
  };
}

export class ScriptedApp implements App {
  readonly session = signal<Session>({ kind: 'signed_in', name: 'ada', id: 1n });
  readonly connection = signal<Connection>({ kind: 'live', node: 'http://10.0.0.1:8080' });
  readonly conversations = signal<readonly ConversationRow[]>([]);
  readonly conversationsLoaded = signal(true);
  readonly hasMoreConversations = signal(false);
  readonly totalUnread = signal(0);
  readonly queuedCount = signal(0);
  readonly settings = { markRead: signal(true), theme: signal<Theme>('system') };
  readonly clusterSignal = signal<ClusterView | null>(clusterView());
  readonly timelines = new Map<string, ScriptedTimeline>();

  loadMoreConversations(): Promise<void> { return Promise.resolve(); }
  register(name: string): Promise<Outcome> {
    return Promise.resolve(name === 'taken' ? { ok: false, unknown: false, reason: 'ALREADY_EXISTS', message: 'This name is taken.', field: 'name' } : ok);
  }
  logIn(): Promise<Outcome> { return Promise.resolve({ ok: false, unknown: false, reason: 'UNAUTHENTICATED', message: 'Wrong name or password.' }); }
  logOut(): Promise<Outcome> {
    this.session.value = { kind: 'signed_out' };
    return Promise.resolve(ok);
  }
  changePassword(): Promise<Outcome> { return Promise.resolve({ ok: false, unknown: false, reason: 'UNAUTHENTICATED', message: 'Wrong password.', field: 'password' }); }
  deleteAccount(): Promise<Outcome> { return Promise.resolve({ ok: false, unknown: false, reason: 'UNAUTHENTICATED', message: 'Wrong password.', field: 'password' }); }
  searchPeople(pattern: string): Promise<Outcome<readonly Person[]>> {
    return Promise.resolve({ ok: true, value: people.filter((name) => name.includes(pattern)).map((name) => ({ name, id: BigInt(people.indexOf(name) + 2) })) });
  }
  open(peer: { readonly name: string; readonly id?: bigint; readonly conversationId?: bigint }): ScriptedTimeline {
    const made = this.timelines.get(peer.name) ?? new ScriptedTimeline(peer.name, peer.conversationId, this.conversations.value.some((row) => row.peer === peer.name && row.peerGone));
    this.timelines.set(peer.name, made);
    return made;
  }
  cluster(): { readonly view: Signal<ClusterView | null>; stop(): void } {
    return { view: this.clusterSignal, stop: () => { /* nothing runs */ } };
  }
}

export function talk(lines: readonly (readonly [who: 'me' | 'them', minutesAgo: number, body: string, mark?: Mark])[], now: Date): ShownMessage[] {
  return lines.map(([who, minutesAgo, body, mark], index) => {
    const mine = who === 'me';
    const waiting = mark === 'queued' || mark === 'sending' || mark === 'failed' || mark === 'asking_again';
    return {
      key: `talk-${index}`, mine, senderId: mine ? 1n : 2n, body, unread: false,
      ...(waiting ? {} : { id: 184_000n + BigInt(index), at: new Date(now.getTime() - minutesAgo * kMinute_ms) }),
      ...(mine && { mark: mark ?? 'read' }),
    };
  });
}

export function longTalk(count: number, now: Date): ShownMessage[] {
  const words = 'the log is the order and the order is what everybody agrees on even when a machine is gone for a while or for good'.split(' ');
  return Array.from({ length: count }, (_, index) => {
    const mine = index % 3 === 0;
    const body = `${index + 1}. ${Array.from({ length: 3 + ((index * 7) % 40) }, (_unused, at) => words[(index + at) % words.length]).join(' ')}`;
    return { key: `long-${index}`, id: BigInt(index + 1), mine, senderId: mine ? 1n : 2n, body, unread: false, at: new Date(now.getTime() - (count - index) * 3 * kMinute_ms), ...(mine && { mark: 'read' as const }) };
  });
}
