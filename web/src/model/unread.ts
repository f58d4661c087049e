// How many messages are unread in each conversation: read from a node, then counted on by the events that came later.
import { computed, signal } from '@preact/signals';

import { MessageService, type WatchResponse } from '../gen/parley/v1/api_pb';
import type { Feed } from './feed';
import { earlier, positionAsOf, type Reading } from './reading';

const kPageSize = 500;
const kMostPages = 20;

export class Unread {
  readonly counts = signal<ReadonlyMap<bigint, number>>(new Map()); // by conversation
  readonly total = computed(() => [...this.counts.value.values()].reduce((sum, count) => sum + count, 0));
  private asOf = 0n;
  private loads = 0;

  constructor(
    private readonly reading: Reading,
    private readonly account: bigint,
    private readonly feed: Pick<Feed, 'since' | 'hasAllSince'>,
  ) {}

  // Says as of when, and of which cluster.
  async load(): Promise<{ readonly position: bigint; readonly clusterId: string }> {
    const load = ++this.loads;
    const counts = new Map<bigint, number>();
    let token = '';
    let asOf: bigint | undefined;
    let clusterId = '';
    for (let page = 0; page < kMostPages; ++page) {
      const pageToken = token;
      const answer = await this.reading.read(MessageService.method.getUnreadCounts, (stale) => ({ pageSize: kPageSize, pageToken, stale }));
      asOf = earlier(asOf, positionAsOf(answer.asOf));
      clusterId = answer.asOf?.clusterId ?? '';
      for (const each of answer.counts) counts.set(each.conversationId, each.unreadCount);
      token = answer.nextPageToken;
      if (token === '') break;
    }
    const position = asOf ?? 0n;
    // One that lacks something, and is older than what is there, would only roll it back.
    if (load === this.loads && (position > this.asOf || this.feed.hasAllSince(position))) {
      this.asOf = position;
      this.counts.value = counts;
      for (const event of this.feed.since(position)) this.apply(event);
    }
    return { position, clusterId };
  }

  // True: only a node can say how many there are now.
  apply(event: WatchResponse): boolean {
    if (event.position <= this.asOf) return false;
    if (event.event.case !== 'message') return true;
    const message = event.event.value;
    if (message.recipientId !== this.account || message.senderId === this.account || message.read) return false;
    this.asOf = event.position;
    const counts = new Map(this.counts.value);
    counts.set(message.conversationId, (counts.get(message.conversationId) ?? 0) + 1);
    this.counts.value = counts;
    return false;
  }
}
