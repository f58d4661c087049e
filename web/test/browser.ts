// A browser for tests: what its tabs share, and each tab's view of it.
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import type { Transport } from '@connectrpc/connect';

import { createApp, type RunningApp } from '../src/model/app';
import type { ConversationRow, ShownMessage, Timeline } from '../src/model/contract';
import type { Channel, KeyValue, Platform } from '../src/model/platform';
import type { FakeCluster } from './fake_cluster';

export async function until(condition: () => boolean, what = 'the condition', deadline_ms = 60_000): Promise<void> {
  const end = Date.now() + deadline_ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

export class FakeBrowser {
  private readonly values = new Map<string, string>();
  private readonly changes = new Map<Tab, Set<(name: string) => void>>();
  private readonly channels = new Map<string, Set<FakeChannel>>();
  private readonly locks = new Map<string, (() => void)[]>(); // who holds it, then who waits
  private readonly onlineChanges = new Set<() => void>();
  readonly indexedDB = new IDBFactory();
  private online = true;
  hasLocks = true; // false: as a page that is neither on HTTPS nor on localhost

  constructor(
    readonly transport: (origin: string) => Transport,
    readonly origin: string,
  ) {}

  static of(cluster: FakeCluster, at = 0): FakeBrowser {
    return new FakeBrowser(cluster.transport, cluster.node(at).origin);
  }

  openTab(origin = this.origin): Tab {
    return new Tab(this, origin);
  }

  // What its tabs know of the cluster.
  get knownNodes(): number {
    return (JSON.parse(this.values.get('parley.nodes') ?? '[]') as string[]).length;
  }

  setOnline(online: boolean): void {
    this.online = online;
    for (const changed of this.onlineChanges) changed();
  }

  platform(tab: Tab, origin: string): Platform {
    const keyValue: KeyValue = {
      get: (name) => this.values.get(name) ?? null,
      set: (name, value) => {
        if (value === null) this.values.delete(name);
        else this.values.set(name, value);
        for (const [other, listeners] of this.changes) if (other !== tab) for (const changed of listeners) queueMicrotask(() => { changed(name); });
      },
      onChange: (changed) => {
        const listeners = this.changes.get(tab) ?? new Set();
        this.changes.set(tab, listeners.add(changed));
        return () => listeners.delete(changed);
      },
    };
    return {
      origin,
      keyValue,
      indexedDB: this.indexedDB,
      holdLock: (name, granted, signal) => { this.holdLock(name, granted, signal); },
      channel: (name) => new FakeChannel(this.channels, name),
      isOnline: () => this.online,
      onOnlineChange: (changed) => {
        this.onlineChanges.add(changed);
        return () => this.onlineChanges.delete(changed);
      },
      transport: this.transport,
    };
  }

  private holdLock(name: string, granted: () => void, signal: AbortSignal): void {
    if (!this.hasLocks) {
      granted();
      return;
    }
    const queue = this.locks.get(name) ?? [];
    this.locks.set(name, queue);
    queue.push(granted);
    if (queue.length === 1) queueMicrotask(granted);
    signal.addEventListener('abort', () => {
      const held = queue[0] === granted;
      queue.splice(queue.indexOf(granted), 1);
      if (held && queue[0]) queueMicrotask(queue[0]);
    });
  }
}

class FakeChannel implements Channel {
  onMessage: (message: unknown) => void = () => undefined;
  constructor(
    private readonly all: Map<string, Set<FakeChannel>>,
    private readonly name: string,
  ) {
    all.set(name, (all.get(name) ?? new Set()).add(this));
  }
  post(message: unknown): void {
    for (const other of this.all.get(this.name) ?? []) {
      const copy: unknown = structuredClone(message);
      if (other !== this) queueMicrotask(() => { other.onMessage(copy); });
    }
  }
  close(): void {
    this.all.get(this.name)?.delete(this);
  }
}

export class Tab {
  readonly app: RunningApp;

  constructor(browser: FakeBrowser, origin: string) {
    this.app = createApp(browser.platform(this, origin));
  }

  async signIn(name: string): Promise<void> {
    const outcome = await this.app.logIn(name, 'password');
    if (!outcome.ok) throw new Error(outcome.message);
    await this.isLive();
  }

  async isLive(): Promise<void> {
    await until(() => this.app.connection.value.kind === 'live' && this.app.conversationsLoaded.value, 'a live connection');
  }

  async open(name: string): Promise<Timeline> {
    const timeline = this.app.open({ name });
    await until(() => timeline.loading.value === null, `the messages with ${name}`);
    return timeline;
  }

  row(peer: string): ConversationRow | undefined {
    return this.app.conversations.value.find((row) => row.peer === peer);
  }

  close(): void {
    this.app.close();
  }
}

export const bodies = (timeline: Timeline): string[] => timeline.messages.value.map((message) => message.body);
export const marks = (timeline: Timeline): (ShownMessage['mark'])[] => timeline.messages.value.map((message) => message.mark);
