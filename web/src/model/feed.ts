// The account's events and the state of the connection, in every tab: the leading tab holds the stream and passes on
// what it hears. Each tab keeps the position up to which it has everything; where a gap shows, it reads its lists again.
import { effect, signal, type ReadonlySignal } from '@preact/signals';
import { fromBinary, toBinary } from '@bufbuild/protobuf';

import { ClusterService, MessageSchema, WatchResponseSchema, type GetStatusResponse, type Message, type WatchResponse } from '../gen/parley/v1/api_pb';
import { pause, type Caller } from '../api/caller';
import { Watch, type WatchHandler } from '../api/watch';
import type { Connection } from './contract';
import type { Platform } from './platform';
import type { TabMessage, Tabs } from './tabs';

const kProbeEvery_ms = 500;
const kProbeTimeout_ms = 1_500;
const kMoveTime_ms = 1_000;
const kKeptEvents = 2_000;

export interface FeedHandler {
  onEvent(event: WatchResponse): void; // not heartbeats; each position once, in order
  onSent(message: Message): void; // of another tab: committed, by its answer
  reload(notBefore: bigint): void; // read the lists again, as of that position or later
  onSessionEnd(): void;
}

export class Feed implements WatchHandler {
  readonly connection = signal<Connection>({ kind: 'connecting' });
  // Up to here everything was heard, or lies in the lists that were read.
  private position: bigint | undefined;
  private clusterId = '';
  private watch: Watch | undefined;
  private node = '';
  private readonly recent: WatchResponse[] = []; // all after `recentFrom`
  private recentFrom: bigint | undefined;
  private readonly over = new AbortController();
  private readonly stopWatching: (() => void)[] = [];
  private probe: AbortController | undefined;
  private readonly hasStart = signal(false);
  private trouble: ReturnType<typeof setTimeout> | undefined;
  private readonly writable = signal(true);

  constructor(
    private readonly platform: Platform,
    private readonly caller: Caller,
    private readonly tabs: Tabs,
    private readonly handler: FeedHandler,
    private readonly onStatus: (status: GetStatusResponse) => void,
  ) {
    tabs.listen((message) => { this.onTabMessage(message); });
    this.stopWatching.push(
      platform.onOnlineChange(() => { this.onOnlineChange(); }),
      effect(() => {
        if (tabs.isLeader.value && this.hasStart.value && !this.watch) this.beginWatch();
      }),
    );
    if (!platform.isOnline()) this.onOnlineChange();
    tabs.post({ kind: 'hello' });
  }

  close(): void {
    this.over.abort();
    clearTimeout(this.trouble);
    this.watch?.stop();
    this.probe?.abort();
    for (const stop of this.stopWatching) stop();
  }

  // Whether to try writes: false while none is known to be taken.
  get mayWrite(): ReadonlySignal<boolean> {
    return this.writable;
  }

  get isReadOnly(): boolean {
    return this.connection.peek().kind === 'read_only';
  }

  // What was read holds everything up to `position`.
  startAt(position: bigint, clusterId: string): void {
    if (this.position === undefined || position > this.position || clusterId !== this.clusterId) {
      this.position = position;
      this.recentFrom = position;
    }
    this.clusterId = clusterId;
    this.hasStart.value = true;
  }

  // Events after `position`, to lay over an answer that is as old as that.
  since(position: bigint): readonly WatchResponse[] {
    return this.recent.filter((event) => event.position > position);
  }

  // Whether `since(position)` is everything that came after it. Else an answer as of that position lacks something.
  hasAllSince(position: bigint): boolean {
    return this.recentFrom === undefined || position >= this.recentFrom;
  }

  // A call met a cluster that takes no writes.
  suspect(): void {
    if (!this.tabs.isLeader.peek()) this.tabs.post({ kind: 'trouble' });
    else if (this.connection.peek().kind === 'live') this.notWritable(undefined);
  }

  // ---- the leading tab ----

  private beginWatch(): void {
    const start = { ...(this.position === undefined ? {} : { position: this.position }), clusterId: this.clusterId };
    this.watch = new Watch(this.caller, start, this);
  }

  onConnected(node: string): void {
    this.node = node;
  }

  onResponse(response: WatchResponse, after: bigint): void {
    if (response.event.case === 'heartbeat') {
      const { writable, asOf } = response.event.value;
      if (writable) this.live();
      else this.notWritable(asOf?.ageMs);
      // Also to a tab whose own calls failed meanwhile.
      this.tabs.post({ kind: 'connection', connection: this.connection.peek() });
    }
    this.tabs.post({ kind: 'event', from: after, position: response.position, bytes: toBinary(WatchResponseSchema, response) });
    this.take(response);
  }

  onResync(position: bigint, clusterId: string): void {
    this.clusterId = clusterId;
    this.tabs.post({ kind: 'resync', position });
    this.resync(position);
  }

  onTrouble(): void {
    // A stream that goes on at another node at once is nothing to be told about.
    this.trouble ??= setTimeout(() => { this.unreachable(); }, kMoveTime_ms);
  }

  onEnd(): void {
    this.handler.onSessionEnd();
  }

