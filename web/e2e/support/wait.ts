// Waiting for a condition, with a deadline that only a broken program misses.
import { setTimeout as pause } from 'node:timers/promises';

export const kPatience_ms = 60_000;
const kBetweenLooks_ms = 20;

// The first answer of `look` that is neither false nor undefined. What it throws counts as "not yet".
export async function until<T>(what: string, look: () => Promise<T | false | undefined> | T | false | undefined, patience_ms = kPatience_ms): Promise<T> {
  const deadline = Date.now() + patience_ms;
  let last = '';
  for (;;) {
    try {
      const found = await look();
      if (found !== false && found !== undefined) return found;
    } catch (error) {
      last = `: ${String(error)}`;
    }
    if (Date.now() > deadline) throw new Error(`waited ${String(patience_ms / 1000)} s in vain: ${what}${last}`);
    await pause(kBetweenLooks_ms);
  }
}
