// What the page's views see of the model: signals to read, methods to call. Nothing here touches the DOM.
// `createApp()` of model/app.ts makes the one App of a page.
import type { ReadonlySignal, Signal } from '@preact/signals';

// Of a message of one's own. queued: waits in the outbox (offline, or others are before it). sending: the first attempt
// is under way. asking_again: an attempt ended without an answer, so the outcome is unknown; the same request_id is
// being asked again. committed: an answer carried its position, or the feed showed it: it is on a majority of disks.
// read: its recipient has read it. failed: refused for good, or given up; `failure` says why.
export type Mark = 'queued' | 'sending' | 'asking_again' | 'committed' | 'read' | 'failed';

export interface ShownMessage {
  readonly key: string; // stable from the moment it is typed to the end: the element of the list keeps its key
  readonly id?: bigint; // its position, once it is committed
  readonly requestId?: string;
  readonly mine: boolean;
  readonly senderId: bigint;
  readonly body: string;
  readonly at?: Date; // by the cluster; absent until committed
  readonly mark?: Mark; // of one's own messages only
  readonly unread: boolean; // received and not read yet
  readonly failure?: string; // a sentence for people
  readonly canRetry?: boolean; // failed, and `retry` makes sense
}

export interface ConversationRow {
  readonly key: string;
  readonly id?: bigint; // absent: nothing is committed in it yet
  readonly peer: string;
  readonly peerId?: bigint;
  readonly peerGone: boolean; // its account was deleted: it can be read, not written to
  readonly lastLine: string;
  readonly lastAt?: Date;
  readonly lastMine: boolean;
  readonly unread: number;
  readonly queued: number; // waiting in the outbox
}

// live: a heartbeat said that writes work. read_only: the node is reached, and says that the cluster takes no writes;
// `ageMs`: how old what it shows may be. reconnecting: no node answers yet. offline: the browser says so.
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live'; readonly node: string }
  | { readonly kind: 'reconnecting'; readonly sinceMs: number }
  | { readonly kind: 'read_only'; readonly sinceMs: number; readonly ageMs?: number }
  | { readonly kind: 'offline'; readonly sinceMs: number };
// sinceMs: Date.now() of the moment when it began.

// What became of one action. `unknown`: it may or may not have happened. `reason`: ErrorInfo's, or UNAVAILABLE, or one
// of the page's own (SIGNED_OUT). `message`: a sentence for people. `field`: which input is wrong.
export type Outcome<T = undefined> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly unknown: boolean; readonly reason: string; readonly message: string; readonly field?: string };

// One open conversation: a window of at most 300 messages on it, oldest first, what is in the outbox at the end.
export interface Timeline {
  readonly key: ReadonlySignal<string>; // that of its ConversationRow; changes once, when the first message is committed
  readonly conversationId: ReadonlySignal<bigint | undefined>;
  readonly peer: ReadonlySignal<string>;
  readonly peerGone: ReadonlySignal<boolean>;
  readonly messages: ReadonlySignal<readonly ShownMessage[]>; // as one end grows the other is dropped
  readonly hasOlder: ReadonlySignal<boolean>;
  readonly hasNewer: ReadonlySignal<boolean>; // the window does not reach the newest message
  readonly newBelow: ReadonlySignal<number>; // messages that arrived below the window while it does not reach the newest
  readonly loading: ReadonlySignal<'older' | 'newer' | 'first' | null>;
  readonly error: ReadonlySignal<string | null>; // why the last load failed; it is tried again by itself
  readonly newLineBefore: ReadonlySignal<string | null>; // key of the first message that was unread when it was opened
  loadOlder(): Promise<void>;
  loadNewer(): Promise<void>;
  jumpToNewest(): Promise<void>;
  send(body: string): void; // empties the draft; trimmed of nothing; nothing happens for an empty body
  retry(key: string): void; // with the same request_id, where the outcome is unknown
  discard(key: string): void; // takes a failed or queued one out of the outbox
  remove(keys: readonly string[]): Promise<Outcome>; // from one's own view
  seen(ids: readonly bigint[]): void; // in view in a focused window: marks read in batches, unless the setting is off
  readonly draft: Signal<string>; // kept per conversation: through failover, reload and in two tabs
  close(): void;
}

export interface ClusterNode {
  readonly id: number;
  readonly role: 'leader' | 'follower' | 'candidate' | 'unknown';
  readonly voter: boolean;
  readonly peerAddr: string;
  readonly clientAddr: string;
  readonly httpAddr: string;
  readonly matchIndex: bigint;
  readonly lag: number; // entries behind the commit index
  readonly lastContactMs?: number;
  readonly healthy: boolean;
  readonly asked: boolean; // the node that answers here
}

export interface LeaderChange {
  readonly term: bigint;
  readonly leaderId: number;
  readonly at: Date;
  readonly gapMs?: number; // how long no write was taken
}

export interface ClusterView {
  readonly clusterId: string;
  readonly nodes: readonly ClusterNode[]; // by id
  readonly leaderId: number; // 0: none
  readonly term: bigint;
  readonly commitIndex: bigint;
  readonly appliedIndex: bigint; // of the asked node
  readonly writable: boolean;
  readonly ageMs?: number;
  readonly writesPerSecond: readonly number[]; // the last 60 samples, oldest first, one a second
  readonly leaderChanges: readonly LeaderChange[]; // newest first
  readonly askedNode: string; // origin
  readonly askedId: number;
  readonly version: string;
  readonly reachable: boolean; // false: what is shown is the last that was heard
}

export interface Person {
  readonly name: string;
  readonly id: bigint;
}

export type Session =
  | { readonly kind: 'loading' }
  | { readonly kind: 'signed_out'; readonly why?: string }
  | { readonly kind: 'signed_in'; readonly name: string; readonly id: bigint };

export type Theme = 'system' | 'light' | 'dark';

export interface App {
  readonly session: ReadonlySignal<Session>;
  readonly connection: ReadonlySignal<Connection>;
  readonly conversations: ReadonlySignal<readonly ConversationRow[]>; // newest first
  readonly conversationsLoaded: ReadonlySignal<boolean>; // false: nothing is known yet, which is not the same as none
  readonly hasMoreConversations: ReadonlySignal<boolean>;
  loadMoreConversations(): Promise<void>;
  readonly totalUnread: ReadonlySignal<number>;
  readonly queuedCount: ReadonlySignal<number>;
  readonly settings: { readonly markRead: Signal<boolean>; readonly theme: Signal<Theme> };
  register(name: string, password: string): Promise<Outcome>;
  logIn(name: string, password: string): Promise<Outcome>;
  logOut(): Promise<Outcome>;
  changePassword(oldPassword: string, newPassword: string): Promise<Outcome>;
  deleteAccount(password: string): Promise<Outcome>;
  searchPeople(pattern: string): Promise<Outcome<readonly Person[]>>; // plain text finds names that contain it
  open(peer: { readonly name: string; readonly id?: bigint; readonly conversationId?: bigint }): Timeline;
  cluster(): { readonly view: ReadonlySignal<ClusterView | null>; readonly stop: () => void };
}

export const kMaxBodyBytes = 16_384;
export const kMaxShownMessages = 300;
