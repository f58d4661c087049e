// One open conversation. All that was loaded of it is kept, from the oldest loaded message to the newest there is; shown
// is a window of at most 300 on that, and behind it what is in the outbox.
import { batch, computed, effect, signal, type Signal } from '@preact/signals';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';

import { AccountService, ListMessagesResponseSchema, MessageSchema, MessageService, type Message, type WatchResponse } from '../gen/parley/v1/api_pb';
import type { Caller } from '../api/caller';
import { pause } from '../api/caller';
import { CallError } from '../api/errors';
import { kMaxShownMessages, type Mark, type Outcome, type ShownMessage, type Timeline } from './contract';
import { peerOf, type Conversations } from './conversations';
import type { Feed } from './feed';
import type { Outbox } from './outbox';
import type { ReadMarks } from './read_marks';
import { dateOf, done, earlier, failure, positionAsOf, type Reading } from './reading';
import type { OutboxEntry, Store } from './store';

const kPageSize = 50;
const kMostPageSize = 500;
const kStep = 100; // by which the window moves
const kMostIds = 1_000;
const kMostUnreadLoaded = 250;
const kAgain_ms = 1_500;
const kLongestAgain_ms = 6_000;
const kKeep_ms = 300;

export interface TimelineWorld {
  readonly account: bigint;
  readonly caller: Caller;
  readonly reading: Reading;
  readonly store: Store;
  readonly outbox: Outbox;
  readonly conversations: Conversations;
  readonly readMarks: ReadMarks;
  readonly unread: () => ReadonlyMap<bigint, number>;
  readonly feed: Pick<Feed, 'since' | 'hasAllSince'>;
  readonly draft: Signal<string>;
  readonly onClose: (timeline: ConversationTimeline) => void;
}

export interface Peer {
  readonly name: string;
  readonly id?: bigint;
  readonly conversationId?: bigint;
}

export class ConversationTimeline implements Timeline {
  readonly peer;
  readonly peerGone = signal(false);
  readonly conversationId = signal<bigint | undefined>(undefined);
  readonly key = computed(() => (this.conversationId.value === undefined ? `p${this.peer.value}` : `c${this.conversationId.value.toString()}`));
  readonly loading = signal<'older' | 'newer' | 'first' | null>('first');
  readonly error = signal<string | null>(null);
  readonly newLineBefore = signal<string | null>(null);
  readonly newBelow = signal(0);
  readonly draft: Signal<string>;
  private readonly peerId = signal<bigint | undefined>(undefined);
  private readonly loaded = signal<readonly Message[]>([]); // by id
  private readonly first = signal(0); // the window is loaded[first, last)
  private readonly last = signal(0);
  private readonly hasOlderPages = signal(false);
  private olderToken = '';
  private loads = 0;
  private asOf: bigint | undefined; // of what is shown: an answer, and the events after it
  private isBehind = false; // it lacks something that no event will bring
  private isCatchingUp = false;
  private readonly over = new AbortController();
  private readonly stopWatching: () => void;
  private readonly stopKeeping: () => void;
  private keepTimer: ReturnType<typeof setTimeout> | undefined;
  readonly hasOlder = computed(() => this.first.value > 0 || this.hasOlderPages.value);
  readonly hasNewer = computed(() => this.last.value < this.loaded.value.length);
  readonly messages = computed(() => this.show());

  constructor(
    private readonly world: TimelineWorld,
    peer: Peer,
  ) {
    this.peer = signal(peer.name);
    this.draft = world.draft;
    this.adopt(peer);
    // The row of the list knows a name that changed hands, and the id that a first message gave it.
    this.stopWatching = effect(() => {
      const id = this.conversationId.value;
      const rows = world.conversations.rows.value;
      const row = id === undefined ? undefined : rows.find((each) => each.id === id);
      this.adopt(row ? { name: row.peer, ...(row.peerId === undefined ? {} : { id: row.peerId }) } : { name: this.peer.peek() });
      if (row?.peerGone) this.peerGone.value = true;
    });
    this.stopKeeping = effect(() => {
      const loaded = this.loaded.value;
      if (this.loading.peek() !== 'first' || loaded.length > 0) this.keepSoon();
    });
    void this.begin();
  }

