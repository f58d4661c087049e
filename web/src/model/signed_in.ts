// All that belongs to the account that is logged in: made when somebody logs in, closed when they log out.
import { batch, computed, type ReadonlySignal } from '@preact/signals';

import type { GetStatusResponse, Message, WatchResponse } from '../gen/parley/v1/api_pb';
import { pause, type Caller } from '../api/caller';
import { CallError } from '../api/errors';
import { Conversations } from './conversations';
import { Drafts } from './drafts';
import { Feed, type FeedHandler } from './feed';
import { Outbox } from './outbox';
import type { Platform } from './platform';
import { ReadMarks } from './read_marks';
import { earlier, Reading, type Read } from './reading';
import type { Store } from './store';
import { Tabs } from './tabs';
import { ConversationTimeline, type Peer } from './timeline';
import { Unread } from './unread';

const kFirstPause_ms = 200;
const kLongestPause_ms = 2_000;
const kGather_ms = 30;

type List = 'conversations' | 'unread';

export interface SignedInWorld {
  readonly platform: Platform;
  readonly caller: Caller;
  readonly store: Store;
  readonly account: bigint;
  readonly markRead: ReadonlySignal<boolean>;
  readonly onStatus: (status: GetStatusResponse) => void;
  readonly onSessionEnd: () => void;
}

export class SignedIn implements FeedHandler {
  readonly feed: Feed;
  readonly outbox: Outbox;
  readonly conversations: Conversations;
  readonly unread: Unread;
  readonly drafts: Drafts;
  private readonly tabs: Tabs;
  private readonly reading: Reading;
  private readonly readMarks: ReadMarks;
  private readonly timelines = new Set<ConversationTimeline>();
  private readonly over = new AbortController();
  private readonly timers = new Map<List, ReturnType<typeof setTimeout>>();
  private readonly toRefresh = new Set<List>();
  private reloads = 0;

  constructor(private readonly world: SignedInWorld) {
    const { platform, caller, store, account } = world;
    this.tabs = new Tabs(platform, account.toString());
    this.feed = new Feed(platform, caller, this.tabs, this, world.onStatus);
    caller.onNodeFailed = (node) => { this.feed.onNodeFailed(node); };
    this.reading = new Reading(caller, () => this.feed.isReadOnly);
    this.unread = new Unread(this.reading, account, this.feed);
    this.outbox = new Outbox({
      store,
      caller,
      tabs: this.tabs,
      account: account.toString(),
      mayTry: computed(() => this.feed.mayWrite.value),
      onCommitted: (message) => { this.onSent(message); },
      onNoLeader: () => { this.feed.suspect(); },
    });
    this.conversations = new Conversations({
      reading: this.reading,
      store,
      account,
      feed: this.feed,
      onBehind: () => { this.refreshLater('conversations'); },
      unread: () => this.unread.counts.value,
      entries: () => this.outbox.entries.value,
    });
    this.readMarks = new ReadMarks(caller, world.markRead, this.feed.mayWrite, (ids) => {
      for (const timeline of this.timelines) timeline.markRead(ids);
    });
    this.drafts = new Drafts(platform.keyValue, account.toString());
    void this.outbox.start();
    void this.conversations.recall().catch(() => undefined);
    this.reload(0n);
  }

  close(): void {
    this.over.abort();
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const timeline of [...this.timelines]) timeline.close();
    this.conversations.close();
    this.feed.close();
    this.outbox.close();
    this.readMarks.close();
    this.drafts.close();
    this.tabs.close();
    this.world.caller.onNodeFailed = () => undefined;
  }

  open(peer: Peer): ConversationTimeline {
    const timeline = new ConversationTimeline(
      {
        account: this.world.account,
        caller: this.world.caller,
        reading: this.reading,
        store: this.world.store,
        outbox: this.outbox,
        conversations: this.conversations,
        readMarks: this.readMarks,
        unread: () => this.unread.counts.peek(),
        feed: this.feed,
        draft: this.drafts.of(peer.name),
        onClose: (closed) => { this.timelines.delete(closed); },
      },
      peer,
    );
    this.timelines.add(timeline);
    return timeline;
  }

  // ---- what the feed says ----

  onEvent(event: WatchResponse): void {
    batch(() => {
      if (this.conversations.apply(event)) this.refresh('conversations');
      if (this.unread.apply(event)) this.refresh('unread');
      for (const timeline of this.timelines) timeline.apply(event);
    });
    const { requestId } = event;
    if (event.event.case === 'message' && requestId !== '' && this.tabs.isLeader.peek()) void this.outbox.settle(requestId);
  }

  onSent(message: Message): void {
    batch(() => {
      this.conversations.take(message);
      for (const timeline of this.timelines) timeline.take(message);
    });
  }

  onSessionEnd(): void {
    this.world.onSessionEnd();
  }

  // Until it has worked: the lists, as of `notBefore` or later. The first time the feed begins where they end.
  reload(notBefore: bigint): void {
    const reload = ++this.reloads;
    void (async () => {
      for (let failures = 0; reload === this.reloads && !this.over.signal.aborted; ++failures) {
        try {
          const [unread, conversations] = await Promise.all([this.unread.load(), this.conversations.load()]);
          const asOf = earlier(unread.position, conversations.position);
          if (reload !== this.reloads || this.over.signal.aborted) return;
          if (asOf >= notBefore && this.feed.hasAllSince(asOf)) {
            this.feed.startAt(asOf, unread.clusterId);
            for (const timeline of this.timelines) void timeline.refresh();
            if (!unread.isWhole) this.refreshLater('unread');
            if (!conversations.isWhole) this.refreshLater('conversations');
            return;
          }
        } catch (error) {
          if (!(error instanceof CallError)) throw error;
          this.feed.unreachable();
        }
        await pause(Math.min(kFirstPause_ms * 2 ** failures, kLongestPause_ms), this.over.signal);
      }
    })();
  }

  // Events that come in a bunch are followed by one look.
  private refresh(list: List): void {
    if (this.timers.has(list)) return;
    const timer = setTimeout(() => {
      this.timers.delete(list);
      void this.look(list);
    }, kGather_ms);
    this.timers.set(list, timer);
  }

  // An answer that failed, or that lacks something, is asked for again.
  private async look(list: List): Promise<void> {
    const reading: Promise<Read> = list === 'unread' ? this.unread.load() : this.conversations.load();
    const isWhole = await reading.then((read) => read.isWhole, () => false);
    if (!isWhole) this.refreshLater(list);
  }

  private refreshLater(list: List): void {
    if (this.toRefresh.has(list)) return;
    this.toRefresh.add(list);
    void pause(kLongestPause_ms, this.over.signal).then(() => {
      this.toRefresh.delete(list);
      if (!this.over.signal.aborted) this.refresh(list);
    });
  }
}