  // No node answers, or none lets the stream begin.
  unreachable(): void {
    const { kind } = this.connection.peek();
    if (kind === 'live' || kind === 'connecting' || kind === 'read_only') {
      this.writable.value = false;
      this.set({ kind: 'reconnecting', sinceMs: Date.now() });
    }
    if (this.tabs.isLeader.peek()) this.beginProbe();
  }

  // A call to this node failed: if the stream is there as well, it need not wait for the silence to grow long.
  onNodeFailed(node: string): void {
    if (node === this.node) this.watch?.move();
  }

  private live(): void {
    clearTimeout(this.trouble);
    this.trouble = undefined;
    this.probe?.abort();
    this.probe = undefined;
    this.writable.value = true;
    const now = this.connection.peek();
    if (now.kind !== 'live' || now.node !== this.node) this.set({ kind: 'live', node: this.node });
  }

  private notWritable(age_ms: number | undefined): void {
    clearTimeout(this.trouble);
    this.trouble = undefined;
    this.writable.value = false;
    const now = this.connection.peek();
    const sinceMs = now.kind === 'read_only' ? now.sinceMs : Date.now();
    this.set({ kind: 'read_only', sinceMs, ...(age_ms === undefined ? {} : { ageMs: age_ms }) });
    this.beginProbe();
  }

  // While writes do not work: asks each node in turn what it thinks, since a heartbeat comes every two seconds only, and
  // since another node may be on the majority's side.
  private beginProbe(): void {
    if (this.probe) return;
    const probe = new AbortController();
    this.probe = probe;
    void (async () => {
      for (let turn = 0; !probe.signal.aborted && !this.over.signal.aborted; ++turn) {
        await pause(kProbeEvery_ms, probe.signal);
        const origins = this.caller.nodes.origins();
        const node = origins[turn % origins.length];
        if (node === undefined || probe.signal.aborted || !this.platform.isOnline()) continue;
        const answer = await this.caller.once(ClusterService.method.getStatus, {}, node, kProbeTimeout_ms, probe.signal);
        if (!answer.ok || probe.signal.aborted) continue;
        this.onStatus(answer.value);
        this.onProbed(node, answer.value);
      }
    })();
  }

  private onProbed(node: string, status: GetStatusResponse): void {
    const now = this.connection.peek();
    if (!status.writable) {
      if (now.kind === 'reconnecting' || now.kind === 'read_only') this.notWritable(status.asOf?.ageMs);
      return;
    }
    if (now.kind === 'read_only' && node === this.node) {
      this.live();
      return;
    }
    this.writable.value = true;
    // `once` has made it the node that is asked first.
    if (node !== this.node) this.watch?.move();
  }

  private set(connection: Connection): void {
    this.connection.value = connection;
    if (this.tabs.isLeader.peek()) this.tabs.post({ kind: 'connection', connection });
  }

  private onOnlineChange(): void {
    if (!this.platform.isOnline()) {
      this.writable.value = false;
      this.connection.value = { kind: 'offline', sinceMs: Date.now() };
      // A stream that is there after all, of a node on this machine, says so itself.
      this.watch?.move();
      return;
    }
    this.caller.nodes.forgive();
    this.connection.value = { kind: 'reconnecting', sinceMs: Date.now() };
    if (this.tabs.isLeader.peek()) this.watch?.move();
    else this.tabs.post({ kind: 'hello' });
  }

  // ---- every tab ----

  private onTabMessage(message: TabMessage): void {
    const leads = this.tabs.isLeader.peek();
    if (message.kind === 'hello' || message.kind === 'trouble') {
      if (!leads) return;
      if (message.kind === 'trouble') this.suspect();
      this.tabs.post({ kind: 'connection', connection: this.connection.peek() });
      return;
    }
    if (leads) {
      // The tab that led before may have said this just before it closed: the stream will say it again.
      if (message.kind === 'outbox' && message.sent) this.handler.onSent(fromBinary(MessageSchema, message.sent));
      return;
    }
    switch (message.kind) {
      case 'connection':
        this.connection.value = message.connection;
        this.writable.value = message.connection.kind === 'live';
        return;
      case 'event':
        this.follow(message.from, fromBinary(WatchResponseSchema, message.bytes));
        return;
      case 'resync':
        this.resync(message.position);
        return;
      case 'outbox':
        if (message.sent) this.handler.onSent(fromBinary(MessageSchema, message.sent));
        return;
    }
  }

  private follow(from: bigint, response: WatchResponse): void {
    if (this.position === undefined) return; // the lists are still being read, and will hold it
    if (from > this.position) this.resync(response.position);
    else this.take(response);
  }

  private take(response: WatchResponse): void {
    if (this.position !== undefined && response.position <= this.position) return;
    this.position = response.position;
    if (response.event.case === 'heartbeat' || response.event.case === undefined) return;
    this.recent.push(response);
    if (this.recent.length > kKeptEvents) this.recentFrom = this.recent.splice(0, kKeptEvents / 2).at(-1)?.position;
    this.handler.onEvent(response);
  }

  private resync(position: bigint): void {
    this.position = position;
    this.recentFrom = position;
    this.recent.length = 0;
    this.handler.reload(position);
  }
}