  close(): void {
    this.over.abort();
    this.stopWatching();
    this.stopKeeping();
    if (this.keepTimer !== undefined) this.keep();
    clearTimeout(this.keepTimer);
    this.world.onClose(this);
  }

  // ---- loading ----

  async loadOlder(): Promise<void> {
    if (this.first.peek() < kStep && this.hasOlderPages.peek() && this.loading.peek() === null) await this.loadPage();
    const first = Math.max(0, this.first.peek() - kStep);
    if (first === this.first.peek()) return;
    batch(() => {
      this.first.value = first;
      this.last.value = Math.min(this.last.peek(), first + kMaxShownMessages);
    });
  }

  loadNewer(): Promise<void> {
    const last = Math.min(this.loaded.peek().length, this.last.peek() + kStep);
    this.showTo(last);
    return Promise.resolve();
  }

  jumpToNewest(): Promise<void> {
    this.showTo(this.loaded.peek().length);
    return Promise.resolve();
  }

  private showTo(last: number): void {
    batch(() => {
      this.last.value = last;
      this.first.value = Math.max(0, Math.min(this.first.peek(), last), last - kMaxShownMessages);
      if (last === this.loaded.peek().length) this.newBelow.value = 0;
    });
  }

  private async begin(): Promise<void> {
    await this.refresh();
    this.noteFirstUnread();
  }

  // Reads everything again that is loaded, until a node answers.
  async refresh(): Promise<void> {
    await this.recall().catch(() => undefined);
    while (!this.over.signal.aborted && !(await this.reload())) {
      await this.recall().catch(() => undefined);
      await pause(kAgain_ms, this.over.signal);
    }
  }

  // What a node that lags had said is shown until one can say more.
  private async catchUp(): Promise<void> {
    if (this.isCatchingUp) return;
    this.isCatchingUp = true;
    for (let turn = 0; this.isBehind && !this.over.signal.aborted; ++turn) {
      await pause(Math.min(kAgain_ms * 2 ** turn, kLongestAgain_ms), this.over.signal);
      if (this.isBehind && this.loading.peek() !== 'older') await this.refresh();
    }
    this.isCatchingUp = false;
  }

  private noteAsOf(position: bigint): void {
    if (this.world.feed.hasAllSince(position)) return;
    this.isBehind = true;
    void this.catchUp();
  }

  // Reads again down to the oldest message that is loaded. False: it failed, and `error` says why.
  private async reload(): Promise<boolean> {
    const load = ++this.loads;
    const wanted = this.loaded.peek()[0]?.id;
    const unread = this.world.unread().get(this.conversationId.peek() ?? 0n) ?? 0;
    let pageSize = wanted === undefined ? Math.max(kPageSize, Math.min(unread + 10, kMostUnreadLoaded)) : Math.min(Math.max(this.loaded.peek().length, kPageSize), kMostPageSize);
    try {
      await this.findPeer();
      let token = '';
      let asOf: bigint | undefined;
      const messages: Message[] = [];
      do {
        const answer = await this.page(token, pageSize);
        if (load !== this.loads || this.over.signal.aborted) return true;
        asOf = earlier(asOf, positionAsOf(answer.asOf));
        if (this.isRollback(asOf)) return this.keepLoaded(asOf);
        messages.push(...answer.messages);
        token = answer.nextPageToken;
        pageSize = kMostPageSize;
      } while (token !== '' && wanted !== undefined && (messages.at(-1)?.id ?? 0n) > wanted);
      this.replace(messages.reverse(), token, asOf ?? 0n);
      return true;
    } catch (error) {
      return this.loadFailed(error, load);
    }
  }

  // It lacks something, and is older than what is there.
  private isRollback(asOf: bigint): boolean {
    return this.asOf !== undefined && asOf <= this.asOf && !this.world.feed.hasAllSince(asOf);
  }

  private keepLoaded(asOf: bigint): true {
    this.error.value = null;
    this.loading.value = null;
    this.noteAsOf(asOf);
    return true;
  }

