// Marks messages read that were seen: in batches, and again later when the cluster took none.
import { effect, type ReadonlySignal } from '@preact/signals';

import { MessageService } from '../gen/parley/v1/api_pb';
import type { Caller } from '../api/caller';
import { CallError } from '../api/errors';

const kGather_ms = 250;
const kAgain_ms = 2_000;
const kMostIds = 1_000;

export class ReadMarks {
  private readonly seen = new Set<bigint>();
  private readonly over = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isSending = false;
  private readonly stopWatching: () => void;

  constructor(
    private readonly caller: Caller,
    private readonly isWanted: ReadonlySignal<boolean>,
    private readonly mayWrite: ReadonlySignal<boolean>,
    private readonly onMarked: (ids: readonly bigint[]) => void,
  ) {
    this.stopWatching = effect(() => {
      if (!isWanted.value) this.seen.clear();
      else if (mayWrite.value && this.seen.size > 0) this.later(kGather_ms);
    });
  }

  add(ids: readonly bigint[]): void {
    if (!this.isWanted.peek()) return;
    for (const id of ids) this.seen.add(id);
    if (this.seen.size > 0) this.later(kGather_ms);
  }

  close(): void {
    this.over.abort();
    this.stopWatching();
    clearTimeout(this.timer);
  }

  private later(wait_ms: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.send();
    }, wait_ms);
  }

  private async send(): Promise<void> {
    if (this.isSending || this.over.signal.aborted || !this.mayWrite.peek()) return;
    this.isSending = true;
    const messageIds = [...this.seen].slice(0, kMostIds);
    try {
      if (messageIds.length > 0) {
        await this.caller.write(MessageService.method.markRead, (requestId) => ({ messageIds, requestId }), { signal: this.over.signal });
        this.onMarked(messageIds);
      }
      for (const id of messageIds) this.seen.delete(id);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      // None of them is there any more: nothing to be marked. Else marking again does no harm.
      if (error.kind === 'refused' && error.reason === 'MESSAGES_NOT_FOUND') for (const id of messageIds) this.seen.delete(id);
    } finally {
      this.isSending = false;
    }
    if (this.seen.size > 0) this.later(kAgain_ms);
  }
}
