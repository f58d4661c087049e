// How many messages are unread in each conversation: read from a node, then counted on by the events that came later.
import { computed, signal } from '@preact/signals';

import { MessageService, type Message, type WatchResponse } from '../gen/parley/v1/api_pb';
import type { Feed } from './feed';
import { earlier, positionAsOf, type Read, type Reading } from './reading';

const kPageSize = 500;
const kMostPages = 20;

export class Unread {
  readonly counts = signal<ReadonlyMap<bigint, number>>(new Map()); // by conversation
  readonly total = computed(() => [...this.counts.value.values()].reduce((sum, count) => sum + count, 0));
  private asOf = 0n; // of the answer, and the events after it
  private loads = 0;

  constructor(
    private readonly reading: Reading,
    private readonly account: bigint,
    private readonly feed: Pick<Feed, 'since' | 'hasAllSince'>,
  ) {}

  // Says as of when, and of which cluster.
  async load(): Promise<Read & { readonly clusterId: string }> {
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
    let isWhole = this.feed.hasAllSince(position);
    const events = this.feed.since(position);
    for (const { event } of events) {
      if (event.case === 'message') this.count(counts, event.value);
      else isWhole = false;
    }
    // One that lacks something, and is older than what is there, would only roll it back.
    if (load === this.loads && (position > this.asOf || isWhole)) {
      this.asOf = position;
      this.counts.value = counts;
      for (const event of events) this.heard(event);
    }
    return { position, clusterId, isWhole };
  }

  // True: only a node can say how many there are now.
  apply(event: WatchResponse): boolean {
    if (event.position <= this.asOf) return false;
    this.heard(event);
    if (event.event.case !== 'message') return true;
    const counts = new Map(this.counts.peek());
    if (this.count(counts, event.event.value)) this.counts.value = counts;
    return false;
  }

  // Up to there everything is known, if nothing is missing before it.
  private heard(event: WatchResponse): void {
    if (event.position > this.asOf && this.feed.hasAllSince(this.asOf)) this.asOf = event.position;
  }

  private count(counts: Map<bigint, number>, message: Message): boolean {
    if (message.recipientId !== this.account || message.senderId === this.account || message.read) return false;
    counts.set(message.conversationId, (counts.get(message.conversationId) ?? 0) + 1);
    return true;
  }
}