  private async loadPage(): Promise<void> {
    const load = ++this.loads;
    this.loading.value = 'older';
    try {
      const answer = await this.page(this.olderToken, kStep);
      if (load !== this.loads || this.over.signal.aborted) return;
      const known = new Set(this.loaded.peek().map((message) => message.id));
      const older = answer.messages.filter((message) => !known.has(message.id)).reverse();
      batch(() => {
        this.loaded.value = [...older, ...this.loaded.peek()];
        this.first.value += older.length;
        this.last.value += older.length;
        this.olderToken = answer.nextPageToken;
        this.hasOlderPages.value = this.olderToken !== '';
        this.error.value = null;
      });
      const asOf = positionAsOf(answer.asOf);
      for (const event of this.world.feed.since(asOf)) this.apply(event);
      this.noteAsOf(asOf);
    } catch (error) {
      this.loadFailed(error, load);
    } finally {
      if (load === this.loads) this.loading.value = null;
    }
  }

  private page(pageToken: string, pageSize: number) {
    const conversationId = this.conversationId.peek();
    const whose = conversationId === undefined ? { peer: this.peer.peek() } : { conversationId };
    return this.world.reading.read(MessageService.method.listMessages, (stale) => ({ ...whose, newestFirst: true, pageSize, pageToken, stale }));
  }

  private loadFailed(error: unknown, load: number): boolean {
    if (!(error instanceof CallError)) throw error;
    if (load !== this.loads || this.over.signal.aborted) return true;
    this.error.value = error.message;
    if (error.kind === 'unavailable') return false;
    // Nobody of this name: nothing to show, and nobody to write to.
    if (error.reason === 'ACCOUNT_NOT_FOUND') this.peerGone.value = true;
    this.loading.value = null;
    return true;
  }

  // The account id behind a name that was typed or found: what is written later must not reach another account.
  private async findPeer(): Promise<void> {
    if (this.peerId.peek() !== undefined || this.conversationId.peek() !== undefined) return;
    const name = this.peer.peek();
    const answer = await this.world.reading.read(AccountService.method.getAccount, (stale) => ({ name, stale }));
    if (answer.account) this.adopt({ name: answer.account.name, id: answer.account.id });
  }

  private adopt(peer: Peer): void {
    batch(() => {
      this.peer.value = peer.name;
      const known = { ...peer, ...(this.peerId.peek() === undefined ? {} : { id: this.peerId.peek() as bigint }) };
      const row = this.conversationId.peek() === undefined ? this.world.conversations.find(known) : undefined;
      this.peerId.value = peer.id ?? this.peerId.peek() ?? row?.peerId;
      this.conversationId.value = peer.conversationId ?? this.conversationId.peek() ?? row?.id;
    });
  }

  private replace(answer: readonly Message[], olderToken: string, asOf: bigint): void {
    const messages = [...answer, ...this.newerThan(answer, asOf)];
    this.asOf = asOf;
    batch(() => {
      const topId = this.loaded.peek()[this.first.peek()]?.id;
      const wasAtEnd = !this.hasNewer.peek();
      const lastId = this.loaded.peek()[this.last.peek() - 1]?.id;
      this.loaded.value = messages;
      this.olderToken = olderToken;
      this.hasOlderPages.value = olderToken !== '';
      this.error.value = null;
      this.loading.value = null;
      const [newest] = messages.slice(-1);
      if (newest) this.conversationId.value = newest.conversationId;
      const last = wasAtEnd || lastId === undefined ? messages.length : countUpTo(messages, lastId);
      const first = topId === undefined ? 0 : countUpTo(messages, topId - 1n);
      this.first.value = Math.max(first, last - kMaxShownMessages, 0);
      this.last.value = last;
      for (const event of this.world.feed.since(asOf)) this.apply(event);
    });
    this.isBehind = false;
    this.noteAsOf(asOf);
  }

  // One's own that was committed a moment ago: its event may be still to come.
  private newerThan(answer: readonly Message[], asOf: bigint): readonly Message[] {
    if (this.asOf === undefined || asOf < this.asOf) return [];
    const newest = answer.at(-1)?.id ?? 0n;
    return this.loaded.peek().filter((message) => message.id > asOf && message.id > newest);
  }

