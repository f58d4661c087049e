// What a failed attempt says: whether the node answered at all, and whether the write may have happened.
import { Code, ConnectError } from '@connectrpc/connect';

import { ErrorInfoSchema, Outcome, type ErrorInfo } from '../gen/parley/v1/api_pb';

// refused: nothing happened. unknown: a write that may have happened; the same request_id settles it.
// unavailable: a read that nobody answered.
export type CallErrorKind = 'refused' | 'unknown' | 'unavailable';

export class CallError extends Error {
  constructor(
    readonly kind: CallErrorKind,
    readonly reason: string,
    message: string,
    readonly attempt: AttemptError,
  ) {
    super(message);
  }

  get info(): ErrorInfo | undefined {
    return this.attempt.info;
  }
}

// One attempt at one node. `info` is absent where no node of ours answered: the network failed, or something between.
export interface AttemptError {
  readonly code: Code;
  readonly message: string;
  readonly info?: ErrorInfo;
}

export function toAttemptError(error: unknown): AttemptError {
  const connect = ConnectError.from(error);
  const [info] = connect.findDetails(ErrorInfoSchema);
  return { code: connect.code, message: connect.rawMessage, ...(info ? { info } : {}) };
}

// Decided in the log: final for its request_id.
export const isFinal = (error: AttemptError): boolean => error.info !== undefined && error.info.position !== 0n;

export const isRefused = (error: AttemptError): boolean => error.info?.outcome === Outcome.REFUSED;

export function serverTime_ms(error: AttemptError): number | undefined {
  const time = error.info?.serverTime;
  return time ? Number(time.seconds) * 1000 + Math.floor(time.nanos / 1e6) : undefined;
}

// Whether another node, or the same one later, may answer otherwise.
export function isWorthAnotherAttempt(error: AttemptError): boolean {
  if (!error.info) return true;
  switch (error.code) {
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.Aborted:
    case Code.Canceled:
    case Code.Internal:
    case Code.Unknown:
      return true;
    case Code.ResourceExhausted: // overload passes; a limit of the request itself names its field
      return error.info.field === '';
    default:
      return false;
  }
}

// The session is no longer good anywhere: its token is refused, not a password.
export function isSessionEnd(error: AttemptError): boolean {
  return error.code === Code.Unauthenticated && ['SESSION_ENDED', 'TOKEN_MALFORMED', 'TOKEN_MISSING'].includes(error.info?.reason ?? '');
}
