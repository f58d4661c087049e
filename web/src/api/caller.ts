// One method through whichever node answers: attempts with a limit each, the next node after a failure, pauses once
// every node has been asked. Reads may be asked anywhere again; a write goes out again with the same request_id.
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { Code, type Transport } from '@connectrpc/connect';

import type { AttemptError, CallErrorKind } from './errors';
import { CallError, isSessionEnd, isWorthAnotherAttempt, serverTime_ms, toAttemptError } from './errors';
import type { Nodes } from './nodes';
import type { RequestIds } from './request_ids';
import { WriteProgress } from './write_progress';

const kAttempt_ms = 2_500; // doubles
const kCall_ms = 10_000;
const kFirstPause_ms = 50;
const kLongestPause_ms = 1_000;

export interface CallOptions {
  readonly timeout_ms?: number;
  readonly signal?: AbortSignal;
  readonly token?: string | undefined; // of the session that it belongs to; else the one in which it begins
}

// A call ends with its session: no attempt of it goes out under the token of another one.
const kSessionOver: AttemptError = { code: Code.Canceled, message: 'The session of this call is over.' };
const sessionOver = (kind: CallErrorKind): CallError => new CallError(kind, 'SIGNED_OUT', kSessionOver.message, kSessionOver);

export type Attempt<T> = { readonly ok: true; readonly value: T; readonly node: string } | { readonly ok: false; readonly error: AttemptError; readonly node: string };

export function pause(duration_ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, duration_ms);
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done);
  });
}

// Asked nodes of one call. After a failure another one; a pause once all were asked, or one of them answered.
class Round {
  readonly tried = new Set<string>();
  made = 0;
  answered = 0;

  next(nodes: Nodes): string {
    if (this.tried.size >= nodes.count) this.tried.clear();
    const node = nodes.pick(this.tried);
    this.tried.add(node);
    this.made += 1;
    return node;
  }

  pause_ms(nodes: Nodes, error: AttemptError): number {
    const rounds = Math.floor(this.made / nodes.count);
    let pause = 0;
    if (this.answered > 0 || rounds > 0) {
      const doublings = Math.min(Math.max(this.answered - 1, rounds - 1, 0), 5);
      pause = Math.min(kFirstPause_ms * 2 ** doublings, kLongestPause_ms) * (0.75 + Math.random() / 2);
    }
    return Math.max(pause, error.info?.retryAfterMs ?? 0);
  }
}

export class Caller {
  // The session of an attempt's token has ended. With the token, for another may have been taken meanwhile.
  onSessionEnd: (token: string | undefined) => void = () => undefined;
  // What the browser says. Nodes on this machine are reached even without a network.
  isOnline: () => boolean = () => true;
  // A node did not answer.
  onNodeFailed: (node: string) => void = () => undefined;
  token: string | undefined;

  constructor(
    readonly nodes: Nodes,
    private readonly transport: (origin: string) => Transport,
    readonly requestIds: RequestIds,
  ) {}

  transportOf(origin: string): Transport {
    return this.transport(origin);
  }

  headers(): Headers {
    const headers = new Headers();
    if (this.token !== undefined) headers.set('authorization', `Bearer ${this.token}`);
    return headers;
  }

  async read<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const until = Date.now() + (options.timeout_ms ?? kCall_ms);
    const round = new Round();
    const token = this.tokenOf(options);
    for (;;) {
      if (this.token !== token) throw sessionOver('unavailable');
      const attempt = await this.attempt(method, request, round, until, options.signal);
      if (attempt.ok) return attempt.value;
      const { error } = attempt;
      if (!isWorthAnotherAttempt(error)) throw new CallError('refused', error.info?.reason ?? '', error.message, error);
      if (!(await this.mayGoOn(round, error, until, options.signal))) {
        throw new CallError('unavailable', error.info?.reason ?? 'UNAVAILABLE', error.info ? error.message : 'No node can be reached.', error);
      }
    }
  }

  // `request` is made anew for each request_id.
  async write<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: (requestId: string) => MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const until = Date.now() + (options.timeout_ms ?? kCall_ms);
    const round = new Round();
    const progress = new WriteProgress();
    const token = this.tokenOf(options);
    let requestId = this.requestIds.make();
    for (;;) {
      if (this.token !== token) throw sessionOver(progress.isUnknown ? 'unknown' : 'refused');
      const attempt = await this.attempt(method, request(requestId), round, until, options.signal);
      if (attempt.ok) return attempt.value;
      const { error } = attempt;
      const next = progress.onError(error);
      if (next === 'again_with_new_id') requestId = this.requestIds.make();
      if (next === 'stop' || !(await this.mayGoOn(round, error, until, options.signal))) {
        const kind = progress.isUnknown ? 'unknown' : 'refused';
        throw new CallError(kind, error.info?.reason ?? 'UNAVAILABLE', error.info ? error.message : 'No node can be reached.', error);
      }
    }
  }

  // One attempt at the node that is best now. `longest_ms` bounds it.
  async once<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    node: string,
    longest_ms: number,
    signal?: AbortSignal,
  ): Promise<Attempt<MessageShape<O>>> {
    const { token } = this;
    try {
      const message = create(method.input, request);
      const response = await this.transport(node).unary(method, signal, longest_ms, this.headers(), message);
      this.nodes.succeeded(node);
      return { ok: true, value: response.message, node };
    } catch (cause) {
      const error = toAttemptError(cause);
      const time = serverTime_ms(error);
      if (time !== undefined) this.requestIds.learn(time);
      if (error.info ? isGoingAway(error) : !signal?.aborted) {
        this.nodes.failed(node);
        this.onNodeFailed(node);
      }
      if (isSessionEnd(error)) this.onSessionEnd(token);
      return { ok: false, error, node };
    }
  }

  private tokenOf(options: CallOptions): string | undefined {
    return 'token' in options ? options.token : this.token;
  }

  private async attempt<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    round: Round,
    until: number,
    signal: AbortSignal | undefined,
  ): Promise<Attempt<MessageShape<O>>> {
    const longest_ms = kAttempt_ms * 2 ** Math.min(round.made, 5);
    const node = round.next(this.nodes);
    const attempt = await this.once(method, request, node, Math.max(1, Math.min(longest_ms, until - Date.now())), signal);
    if (!attempt.ok && attempt.error.info) round.answered += 1;
    return attempt;
  }

  private async mayGoOn(round: Round, error: AttemptError, until: number, signal: AbortSignal | undefined): Promise<boolean> {
    const pause_ms = round.pause_ms(this.nodes, error);
    if (!this.isOnline() && round.made >= this.nodes.count) return false;
    if (signal?.aborted || Date.now() + pause_ms >= until) return false;
    await pause(pause_ms, signal);
    return !signal?.aborted;
  }
}

// Answered, but by a node that serves nobody any more.
function isGoingAway(error: AttemptError): boolean {
  return error.code === Code.Unavailable && error.info?.reason === 'SHUTTING_DOWN';
}