  private noteFirstUnread(): void {
    const first = this.loaded.peek().find((message) => this.isUnread(message));
    this.newLineBefore.value = first ? this.keyOf(first) : null;
  }

  // ---- what a start without a node shows ----

  private get keptName(): string | undefined {
    const id = this.conversationId.peek();
    return id === undefined ? undefined : `${this.world.account.toString()}.c${id.toString()}`;
  }

  private async recall(): Promise<void> {
    const bytes = this.keptName === undefined ? undefined : await this.world.store.kept(this.keptName);
    if (!bytes || this.loaded.peek().length > 0 || this.loading.peek() !== 'first') return;
    const { messages } = fromBinary(ListMessagesResponseSchema, bytes);
    batch(() => {
      this.loaded.value = messages;
      this.last.value = messages.length;
    });
  }

  private keepSoon(): void {
    this.keepTimer ??= setTimeout(() => {
      this.keepTimer = undefined;
      this.keep();
    }, kKeep_ms);
  }

  private keep(): void {
    const messages = this.loaded.peek().slice(-kPageSize);
    if (this.keptName === undefined) return;
    const bytes = toBinary(ListMessagesResponseSchema, create(ListMessagesResponseSchema, { messages }));
    this.world.store.keep(this.keptName, bytes).catch(() => undefined);
  }

  // ---- events ----

  apply(event: WatchResponse): void {
    this.lay(event);
    // No event is missing between: with it everything up to here is there, and an older answer would roll it back.
    if (this.asOf !== undefined && event.position > this.asOf && this.world.feed.hasAllSince(this.asOf)) this.asOf = event.position;
  }

  private lay(event: WatchResponse): void {
    switch (event.event.case) {
      case 'message':
        this.take(event.event.value);
        return;
      case 'read':
        this.markRead(event.event.value.messageIds);
        return;
      case 'deleted':
        this.drop(event.event.value.messageIds);
        return;
      case 'accountGone':
        if (event.event.value.accountId !== this.peerId.peek()) return;
        this.peerGone.value = true;
        // What it had received is hidden from both parties.
        this.drop(this.loaded.peek().filter((message) => message.senderId === this.world.account).map((message) => message.id));
        return;
      default:
        return;
    }
  }

  // A message that is committed: by an event, or by an answer.
  take(message: Message): void {
    const id = this.conversationId.peek();
    if (id === undefined ? peerOf(message, this.world.account).id !== this.peerId.peek() : id !== message.conversationId) return;
    const loaded = this.loaded.peek();
    const at = countUpTo(loaded, message.id);
    if (loaded[at - 1]?.id === message.id) return;
    // Below what is loaded, and older pages are still to come: it is in them.
    if (at === 0 && this.hasOlderPages.peek()) return;
    batch(() => {
      this.conversationId.value = message.conversationId;
      const follows = !this.hasNewer.peek();
      this.loaded.value = [...loaded.slice(0, at), message, ...loaded.slice(at)];
      if (follows) this.showTo(this.loaded.peek().length);
      else if (at < this.last.peek()) this.showTo(this.last.peek() + 1);
      else if (message.senderId !== this.world.account) this.newBelow.value += 1;
    });
  }

  markRead(ids: readonly bigint[]): void {
    const read = new Set(ids);
    if (!this.loaded.peek().some((message) => !message.read && read.has(message.id))) return;
    this.loaded.value = this.loaded.peek().map((message) => (!message.read && read.has(message.id) ? create(MessageSchema, { ...message, read: true }) : message));
  }

  private drop(ids: readonly bigint[]): void {
    const dropped = new Set(ids);
    const loaded = this.loaded.peek();
    if (!loaded.some((message) => dropped.has(message.id))) return;
    const goneBefore = (end: number): number => loaded.slice(0, end).filter((message) => dropped.has(message.id)).length;
    batch(() => {
      this.last.value -= goneBefore(this.last.peek());
      this.first.value -= goneBefore(this.first.peek());
      this.loaded.value = loaded.filter((message) => !dropped.has(message.id));
    });
  }

