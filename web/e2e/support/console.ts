// Every console error and every exception of a page fails its test. Chromium itself prints a line for a request that did
// not succeed, and no page can prevent that. Such a line, and no other, is let pass, where the test is about just that:
// a request to a node while nodes are dead or the browser is offline, and an answer that refuses. And everywhere one of a
// node that has no leader or no time just now, as on a busy machine: the page asks again.
import type { BrowserContext, ConsoleMessage } from '@playwright/test';

import type { Cluster } from './cluster';

const kNoAnswer = /^Failed to load resource: net::ERR_[A-Z_]+$/;
const kNotNow = /^Failed to load resource: the server responded with a status of 50[34] \(.*\)$/;
const kRefused = /^Failed to load resource: the server responded with a status of (4\d\d) \(.*\)$/;

export class ConsoleWatch {
  private readonly found: string[] = [];
  private readonly suspects: string[] = [];
  private readonly refusals = new Set<number>();
  wasOffline = false;

  constructor(private readonly cluster: Cluster) {}

  watch(context: BrowserContext): void {
    context.on('console', (message) => { this.onMessage(message); });
    context.on('weberror', (error) => { this.found.push(`exception: ${String(error.error().stack ?? error.error())}`); });
  }

  // This test asks for what is refused, with this status.
  expectRefusal(status: 400 | 401 | 403 | 404 | 409): void {
    this.refusals.add(status);
  }

  errors(): string[] {
    const excused = this.cluster.wasFaulty || this.wasOffline;
    return [...this.found, ...(excused ? [] : this.suspects)];
  }

  private onMessage(message: ConsoleMessage): void {
    if (message.type() !== 'error') return;
    const { url } = message.location();
    const line = `console: ${message.text()} (${url})`;
    const toNode = url !== '' && this.cluster.isOrigin(url);
    const refused = Number(kRefused.exec(message.text())?.[1] ?? 0);
    if (toNode && (this.refusals.has(refused) || kNotNow.test(message.text()))) return;
    if (toNode && kNoAnswer.test(message.text())) this.suspects.push(line);
    else this.found.push(line);
  }
}
