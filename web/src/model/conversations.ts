// The list of conversations, newest first: read in pages, kept for a start without a node, and carried on by events.
import { computed, effect, signal } from '@preact/signals';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';

import { ConversationSchema, ListConversationsResponseSchema, MessageService, type Conversation, type ListConversationsResponse, type Message, type WatchResponse } from '../gen/parley/v1/api_pb';
import type { ConversationRow } from './contract';
import type { Feed } from './feed';
import { dateOf, positionAsOf, type Read, type Reading } from './reading';
import type { OutboxEntry, Store } from './store';

const kPageSize = 50;
const kMostPageSize = 500;
const kKeep_ms = 300;
const kLastLineChars = 140;

export interface ConversationsWorld {
  readonly reading: Reading;
  readonly store: Store;
  readonly account: bigint;
  readonly feed: Pick<Feed, 'since' | 'hasAllSince'>;
  readonly onBehind: () => void; // what was read lacks something: it is to be read again
  readonly unread: () => ReadonlyMap<bigint, number>;
  readonly entries: () => readonly OutboxEntry[];
}

// The other account of a direct message; of one to oneself, oneself.
export function peerOf(message: Message, account: bigint): { readonly name: string; readonly id: bigint } {
  return message.senderId === account
    ? { name: message.recipient, id: message.recipientId }
    : { name: message.sender, id: message.senderId };
}

function lastLine(body: string): string {
  return body.slice(0, 4 * kLastLineChars).replace(/\s+/g, ' ').trim().slice(0, kLastLineChars);
}

const newestFirst = (known: ReadonlyMap<bigint, Conversation>): Conversation[] =>
  [...known.values()].sort((a, b) => ((b.lastMessage?.id ?? 0n) > (a.lastMessage?.id ?? 0n) ? 1 : -1));

const countWaiting = (entries: readonly OutboxEntry[]): number => entries.filter((entry) => entry.state !== 'failed').length;

