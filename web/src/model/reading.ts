// Reads as the page wants them: the newest if a majority can be asked, else what some node has applied.
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';

import { CallError } from '../api/errors';
import type { Caller } from '../api/caller';
import type { AsOf } from '../gen/parley/v1/api_pb';
import type { Outcome } from './contract';

const kFresh_ms = 4_000;
const kStale_ms = 4_000;

export class Reading {
  constructor(
    private readonly caller: Caller,
    private readonly isReadOnly: () => boolean,
  ) {}

  async read<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: (stale: boolean) => MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const { token } = this.caller;
    if (!this.isReadOnly()) {
      try {
        return await this.caller.read(method, request(false), { timeout_ms: kFresh_ms, token });
      } catch (error) {
        if (!(error instanceof CallError) || error.kind !== 'unavailable') throw error;
      }
    }
    return this.caller.read(method, request(true), { timeout_ms: kStale_ms, token });
  }
}

// Of a list that was read. Whole: the events after `position` are all known, and were laid over it. Else it is to be
// read again.
export interface Read {
  readonly position: bigint;
  readonly isWhole: boolean;
}

// Pages of one answer may come from several nodes: it is as old as the oldest.
export const earlier = (one: bigint | undefined, other: bigint): bigint => (one === undefined || other < one ? other : one);

export const positionAsOf = (asOf: AsOf | undefined): bigint => asOf?.position ?? 0n;

// The outcome of an action that ended in `error`.
export function failure(error: unknown): Outcome<never> {
  if (!(error instanceof CallError)) throw error;
  const field = error.info?.field ?? '';
  return {
    ok: false,
    unknown: error.kind === 'unknown',
    reason: error.reason,
    message: error.kind === 'unknown' ? `It is not known whether this was done. ${error.message}` : error.message,
    ...(field === '' ? {} : { field }),
  };
}

export const done: Outcome = { ok: true, value: undefined };

export const dateOf = (time: { readonly seconds: bigint; readonly nanos: number } | undefined): Date | undefined =>
  time ? new Date(Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6)) : undefined;
