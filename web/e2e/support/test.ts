// What every test of the page has: a cluster of real nodes, people, browsers, and a look at their consoles at the end.
import { test as base, expect, type Browser, type BrowserContextOptions } from '@playwright/test';

import { Api, kPassword } from './api';
import { ChatPage } from './chat_page';
import { Cluster, type ClusterOptions } from './cluster';
import { ConsoleWatch } from './console';

export { expect } from '@playwright/test';
export type { ChatPage } from './chat_page';

export interface OpenOptions extends BrowserContextOptions {
  readonly node?: number; // whose page is opened; 1
  readonly host?: string; // how that node is called: 127.0.0.1 or localhost
  readonly as?: Api; // who logs in; nobody: the door is left closed
  readonly in?: Browser;
}

interface TestFixtures {
  readonly consoles: ConsoleWatch;
  // An account that nobody else has. Made by the API.
  readonly person: (kind: string) => Promise<Api>;
  // A browser of its own (profile, storage, service worker) with the page of a node.
  readonly open: (options?: OpenOptions) => Promise<ChatPage>;
}

interface WorkerFixtures {
  readonly clusterOptions: ClusterOptions;
  readonly cluster: Cluster;
}

let people = 0;

export function freshName(kind: string): string {
  people += 1;
  return `${kind}-${Date.now().toString(36)}${people.toString(36)}`;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  clusterOptions: [{ nodes: 3, proxied: false }, { option: true, scope: 'worker' }],

  cluster: [
    async ({ clusterOptions }, use) => {
      const cluster = await Cluster.start(clusterOptions);
      try {
        await use(cluster);
      } finally {
        await cluster.close();
      }
    },
    { scope: 'worker', timeout: 120_000 },
  ],

  consoles: [
    async ({ cluster }, use, testInfo) => {
      await cluster.heal();
      cluster.wasFaulty = false;
      const watch = new ConsoleWatch(cluster);
      await use(watch);
      if (testInfo.status !== testInfo.expectedStatus) {
        for (const path of cluster.logFiles()) await testInfo.attach(path.split('/').at(-1) ?? path, { path });
      }
      expect(watch.errors(), 'errors on consoles').toEqual([]);
    },
    { auto: true },
  ],

  person: async ({ cluster }, use) => {
    await use((kind) => Api.register(cluster.origin(1), freshName(kind)));
  },

  open: async ({ browser, cluster, consoles }, use) => {
    const opened: ChatPage[] = [];
    await use(async (options = {}) => {
      const { node = 1, host = '127.0.0.1', as, in: own = browser, ...contextOptions } = options;
      const context = await own.newContext(contextOptions);
      consoles.watch(context);
      const chat = new ChatPage(await context.newPage(), cluster.origin(node, host));
      opened.push(chat);
      await chat.visit();
      if (as) {
        await chat.logIn(as.name, kPassword);
        await chat.expectLive();
      }
      return chat;
    });
    // Before the cluster is healed or ended: what a page says about that is nobody's trouble.
    for (const chat of opened) await chat.page.context().close();
  },
});
