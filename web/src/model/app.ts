// The App of a page: wires session, account and settings together, and gives them to the views as contract.ts says.
import { computed, effect, signal, untracked, type Signal } from '@preact/signals';

import { AccountService, type GetStatusResponse, ClusterService } from '../gen/parley/v1/api_pb';
import { Caller, pause } from '../api/caller';
import { Nodes } from '../api/nodes';
import { RequestIds } from '../api/request_ids';
import { ClusterFeed } from './cluster_feed';
import type { App, Connection, Outcome, Person, Theme, Timeline } from './contract';
import { browserPlatform, type KeyValue, type Platform } from './platform';
import { forgetDrafts } from './drafts';
import { failure, Reading } from './reading';
import { SessionKeeper } from './session';
import { SignedIn } from './signed_in';
import { openStore, type Store } from './store';
import type { Peer } from './timeline';

const kNodesName = 'parley.nodes';
const kMostFound = 50;
const kMostSearchPages = 5;
const kMaxGlobChars = 64;
const kAskForNodes_ms = 1_000;

export interface RunningApp extends App {
  close(): void;
}

export function createApp(platform: Platform = browserPlatform()): RunningApp {
  return new ParleyApp(platform);
}

class ParleyApp implements RunningApp {
  private readonly nodes: Nodes;
  private readonly caller: Caller;
  private readonly keeper: SessionKeeper;
  private readonly account = signal<SignedIn | undefined>(undefined);
  private readonly over = new AbortController();
  private readonly stops: (() => void)[] = [];
  private readonly store: Promise<Store>;
  readonly settings;
  readonly session;
  readonly connection = computed((): Connection => this.account.value?.feed.connection.value ?? { kind: 'connecting' });
  readonly conversations = computed(() => this.account.value?.conversations.rows.value ?? []);
  readonly conversationsLoaded = computed(() => this.account.value?.conversations.isLoaded.value ?? false);
  readonly hasMoreConversations = computed(() => this.account.value?.conversations.hasMore.value ?? false);
  readonly totalUnread = computed(() => this.account.value?.unread.total.value ?? 0);
  readonly queuedCount = computed(() => this.account.value?.outbox.waiting.value ?? 0);

  constructor(private readonly platform: Platform) {
    this.nodes = new Nodes(platform.origin, readJson<string[]>(platform.keyValue, kNodesName, []));
    this.caller = new Caller(this.nodes, (origin) => platform.transport(origin), new RequestIds());
    this.caller.isOnline = () => platform.isOnline();
    this.store = openStore(platform.indexedDB);
    this.settings = {
      markRead: setting(platform.keyValue, 'parley.markRead', true, this.stops),
      theme: setting<Theme>(platform.keyValue, 'parley.theme', 'system', this.stops),
    };
    this.keeper = new SessionKeeper(platform.keyValue, this.caller, async (account, what) => {
      const store = await this.store;
      await store.forgetKept(account);
      if (what === 'read') return;
      forgetDrafts(platform.keyValue, account);
      await store.forgetOutbox(account);
    });
    this.session = this.keeper.session;
    void this.store.then((store) => { if (!this.over.signal.aborted) this.start(store); });
  }

  close(): void {
    this.over.abort();
    this.account.peek()?.close();
    this.keeper.close();
    for (const stop of this.stops) stop();
  }

  async loadMoreConversations(): Promise<void> {
    await this.account.peek()?.conversations.loadMore().catch(() => undefined);
  }

  register(name: string, password: string): Promise<Outcome> {
    return this.keeper.register(name, password);
  }
  logIn(name: string, password: string): Promise<Outcome> {
    return this.keeper.logIn(name, password);
  }
  logOut(): Promise<Outcome> {
    return this.keeper.logOut();
  }
  changePassword(oldPassword: string, newPassword: string): Promise<Outcome> {
    return this.keeper.changePassword(oldPassword, newPassword);
  }
  deleteAccount(password: string): Promise<Outcome> {
    return this.keeper.deleteAccount(password);
  }

  async searchPeople(pattern: string): Promise<Outcome<readonly Person[]>> {
    const text = pattern.trim().toLowerCase();
    const glob = /[*?[]/.test(text) ? text : `*${text}*`.replace('**', '*');
    if (glob.length > kMaxGlobChars) return { ok: true, value: [] };
    const reading = new Reading(this.caller, () => this.account.peek()?.feed.isReadOnly ?? false);
    const people: Person[] = [];
    try {
      let pageToken = '';
      for (let page = 0; page < kMostSearchPages && people.length < kMostFound; ++page) {
        const token = pageToken;
        const answer = await reading.read(AccountService.method.listAccounts, (stale) => ({ pattern: glob, pageSize: kMostFound, pageToken: token, stale }));
        people.push(...answer.accounts.map(({ name, id }) => ({ name, id })));
        pageToken = answer.nextPageToken;
        if (pageToken === '') break;
      }
      return { ok: true, value: people.slice(0, kMostFound) };
    } catch (error) {
      return failure(error);
    }
  }

  open(peer: Peer): Timeline {
    const account = this.account.peek();
    if (!account) throw new Error('nobody is logged in');
    return untracked(() => account.open(peer));
  }

  cluster() {
    const feed = new ClusterFeed(this.caller, (status) => { this.learnNodes(status); });
    return { view: feed.view, stop: () => { feed.stop(); } };
  }

  private start(store: Store): void {
    this.stops.push(
      effect(() => {
        const session = this.keeper.session.value;
        untracked(() => {
          this.account.peek()?.close();
          this.account.value = session.kind === 'signed_in' ? this.signIn(store, session.id) : undefined;
        });
      }),
    );
    this.keeper.adopt();
  }

  private signIn(store: Store, account: bigint): SignedIn {
    void this.askForNodes();
    return new SignedIn({
      platform: this.platform,
      caller: this.caller,
      store,
      account,
      markRead: this.settings.markRead,
      onStatus: (status) => { this.learnNodes(status); },
      onSessionEnd: () => { this.keeper.end('The session has ended. Log in again.'); },
    });
  }

  // Which nodes there are, until all of them have said where their page is.
  private async askForNodes(): Promise<void> {
    while (!this.over.signal.aborted && this.caller.token !== undefined) {
      try {
        const status = await this.caller.read(ClusterService.method.getStatus, {});
        this.learnNodes(status);
        if (status.nodes.every((node) => node.httpAddr !== '')) return;
      } catch {
        // It is asked again.
      }
      await pause(kAskForNodes_ms, this.over.signal);
    }
  }

  private learnNodes(status: GetStatusResponse): void {
    this.nodes.learn(status.nodes.map((node) => node.httpAddr));
    const origins = JSON.stringify(this.nodes.origins());
    if (this.platform.keyValue.get(kNodesName) !== origins) this.platform.keyValue.set(kNodesName, origins);
  }
}

function readJson<T>(keyValue: KeyValue, name: string, otherwise: T): T {
  try {
    return JSON.parse(keyValue.get(name) ?? 'null') as T ?? otherwise;
  } catch {
    return otherwise;
  }
}

// A choice that is kept, and the same in all tabs.
function setting<T>(keyValue: KeyValue, name: string, otherwise: T, stops: (() => void)[]): Signal<T> {
  const value = signal<T>(readJson(keyValue, name, otherwise));
  stops.push(
    keyValue.onChange((changed) => { if (changed === name) value.value = readJson(keyValue, name, otherwise); }),
    effect(() => {
      const text = JSON.stringify(value.value);
      if (keyValue.get(name) !== text && !(keyValue.get(name) === null && value.value === otherwise)) keyValue.set(name, text);
    }),
  );
  return value;
}
