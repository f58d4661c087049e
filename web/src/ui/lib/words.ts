// Sentences that several views say in the same words.
import type { Connection, Mark } from '../../model/contract';
import { durationLabel } from './times';

export function markName(mark: Mark): string {
  switch (mark) {
    case 'queued': return 'Queued';
    case 'sending': return 'Sending';
    case 'asking_again': return 'Outcome unknown, asking again';
    case 'committed': return 'Committed';
    case 'read': return 'Read';
    case 'failed': return 'Failed';
  }
}

export function markMeaning(mark: Mark): string {
  switch (mark) {
    case 'queued': return 'Queued: kept in this browser, and sent as soon as a node takes it.';
    case 'sending': return 'Sending: not yet confirmed by the cluster.';
    case 'asking_again': return 'Outcome unknown: the answer was lost. Asking again under the same request id, so it cannot arrive twice.';
    case 'committed': return 'Committed: stored on a majority of disks. No single failure can lose it.';
    case 'read': return 'Read by its recipient. Stored on a majority of disks.';
    case 'failed': return 'Failed: the cluster refused it. It was not delivered.';
  }
}

export function plural(count: number, one: string, many: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

export interface BannerText {
  readonly tone: 'info' | 'warning';
  readonly headline: string;
  readonly detail: string;
}

// Null while writes work. What the page does with the queue is said only if there is one.
export function bannerText(connection: Connection, queuedCount: number): BannerText | null {
  const waiting = queuedCount === 0 ? '' : `${plural(queuedCount, 'message waits', 'messages wait')} here and will be sent in order, once each.`;
  switch (connection.kind) {
    case 'live':
    case 'connecting':
      return null;
    case 'reconnecting':
      return { tone: 'info', headline: 'Reconnecting…', detail: waiting === '' ? 'Looking for a node that answers.' : waiting };
    case 'read_only': {
      const age = connection.ageMs === undefined || connection.ageMs < 5_000 ? '' : `What you see is ${durationLabel(connection.ageMs)} old. `;
      return { tone: 'warning', headline: 'Read-only: the cluster has no majority.', detail: age + (waiting === '' ? 'Messages that you write wait here until it has.' : waiting) };
    }
    case 'offline':
      return { tone: 'warning', headline: 'You are offline.', detail: waiting === '' ? 'Messages that you write wait here.' : waiting };
  }
}

export function tabTitle(unread: number, base = 'Parley'): string {
  return unread === 0 ? base : `(${unread > 999 ? '999+' : String(unread)}) ${base}`;
}

export function badgeText(unread: number): string {
  return unread > 999 ? '999+' : String(unread);
}
