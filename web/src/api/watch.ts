// The stream of one's events, from whichever node serves it: a stream that ends or falls silent goes on at another node
// from the last position, so that nothing is missed and nothing is shown twice.
import { create } from '@bufbuild/protobuf';
import { Code, createContextValues } from '@connectrpc/connect';

import { MessageService, WatchRequestSchema, type WatchResponse } from '../gen/parley/v1/api_pb';
import { pause, type Caller } from './caller';
import { isSessionEnd, isWorthAnotherAttempt, toAttemptError, type AttemptError } from './errors';

const kSilence_ms = 6_000; // a heartbeat comes every 2 s
const kFirstPause_ms = 100;
const kLongestPause_ms = 2_000;
const kOfflinePause_ms = 8_000; // the browser says when it is online again

export interface WatchStart {
  position?: bigint; // absent: from now on
  clusterId: string;
}

export interface WatchHandler {
  // A stream has begun at `node`: its first heartbeat follows by onResponse.
  onConnected(node: string): void;
  // Events in the order of their positions, each once, and heartbeats. `after`: the position that was reached before.
  onResponse(response: WatchResponse, after: bigint): void;
  // What came after the last position cannot be had any more (or this is another cluster): read everything again. The
  // new stream has already begun at `position`, so that nothing falls between it and what is read now.
  onResync(position: bigint, clusterId: string): void;
  onTrouble(node: string, error: AttemptError): void;
  // No node will serve this session.
  onEnd(error: AttemptError): void;
}

export class Watch {
  private readonly stopped = new AbortController();
  private stream: AbortController | undefined;
  private resting: AbortController | undefined;
  private resyncIsDue = false;
  private failures = 0; // in a row
  readonly ended: Promise<void>;

  constructor(
    private readonly caller: Caller,
    private readonly start: WatchStart,
    private readonly handler: WatchHandler,
    private readonly silence_ms = kSilence_ms,
  ) {
    this.ended = this.run();
  }

  get position(): bigint | undefined {
    return this.start.position;
  }

  stop(): void {
    this.stopped.abort();
    this.move();
  }

  // Goes on at another node, at once.
  move(): void {
    this.stream?.abort();
    this.resting?.abort();
  }

  private async run(): Promise<void> {
    const tried = new Set<string>();
    while (!this.stopped.signal.aborted) {
      const { nodes } = this.caller;
      if (tried.size >= nodes.count) tried.clear();
      const node = nodes.pick(tried);
      tried.add(node);
      const failuresBefore = this.failures;
      const why = await this.serve(node);
      if (this.stopped.signal.aborted) return;
      if (why === 'resync') {
        tried.clear();
        continue;
      }
      if (why.info && (isSessionEnd(why) || !isWorthAnotherAttempt(why))) {
        this.handler.onEnd(why);
        return;
      }
      if (failuresBefore > 0 && this.failures === 0) tried.clear();
      this.failures += 1;
      nodes.failed(node);
      this.handler.onTrouble(node, why);
      await this.rest(nodes.count);
    }
  }

  // Every node is tried at once; then with pauses that grow.
  private async rest(nodeCount: number): Promise<void> {
    const rounds = Math.floor(this.failures / nodeCount);
    if (rounds === 0) return;
    const longest = this.caller.isOnline() ? Math.min(kFirstPause_ms * 2 ** (rounds - 1), kLongestPause_ms) : kOfflinePause_ms;
    this.resting = new AbortController();
    await pause(longest * (0.5 + Math.random() / 2), this.resting.signal);
    this.resting = undefined;
  }

  private async serve(node: string): Promise<AttemptError | 'resync'> {
    const stream = new AbortController();
    this.stream = stream;
    let timer = setTimeout(() => { stream.abort(); }, this.silence_ms);
    const request = create(WatchRequestSchema, {
      ...(this.start.position === undefined ? {} : { afterPosition: this.start.position }),
      clusterId: this.start.clusterId,
    });
    async function* requests() {
      yield await Promise.resolve(request);
    }
    try {
      const transport = this.caller.transportOf(node);
      const answer = await transport.stream(MessageService.method.watch, stream.signal, undefined, this.caller.headers(), requests(), createContextValues());
      let isFirst = true;
      for await (const response of answer.message) {
        clearTimeout(timer);
        if (stream.signal.aborted || this.stopped.signal.aborted) break;
        timer = setTimeout(() => { stream.abort(); }, this.silence_ms);
        if (response.event.case === 'resync') {
          delete this.start.position;
          this.resyncIsDue = true;
          stream.abort();
          return 'resync';
        }
        if (isFirst) this.begun(node, response);
        isFirst = false;
        this.deliver(response);
      }
      return { code: Code.Unavailable, message: 'the stream ended' };
    } catch (error) {
      return toAttemptError(error);
    } finally {
      clearTimeout(timer);
      stream.abort();
    }
  }

  private begun(node: string, first: WatchResponse): void {
    this.failures = 0;
    this.caller.nodes.succeeded(node);
    const clusterId = first.event.case === 'heartbeat' ? (first.event.value.asOf?.clusterId ?? '') : '';
    if (clusterId !== '') this.start.clusterId = clusterId;
    this.handler.onConnected(node);
    if (!this.resyncIsDue) return;
    this.resyncIsDue = false;
    this.start.position = first.position;
    this.handler.onResync(first.position, this.start.clusterId);
  }

  private deliver(response: WatchResponse): void {
    const after = this.start.position ?? response.position;
    const isNew = this.start.position === undefined || response.position > after;
    if (!isNew && response.event.case !== 'heartbeat') return;
    if (isNew) this.start.position = response.position;
    this.handler.onResponse(response, after);
  }
}