  // ---- what is shown ----

  private show(): readonly ShownMessage[] {
    const loaded = this.loaded.value;
    const window = loaded.slice(this.first.value, this.last.value).map((message) => this.showMessage(message));
    if (this.last.value < loaded.length) return window;
    const committed = new Set(loaded.slice(-kMaxShownMessages).map((message) => message.requestId));
    const waiting = this.world.outbox.entries.value
      .filter((entry) => this.isOurs(entry) && !(entry.requestId !== undefined && committed.has(entry.requestId)))
      .map((entry) => this.showEntry(entry));
    return [...window, ...waiting].slice(-kMaxShownMessages);
  }

  private showMessage(message: Message): ShownMessage {
    const mine = message.senderId === this.world.account;
    const at = dateOf(message.sentAt);
    return {
      key: this.keyOf(message),
      id: message.id,
      ...(message.requestId === '' ? {} : { requestId: message.requestId }),
      mine,
      senderId: message.senderId,
      body: message.body,
      ...(at ? { at } : {}),
      ...(mine ? { mark: message.read ? ('read' as const) : ('committed' as const) } : {}),
      unread: this.isUnread(message),
    };
  }

  private showEntry(entry: OutboxEntry): ShownMessage {
    const mark: Mark = entry.state === 'asking' ? 'asking_again' : entry.state;
    return {
      key: entry.key,
      ...(entry.requestId === undefined ? {} : { requestId: entry.requestId }),
      mine: true,
      senderId: this.world.account,
      body: entry.body,
      mark,
      unread: false,
      ...(entry.failure === undefined ? {} : { failure: entry.failure, canRetry: entry.canRetry ?? false }),
    };
  }

  private isOurs(entry: OutboxEntry): boolean {
    const id = this.peerId.value;
    return entry.recipientId === undefined || id === undefined ? entry.recipient === this.peer.value && !this.peerGone.value : entry.recipientId === id.toString();
  }

  private isUnread(message: Message): boolean {
    return message.recipientId === this.world.account && message.senderId !== this.world.account && !message.read;
  }

  private keyOf(message: Message): string {
    return this.world.outbox.keys.get(message.requestId) ?? `m${message.id.toString()}`;
  }

  // ---- acts ----

  send(body: string): void {
    if (body === '') return;
    this.draft.value = '';
    void this.jumpToNewest();
    this.world.outbox.add(this.peer.peek(), this.peerId.peek(), body).catch((error: unknown) => {
      // It was not kept, so it was not sent: the text is given back.
      this.draft.value = body;
      this.error.value = `The message could not be kept for sending: ${String(error)}`;
    });
  }

  retry(key: string): void {
    void this.world.outbox.retry(key);
  }

  discard(key: string): void {
    void this.world.outbox.discard(key);
  }

  async remove(keys: readonly string[]): Promise<Outcome> {
    const wanted = new Set(keys);
    const { token } = this.world.caller; // of the account whose messages these are, however long it takes
    for (const key of keys) await this.world.outbox.discard(key);
    const ids = this.loaded.peek().filter((message) => wanted.has(this.keyOf(message))).map((message) => message.id);
    for (let at = 0; at < ids.length; at += kMostIds) {
      const messageIds = ids.slice(at, at + kMostIds);
      try {
        await this.world.caller.write(MessageService.method.deleteMessages, (requestId) => ({ messageIds, requestId }), { token });
      } catch (error) {
        // Another tab or device was first.
        if (!(error instanceof CallError) || error.reason !== 'MESSAGES_NOT_FOUND') return failure(error);
      }
      this.drop(messageIds);
    }
    return done;
  }

  seen(ids: readonly bigint[]): void {
    const unread = new Set(this.loaded.peek().filter((message) => this.isUnread(message)).map((message) => message.id));
    this.world.readMarks.add(ids.filter((id) => unread.has(id)));
  }
}

// How many of `messages`, which are in order, have an id of at most `id`.
function countUpTo(messages: readonly Message[], id: bigint): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((messages[middle]?.id ?? 0n) <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}
