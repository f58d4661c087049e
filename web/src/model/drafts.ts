// What was typed and not sent, per conversation partner: kept through reloads, the same in all tabs.
import { effect, signal, type Signal } from '@preact/signals';

import type { KeyValue } from './platform';

const nameOf = (account: string): string => `parley.drafts.${account}`;

export function forgetDrafts(keyValue: KeyValue, account: string): void {
  keyValue.set(nameOf(account), null);
}

// A name may be one that every object has: `constructor`, `__proto__`.
const textOf = (all: Record<string, string>, peer: string): string => (Object.hasOwn(all, peer) ? (all[peer] ?? '') : '');

export class Drafts {
  private readonly name: string;
  private readonly open = new Map<string, Signal<string>>();
  private readonly stop: () => void;

  constructor(
    private readonly keyValue: KeyValue,
    account: string,
  ) {
    this.name = nameOf(account);
    this.stop = keyValue.onChange((name) => {
      if (name !== this.name) return;
      const all = this.all();
      for (const [peer, draft] of this.open) draft.value = textOf(all, peer);
    });
  }

  of(peer: string): Signal<string> {
    const draft = this.open.get(peer) ?? signal(textOf(this.all(), peer));
    if (!this.open.has(peer)) {
      this.open.set(peer, draft);
      effect(() => { this.keep(peer, draft.value); });
    }
    return draft;
  }

  close(): void {
    this.stop();
  }

  private keep(peer: string, text: string): void {
    const all = this.all();
    if (textOf(all, peer) === text) return;
    const others = Object.entries(all).filter(([name]) => name !== peer);
    const kept = text === '' ? others : [...others, [peer, text] as const];
    this.keyValue.set(this.name, kept.length === 0 ? null : JSON.stringify(Object.fromEntries(kept)));
  }

  private all(): Record<string, string> {
    try {
      return JSON.parse(this.keyValue.get(this.name) ?? '{}') as Record<string, string>;
    } catch {
      return {};
    }
  }
}
