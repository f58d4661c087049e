// The outbox: what was written and is not known to be committed. An entry is stored before it is tried and leaves only
// when its outcome is known; one tab sends, in order, one at a time, each always under the request_id of its first
// attempt. So every message arrives once, in order, through reloads, lost answers and changes of tab.
import { computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { toBinary } from '@bufbuild/protobuf';

import { MessageSchema, MessageService, type Message } from '../gen/parley/v1/api_pb';
import { pause, type Caller } from '../api/caller';
import { isFinal, isRefused, isSessionEnd, type AttemptError } from '../api/errors';
import { WriteProgress } from '../api/write_progress';
import type { OutboxEntry, Store } from './store';
import type { Tabs } from './tabs';

const kFirstAttempt_ms = 2_500;
const kLongestAttempt_ms = 10_000;
// An attempt may be under way for so long, its answer another time, and the clocks of two nodes differ.
const kSoon_ms = 3 * kLongestAttempt_ms;
const kFirstPause_ms = 100;
const kLongestPause_ms = 2_000;

// It is to be sent again as if it had never failed.
function withoutFailure(entry: OutboxEntry): OutboxEntry {
  const { failure: _failure, canRetry: _canRetry, ...rest } = entry;
  return rest;
}

const isUnderWay = (entry: OutboxEntry): boolean => entry.state === 'sending' || entry.state === 'asking';

export interface OutboxWorld {
  readonly store: Store;
  readonly caller: Caller;
  readonly tabs: Tabs;
  readonly account: string;
  // Whether it makes sense to try: a network, and a cluster that takes writes.
  readonly mayTry: ReadonlySignal<boolean>;
  // A message of one's own that an answer says is committed.
  readonly onCommitted: (message: Message) => void;
  readonly onNoLeader: () => void;
}

export class Outbox {
  readonly entries = signal<readonly OutboxEntry[]>([]);
  // By request_id: the keys of what was written here, which its message goes on with when it is committed.
  readonly keys = new Map<string, string>();
  readonly waiting = computed(() => this.entries.value.filter((entry) => entry.state !== 'failed').length);
  private readonly over = new AbortController();
  private isPumping = false;
  private readonly stopWatching: () => void;
  private loads = 0;

  constructor(private readonly world: OutboxWorld) {
    world.tabs.listen((message) => { if (message.kind === 'outbox') void this.reload(); });
    this.stopWatching = effect(() => {
      if (world.tabs.isLeader.value && world.mayTry.value && this.entries.value.length > 0) void this.pump();
    });
  }

  async start(): Promise<void> {
    await this.reload();
  }

  close(): void {
    this.over.abort();
    this.stopWatching();
  }

  async add(recipient: string, recipientId: bigint | undefined, body: string): Promise<void> {
    const key = `o${crypto.getRandomValues(new Uint32Array(3)).join('-')}`;
    const { account, store } = this.world;
    const id = recipientId === undefined ? {} : { recipientId: recipientId.toString() };
    await store.add({ key, account, recipient, ...id, body, state: 'queued' });
    await this.changed();
  }

  async retry(key: string): Promise<void> {
    await this.change(key, (entry) => (entry.state === 'failed' ? { ...withoutFailure(entry), state: 'queued' } : entry));
  }

  async discard(key: string): Promise<void> {
    await this.change(key, (entry) => (isUnderWay(entry) ? entry : undefined));
  }

  // The feed showed a message of one's own: whatever became of the answer, it is committed.
  async settle(requestId: string): Promise<void> {
    const entry = this.entries.value.find((each) => each.requestId === requestId);
    if (entry) await this.change(entry.key, () => undefined);
  }

  private async change(key: string, change: (entry: OutboxEntry) => OutboxEntry | undefined): Promise<void> {
    const entry = this.entries.value.find((each) => each.key === key);
    if (!entry) return;
    await this.world.store.update(entry.sequence, change);
    await this.changed();
  }

  private async changed(sent?: Message): Promise<void> {
    this.world.tabs.post({ kind: 'outbox', ...(sent ? { sent: toBinary(MessageSchema, sent) } : {}) });
    await this.reload();
  }

  private async reload(): Promise<void> {
    const load = ++this.loads;
    const entries = await this.world.store.list(this.world.account);
    if (load !== this.loads || this.over.signal.aborted) return;
    for (const entry of entries) if (entry.requestId !== undefined) this.keys.set(entry.requestId, entry.key);
    this.entries.value = entries;
  }

  private get mayGoOn(): boolean {
    return !this.over.signal.aborted && this.world.tabs.isLeader.peek() && this.world.mayTry.peek();
  }

  private async pump(): Promise<void> {
    if (this.isPumping) return;
    this.isPumping = true;
    try {
      while (this.mayGoOn) {
        // From the store, not from what this tab last saw: another tab may have added or discarded.
        const entries = await this.world.store.list(this.world.account);
        const next = entries.find((entry) => entry.state !== 'failed');
        if (!next || !(await this.send(next))) break;
      }
    } finally {
      this.isPumping = false;
    }
    // What changed while the last entry was being settled.
    if (this.mayGoOn && this.entries.peek().some((entry) => entry.state !== 'failed')) {
      await pause(kFirstPause_ms, this.over.signal);
      void this.pump();
    }
  }

  // Until its outcome is known. False: not now.
  private async send(entry: OutboxEntry): Promise<boolean> {
    const progress = new WriteProgress();
    const tried = new Set<string>();
    const own = new Set<string>(); // the request_ids under which this one has begun
    let current: OutboxEntry | undefined;
    for (let made = 0; ; ++made) {
      current = await this.claim(entry, own, progress);
      if (!current) return true;
      if (!this.mayGoOn) break;
      const attempt = await this.attempt(current, made, tried);
      if (attempt === 'committed') return true;
      if (this.over.signal.aborted) return false;
      const next = progress.onError(attempt, this.isSoonTaken(current, attempt));
      if (attempt.info?.reason === 'NO_LEADER') this.world.onNoLeader();
      if (isSessionEnd(attempt)) break;
      if (next === 'stop') {
        await this.fail(current, attempt, progress.isUnknown);
        return true;
      }
      if (next === 'again_with_new_id') {
        if (await this.changeId(current, own, attempt)) continue;
        progress.keepsId();
      }
      if (progress.isUnknown && current.state !== 'asking') await this.become(current, 'asking');
      await this.rest(made, attempt, current);
    }
    // Nobody can have done it, and now nobody can: it waits, like the others.
    if (!progress.isUnknown) await this.become(current, 'queued');
    return false;
  }

  // What is tried next: as it is stored, right before it is tried. Another tab may have begun with it, changed its
  // request_id, or be done with it (undefined) meanwhile. "sending" is said by one tab alone, of a request_id that nobody
  // else has begun with; whoever joins says "asking" first.
  private async claim(entry: OutboxEntry, own: Set<string>, progress: WriteProgress): Promise<OutboxEntry | undefined> {
    for (;;) {
      const madeId = this.world.caller.requestIds.make();
      let changes = false;
      const claimed = await this.world.store.update(entry.sequence, (stored) => {
        if (stored.state === 'failed') return stored;
        const isTheirs = isUnderWay(stored) && !own.has(stored.requestId ?? '');
        if (isTheirs) progress.isUnknown = true; // it may have happened
        const begun = progress.isUnknown ? 'asking' : 'sending';
        const state = isTheirs || stored.state === 'queued' ? begun : stored.state;
        changes = stored.requestId === undefined || stored.state !== state;
        return changes ? { ...stored, requestId: stored.requestId ?? madeId, state } : stored;
      });
      if (claimed && !changes && claimed.state !== 'failed') return claimed;
      await this.changed();
      if (!claimed || claimed.state === 'failed') return undefined;
      own.add(claimed.requestId ?? '');
    }
  }

  // Refused as too far ahead; but before long an attempt of another tab, or one whose answer was lost, could be taken.
  private isSoonTaken(entry: OutboxEntry, error: AttemptError): boolean {
    return error.info?.reason === 'REQUEST_ID_AHEAD' && this.untilTaken_ms(entry) < kSoon_ms;
  }

  private untilTaken_ms(entry: OutboxEntry): number {
    return this.world.caller.requestIds.untilTaken_ms(entry.requestId ?? '');
  }

  // The clock was wrong when its request_id was made. False: it keeps that one. Where another tab has changed it already,
  // that one is good.
  private async changeId(entry: OutboxEntry, own: Set<string>, error: AttemptError): Promise<boolean> {
    const requestId = this.world.caller.requestIds.make();
    own.add(requestId);
    const changed = await this.world.store.update(entry.sequence, (stored) => {
      if (stored.requestId !== entry.requestId) return stored;
      // By the time that it is now: this tab may have been frozen since the answer.
      if (stored.state !== 'sending' && this.isSoonTaken(entry, error)) return stored;
      return { ...withoutFailure(stored), requestId, state: 'sending' };
    });
    await this.changed();
    return changed?.requestId !== entry.requestId;
  }

  // Another tab may know more: that it failed, that an attempt of its own may have happened, or a better request_id.
  private async become(entry: OutboxEntry, state: OutboxEntry['state']): Promise<void> {
    await this.world.store.update(entry.sequence, (stored) => {
      const isBetter = stored.state === 'sending' || (stored.state === 'queued' && state === 'asking');
      return isBetter && stored.requestId === entry.requestId ? { ...stored, state } : stored;
    });
    await this.changed();
  }

  private async attempt(entry: OutboxEntry, made: number, tried: Set<string>): Promise<AttemptError | 'committed'> {
    const { caller } = this.world;
    if (tried.size >= caller.nodes.count) tried.clear();
    const node = caller.nodes.pick(tried);
    const longest_ms = Math.min(kFirstAttempt_ms * 2 ** made, kLongestAttempt_ms);
    const request = {
      recipient: entry.recipient,
      body: entry.body,
      requestId: entry.requestId ?? '',
      recipientId: BigInt(entry.recipientId ?? 0),
    };
    const attempt = await caller.once(MessageService.method.sendMessage, request, node, longest_ms, this.over.signal);
    if (!attempt.ok) {
      tried.add(node);
      return attempt.error;
    }
    const { message } = attempt.value;
    if (message) this.world.onCommitted(message);
    await this.world.store.update(entry.sequence, () => undefined);
    await this.changed(message);
    return 'committed';
  }

  private async fail(entry: OutboxEntry, error: AttemptError, isUnknown: boolean): Promise<void> {
    const failure = isUnknown ? `It is not known whether this message was sent: ${error.message}` : error.message;
    // Decided for this request_id, or no longer known: asking again under it says the same.
    const canRetry = !isUnknown && isRefused(error) && !isFinal(error);
    await this.world.store.update(entry.sequence, (stored) =>
      stored.requestId === entry.requestId ? { ...stored, state: 'failed', failure, canRetry } : stored);
    await this.changed();
  }

  private async rest(made: number, error: AttemptError, entry: OutboxEntry): Promise<void> {
    const rounds = Math.floor((made + 1) / this.world.caller.nodes.count);
    const longest = error.info || rounds > 0 ? Math.min(kFirstPause_ms * 2 ** Math.min(made, 8), kLongestPause_ms) : 0;
    const untilTaken_ms = this.isSoonTaken(entry, error) ? this.untilTaken_ms(entry) : 0;
    const rest_ms = Math.max(longest * (0.5 + Math.random() / 2), error.info?.retryAfterMs ?? 0, untilTaken_ms);
    if (rest_ms > 0) await pause(rest_ms, this.over.signal);
  }
}
