// What is known of one write over all of its attempts (rule 6): an unknown outcome stays unknown until an answer with a
// position settles it; "refused" without one speaks of its own attempt alone.
import { Code } from '@connectrpc/connect';

import { isFinal, isRefused, isWorthAnotherAttempt, serverTime_ms, type AttemptError } from './errors';

export type Next = 'again' | 'again_with_new_id' | 'stop';

export class WriteProgress {
  private idWasChanged = false;

  constructor(
    public isUnknown = false,
    private readonly mayChangeId = true,
  ) {}

  // `isSoonTaken`: an id that is refused as too far ahead will be good before what is under way with it is surely over.
  onError(error: AttemptError, isSoonTaken = false): Next {
    // Made a moment ago by a clock that is days behind, never sent before, and never executed: a node that may have sent it
    // twice tells no position.
    const wasTooOldWhenMade = error.info?.reason === 'REQUEST_ID_FORGOTTEN' && isFinal(error);
    if (wasTooOldWhenMade && !this.isUnknown && this.mayChangeId && !this.idWasChanged) {
      this.idWasChanged = true;
      return 'again_with_new_id';
    }
    if (isFinal(error) && isRefused(error)) this.isUnknown = false;
    else if (!isRefused(error)) this.isUnknown = true;

    const clockWasWrong = error.code === Code.FailedPrecondition && serverTime_ms(error) !== undefined;
    if (clockWasWrong) {
      // Never executed under this id. Another id is right only if no earlier attempt can have happened, or still can.
      if (this.isUnknown && isSoonTaken) return 'again';
      if (this.isUnknown || !this.mayChangeId || this.idWasChanged) return 'stop';
      this.idWasChanged = true;
      return 'again_with_new_id';
    }
    if (isFinal(error)) return 'stop';
    if (isWorthAnotherAttempt(error)) return 'again';
    return this.isUnknown ? 'again' : 'stop';
  }

  // It was not changed: others have begun with it, so that it may happen.
  keepsId(): void {
    this.idWasChanged = false;
    this.isUnknown = true;
  }
}