export class Conversations {
  readonly hasMore = signal(false);
  readonly isLoaded = signal(false);
  readonly rows = computed(() => this.show());
  private readonly known = signal<ReadonlyMap<bigint, Conversation>>(new Map());
  private token = '';
  private asOf = 0n; // of what is shown: an answer, and the events after it
  private loads = 0;
  private readonly stopKeeping: () => void;
  private keepTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly world: ConversationsWorld) {
    this.stopKeeping = effect(() => {
      if (this.known.value.size > 0 || this.isLoaded.peek()) this.keepTimer ??= setTimeout(() => { this.keep(); }, kKeep_ms);
    });
  }

  close(): void {
    this.stopKeeping();
    if (this.keepTimer !== undefined) this.keep();
  }

  // What was there when the page was last used.
  async recall(): Promise<void> {
    const bytes = await this.world.store.kept(this.keptName);
    if (!bytes || this.isLoaded.peek()) return;
    const { conversations } = fromBinary(ListConversationsResponseSchema, bytes);
    this.known.value = new Map(conversations.map((each) => [each.id, each]));
    this.isLoaded.value = true;
  }

  // As many as are loaded already, at least one page. Says as of when.
  async load(): Promise<Read> {
    const load = ++this.loads;
    const pageSize = Math.min(Math.max(kPageSize, this.known.peek().size), kMostPageSize);
    const answer = await this.world.reading.read(MessageService.method.listConversations, (stale) => ({ pageSize, stale }));
    const { known, position, isWhole } = this.carryOn(answer);
    // Dropped for a `loadMore` that began after it, which does not read these rows.
    if (load !== this.loads) return { position, isWhole: false };
    // One that lacks something, and is older than what is there, would only roll it back.
    if (position <= this.asOf && !isWhole) return { position, isWhole };
    this.asOf = position;
    for (const event of this.world.feed.since(position)) this.heard(event);
    this.token = answer.nextPageToken;
    this.known.value = known;
    this.hasMore.value = this.token !== '';
    this.isLoaded.value = true;
    return { position, isWhole };
  }

  async loadMore(): Promise<void> {
    if (this.token === '') return;
    const load = ++this.loads;
    const pageToken = this.token;
    const answer = await this.world.reading.read(MessageService.method.listConversations, (stale) => ({ pageSize: kPageSize, pageToken, stale }));
    if (load !== this.loads) return;
    const page = this.carryOn(answer);
    const known = new Map(this.known.peek());
    // One that was written in meanwhile is known better already.
    for (const each of answer.conversations) if (!known.has(each.id)) known.set(each.id, page.known.get(each.id) ?? each);
    this.token = answer.nextPageToken;
    if (!page.isWhole) this.world.onBehind();
    this.known.value = known;
    this.hasMore.value = this.token !== '';
  }

  // What an answer says, and the events after it.
  private carryOn(answer: ListConversationsResponse): Read & { readonly known: Map<bigint, Conversation> } {
    const known = new Map(answer.conversations.map((each) => [each.id, each]));
    const position = positionAsOf(answer.asOf);
    let isWhole = this.world.feed.hasAllSince(position);
    for (const event of this.world.feed.since(position)) if (this.lay(known, event)) isWhole = false;
    return { known, position, isWhole };
  }

  // True: only a node can say how the list looks now.
  apply(event: WatchResponse): boolean {
    this.heard(event);
    if (event.event.case === 'message') {
      this.take(event.event.value);
      return false;
    }
    return this.lay(new Map(this.known.peek()), event);
  }

  // A message that is committed: by an event, or by an answer.
  take(message: Message): void {
    const known = new Map(this.known.peek());
    if (this.put(known, message)) this.known.value = known;
  }

  // Up to there everything is known, if nothing is missing before it.
  private heard(event: WatchResponse): void {
    if (event.position > this.asOf && this.world.feed.hasAllSince(this.asOf)) this.asOf = event.position;
  }

  // True: what it says of these cannot be known here.
  private lay(known: Map<bigint, Conversation>, event: WatchResponse): boolean {
    switch (event.event.case) {
      case 'message':
        this.put(known, event.event.value);
        return false;
      case 'deleted': {
        const deleted = new Set(event.event.value.messageIds);
        return [...known.values()].some((each) => each.lastMessage !== undefined && deleted.has(each.lastMessage.id));
      }
      case 'accountGone': {
        const { accountId } = event.event.value;
        return [...known.values()].some((each) => this.peerIdOf(each) === accountId);
      }
      default:
        return false;
    }
  }

  private put(known: Map<bigint, Conversation>, message: Message): boolean {
    const before = known.get(message.conversationId);
    if (before?.lastMessage && before.lastMessage.id >= message.id) return false;
    known.set(message.conversationId, create(ConversationSchema, {
      id: message.conversationId,
      peer: peerOf(message, this.world.account).name,
      peerGone: before?.peerGone ?? false,
      lastMessage: message,
    }));
    return true;
  }

  find(peer: { readonly name?: string; readonly id?: bigint; readonly conversationId?: bigint }): ConversationRow | undefined {
    const rows = this.rows.peek();
    if (peer.conversationId !== undefined) return rows.find((row) => row.id === peer.conversationId);
    if (peer.id !== undefined) return rows.find((row) => row.id !== undefined && row.peerId === peer.id);
    return rows.find((row) => row.id !== undefined && row.peer === peer.name && !row.peerGone);
  }

  private keep(): void {
    clearTimeout(this.keepTimer);
    this.keepTimer = undefined;
    const conversations = newestFirst(this.known.peek()).slice(0, kPageSize);
    const bytes = toBinary(ListConversationsResponseSchema, create(ListConversationsResponseSchema, { conversations }));
    this.world.store.keep(this.keptName, bytes).catch(() => undefined);
  }

  private get keptName(): string {
    return `${this.world.account.toString()}.conversations`;
  }

  private peerIdOf(conversation: Conversation): bigint | undefined {
    return conversation.lastMessage && peerOf(conversation.lastMessage, this.world.account).id;
  }

  private show(): readonly ConversationRow[] {
    const unread = this.world.unread();
    const waiting = new Map<string, OutboxEntry[]>(); // by the name of the recipient
    for (const entry of this.world.entries()) waiting.set(entry.recipient, [...(waiting.get(entry.recipient) ?? []), entry]);
    const rows = newestFirst(this.known.value).map((each): ConversationRow => {
      const peerId = this.peerIdOf(each);
      const lastAt = dateOf(each.lastMessage?.sentAt);
      const mine = waiting.get(each.peer);
      if (mine && !each.peerGone) waiting.delete(each.peer);
      const newest = each.peerGone ? undefined : mine?.at(-1);
      return {
        key: `c${each.id.toString()}`,
        id: each.id,
        peer: each.peer,
        ...(peerId === undefined ? {} : { peerId }),
        peerGone: each.peerGone,
        lastLine: lastLine(newest?.body ?? each.lastMessage?.body ?? ''),
        ...(lastAt ? { lastAt } : {}),
        lastMine: newest !== undefined || each.lastMessage?.senderId === this.world.account,
        unread: unread.get(each.id) ?? 0,
        queued: newest ? countWaiting(mine ?? []) : 0,
      };
    });
    // Conversations in which nothing is committed yet.
    const begun = [...waiting].map(([peer, entries]): ConversationRow => ({
      key: `p${peer}`,
      peer,
      ...(entries[0]?.recipientId === undefined ? {} : { peerId: BigInt(entries[0].recipientId) }),
      peerGone: false,
      lastLine: lastLine(entries.at(-1)?.body ?? ''),
      lastMine: true,
      unread: 0,
      queued: countWaiting(entries),
    }));
    return [...begun, ...rows];
  }
}
