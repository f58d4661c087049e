// The state of the cluster as one node sees it, once a second, from whichever node answers.
import { signal, type ReadonlySignal } from '@preact/signals';
import { createContextValues } from '@connectrpc/connect';

import { ClusterService, Role, Suffrage, WatchStatusRequestSchema, type GetStatusResponse, type Node } from '../gen/parley/v1/api_pb';
import { create } from '@bufbuild/protobuf';
import { pause, type Caller } from '../api/caller';
import type { ClusterNode, ClusterView } from './contract';
import { dateOf } from './reading';

const kInterval_ms = 1_000;
const kSilence_ms = 3_000;
const kSamples = 60;
const kLongestPause_ms = 1_000;

const kRoles: Readonly<Record<Role, ClusterNode['role']>> = {
  [Role.UNSPECIFIED]: 'unknown',
  [Role.FOLLOWER]: 'follower',
  [Role.CANDIDATE]: 'candidate',
  [Role.LEADER]: 'leader',
};

export class ClusterFeed {
  private readonly shown = signal<ClusterView | null>(null);
  private readonly over = new AbortController();
  private readonly samples: number[] = [];
  private lastCommit: { readonly index: bigint; readonly at_ms: number } | undefined;

  constructor(
    private readonly caller: Caller,
    private readonly onStatus: (status: GetStatusResponse) => void,
  ) {
    void this.run();
  }

  get view(): ReadonlySignal<ClusterView | null> {
    return this.shown;
  }

  stop(): void {
    this.over.abort();
  }

  private async run(): Promise<void> {
    const tried = new Set<string>();
    for (let failures = 0; !this.over.signal.aborted; ) {
      if (tried.size >= this.caller.nodes.count) tried.clear();
      const node = this.caller.nodes.pick(tried);
      tried.add(node);
      if (await this.serve(node)) {
        failures = 0;
        tried.clear();
      }
      if (this.over.signal.aborted) return;
      failures += 1;
      const view = this.shown.peek();
      if (view && failures >= 2) this.shown.value = { ...view, reachable: false };
      const rounds = Math.floor(failures / this.caller.nodes.count);
      if (rounds > 0) await pause(Math.min(100 * 2 ** rounds, kLongestPause_ms), this.over.signal);
    }
  }

  // True: it answered at least once.
  private async serve(node: string): Promise<boolean> {
    const stream = new AbortController();
    const stop = (): void => { stream.abort(); };
    this.over.signal.addEventListener('abort', stop);
    let timer = setTimeout(stop, kSilence_ms);
    async function* requests() {
      yield await Promise.resolve(create(WatchStatusRequestSchema, { intervalMs: kInterval_ms }));
    }
    let hasAnswered = false;
    try {
      const answer = await this.caller
        .transportOf(node)
        .stream(ClusterService.method.watchStatus, stream.signal, undefined, this.caller.headers(), requests(), createContextValues());
      for await (const { status } of answer.message) {
        clearTimeout(timer);
        if (stream.signal.aborted) break;
        timer = setTimeout(stop, kSilence_ms);
        if (!hasAnswered) this.caller.nodes.succeeded(node);
        hasAnswered = true;
        if (status) this.show(node, status);
      }
    } catch {
      if (!this.over.signal.aborted) this.caller.nodes.failed(node);
    } finally {
      clearTimeout(timer);
      this.over.signal.removeEventListener('abort', stop);
      stream.abort();
    }
    return hasAnswered;
  }

  private show(node: string, status: GetStatusResponse): void {
    this.onStatus(status);
    this.sample(status.commitIndex);
    const changes = status.leaderChanges.map((change) => ({
      term: change.term,
      leaderId: change.leaderId,
      at: dateOf(change.at) ?? new Date(0),
      ...(change.gapMs === undefined ? {} : { gapMs: change.gapMs }),
    }));
    this.shown.value = {
      clusterId: status.clusterId,
      nodes: status.nodes.map((each) => showNode(each, status)).sort((a, b) => a.id - b.id),
      leaderId: status.leaderId,
      term: status.term,
      commitIndex: status.commitIndex,
      appliedIndex: status.appliedIndex,
      writable: status.writable,
      ...(status.asOf?.ageMs === undefined ? {} : { ageMs: status.asOf.ageMs }),
      writesPerSecond: [...this.samples],
      leaderChanges: changes.sort((a, b) => (b.term > a.term ? 1 : -1)),
      askedNode: node,
      askedId: status.nodeId,
      version: status.version,
      reachable: true,
    };
  }

  // A node counts the writes that it acknowledged itself; those of the whole cluster are the entries committed. One
  // that is behind the one asked before shows no negative rate.
  private sample(commitIndex: bigint): void {
    const at_ms = performance.now();
    const before = this.lastCommit;
    if (before && commitIndex < before.index) return;
    this.lastCommit = { index: commitIndex, at_ms };
    if (!before) return;
    const seconds = Math.max((at_ms - before.at_ms) / 1000, 0.001);
    const rate = Math.round((Number(commitIndex - before.index) / seconds) * 10) / 10;
    // Where no node answered for a while, its seconds are shown as well.
    const count = Math.min(Math.max(Math.round(seconds), 1), kSamples);
    for (let sample = 0; sample < count; ++sample) this.samples.push(rate);
    if (this.samples.length > kSamples) this.samples.splice(0, this.samples.length - kSamples);
  }
}

function showNode(node: Node, status: GetStatusResponse): ClusterNode {
  const behind = status.commitIndex > node.matchIndex ? Number(status.commitIndex - node.matchIndex) : 0;
  return {
    id: node.id,
    role: kRoles[node.role],
    voter: node.suffrage === Suffrage.VOTER,
    peerAddr: node.peerAddr,
    clientAddr: node.clientAddr,
    httpAddr: node.httpAddr,
    matchIndex: node.matchIndex,
    lag: behind,
    ...(node.lastContactMs === undefined ? {} : { lastContactMs: node.lastContactMs }),
    healthy: node.healthy,
    asked: node.id === status.nodeId,
  };
}
