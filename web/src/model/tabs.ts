// All tabs of one browser that show one account: one of them leads (a Web Lock decides), holds the stream of events and
// empties the outbox; the others hear of it by a BroadcastChannel.
import { signal, type ReadonlySignal } from '@preact/signals';

import type { Connection } from './contract';
import type { Platform } from './platform';

// What tabs tell each other. Bytes are protobuf: a WatchResponse, a Message.
export type TabMessage =
  // Everything after `from` up to `position` is in this response; there may be nothing for this account.
  | { readonly kind: 'event'; readonly from: bigint; readonly position: bigint; readonly bytes: Uint8Array }
  | { readonly kind: 'resync'; readonly position: bigint }
  | { readonly kind: 'connection'; readonly connection: Connection }
  | { readonly kind: 'hello' } // a tab that opened: whoever leads says how the connection is
  | { readonly kind: 'outbox'; readonly sent?: Uint8Array } // it changed; `sent`: the message that was just committed
  | { readonly kind: 'trouble' }; // a write met a cluster without a leader

export class Tabs {
  private readonly over = new AbortController();
  private readonly channel;
  private readonly leads = signal(false);
  private readonly listeners = new Set<(message: TabMessage) => void>();

  constructor(platform: Platform, account: string) {
    this.channel = platform.channel(`parley.${account}`);
    this.channel.onMessage = (message) => {
      for (const listener of this.listeners) listener(message as TabMessage);
    };
    platform.holdLock(`parley.${account}`, () => { if (!this.over.signal.aborted) this.leads.value = true; }, this.over.signal);
  }

  get isLeader(): ReadonlySignal<boolean> {
    return this.leads;
  }

  listen(listener: (message: TabMessage) => void): void {
    this.listeners.add(listener);
  }

  // To all other tabs.
  post(message: TabMessage): void {
    if (!this.over.signal.aborted) this.channel.post(message);
  }

  close(): void {
    this.listeners.clear();
    this.over.abort();
    this.channel.close();
    this.leads.value = false;
  }
}
