// Real nodes: parleyd processes on free ports of loopback, with their data in a temporary folder. They end with the
// process that started them, whatever becomes of it.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePort } from '../../e2e-node/free_port';
import { freeze } from '../../e2e-node/freeze';
import type { GetStatusResponse } from '../../src/gen/parley/v1/api_pb';
import { Api } from './api';
import { loseOneReply, LossyProxy, type LostReply } from './lossy_proxy';
import { until } from './wait';

export const kParleyd = process.env['PARLEYD'] ?? fileURLToPath(new URL('../../../build/release/parleyd', import.meta.url));

export interface ClusterOptions {
  readonly nodes: number;
  readonly proxied: boolean; // browsers reach every node through a LossyProxy, and know it by that address
}

interface Node {
  readonly id: number;
  readonly client: number; // ports
  readonly peer: number;
  readonly http: number;
  readonly proxy: LossyProxy | undefined;
  process: ChildProcess | undefined;
  frozen: boolean;
}

export class Cluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
  // Whether some node was dead or frozen since this was last set to false: browsers print errors then.
  wasFaulty = false;
  private observer: Api | undefined;

  private constructor(private readonly nodes: readonly Node[]) {}

  static async start(options: ClusterOptions, environment: NodeJS.ProcessEnv = {}): Promise<Cluster> {
    if (!existsSync(kParleyd)) throw new Error(`there is no ${kParleyd}: build it first (./dev build), or name it in PARLEYD`);
    const nodes: Node[] = [];
    for (let id = 1; id <= options.nodes; ++id) {
      const http = await freePort();
      const proxy = options.proxied ? new LossyProxy(id, await freePort(), http) : undefined;
      nodes.push({ id, client: await freePort(), peer: await freePort(), http, proxy, process: undefined, frozen: false });
    }
    const cluster = new Cluster(nodes);
    for (const node of nodes) await cluster.startNode(node.id, environment);
    await cluster.waitUntilWritable();
    return cluster;
  }

  get ids(): number[] {
    return this.nodes.map((node) => node.id);
  }

  get running(): number[] {
    return this.nodes.filter((node) => node.process && !node.frozen).map((node) => node.id);
  }

  // As browsers reach it. `host`: 127.0.0.1 or localhost.
  origin(id: number, host = '127.0.0.1'): string {
    const node = this.node(id);
    return `http://${host}:${String(node.proxy?.port ?? node.http)}`;
  }

  isOrigin(url: string): boolean {
    return this.ids.some((id) => [this.origin(id), this.origin(id, 'localhost')].includes(new URL(url).origin));
  }

  // Whichever node is asked: a page stays at another one than its own once an answer was late.
  loseOneReply(needle: string, options: { hold?: boolean } = {}): LostReply {
    const proxies = this.nodes.flatMap(({ proxy }) => proxy ?? []);
    if (proxies.length === 0) throw new Error('this cluster has no proxies');
    return loseOneReply(proxies, needle, options);
  }

  logFile(id: number): string {
    return join(this.folder, `node-${String(id)}.log`);
  }

  async startNode(id: number, environment: NodeJS.ProcessEnv = {}): Promise<void> {
    const node = this.node(id);
    if (node.process) return;
    const address = (port: number): string => `127.0.0.1:${String(port)}`;
    const log = openSync(this.logFile(id), 'a');
    const data = join(this.folder, `node-${String(id)}`);
    mkdirSync(data, { recursive: true });
    const words = [
      '--id', String(id), '--data', data, '--client', address(node.client), '--peer', address(node.peer), '--http', address(node.http),
      '--cluster', this.nodes.map((each) => `${String(each.id)}=${address(each.peer)}`).join(','),
      ...(node.proxy ? ['--advertise-http', address(node.proxy.port)] : []),
    ];
    // setpriv: a node does not outlive whoever started it, not even one that was killed.
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', kParleyd, ...words], { stdio: ['ignore', log, log], env: { ...process.env, ...environment } });
    closeSync(log);
    node.process = started;
    node.frozen = false;
    started.once('exit', (code, signal) => {
      if (node.process !== started) return;
      node.process = undefined;
      console.error(`node ${String(id)} ended by itself: code ${String(code)}, signal ${String(signal)}\n${this.endOfLog(id)}`);
    });
    await until(`node ${String(id)} answers /healthz`, async () => (await fetch(`http://${address(node.http)}/healthz`, { signal: AbortSignal.timeout(2_000) })).ok);
    await node.proxy?.open();
  }

  // SIGKILL: as if its machine had lost power. Waits for the end.
  async kill(id: number): Promise<void> {
    this.wasFaulty = true;
    await this.end(id, 'SIGKILL');
  }

  async stop(id: number): Promise<void> {
    this.wasFaulty = true;
    await this.end(id, 'SIGTERM');
  }

  async freeze(id: number): Promise<void> {
    this.wasFaulty = true;
    const node = this.node(id);
    node.frozen = true;
    await freeze(node.process);
  }

  thaw(id: number): void {
    const node = this.node(id);
    node.frozen = false;
    node.process?.kill('SIGCONT');
  }

  // Every node runs, one leads, writes work.
  async heal(): Promise<void> {
    for (const { id, frozen } of this.nodes) if (frozen) this.thaw(id);
    await Promise.all(this.ids.map((id) => this.startNode(id)));
    await this.waitUntilWritable();
  }

  async status(id: number): Promise<GetStatusResponse> {
    this.observer ??= await this.makeObserver();
    return this.observer.at(this.directOrigin(id)).status();
  }

  // Of the running nodes: all follow one leader, each takes writes, and each knows where browsers find the others (a
  // young cluster learns that some seconds after its first leader).
  async waitUntilWritable(): Promise<number> {
    const { running } = this;
    await until('every node is ready', async () => {
      const ready = await Promise.all(running.map((id) => fetch(`${this.directOrigin(id)}/readyz`, { signal: AbortSignal.timeout(2_000) })));
      return ready.every((response) => response.ok);
    });
    return until('every node follows one leader', async () => {
      const statuses = await Promise.all(running.map((id) => this.status(id)));
      const [first] = statuses;
      const agree = statuses.every((status) => status.writable && status.leaderId === first?.leaderId && status.term === first.term
        && status.nodes.every((node) => node.httpAddr !== ''));
      return agree && first && running.includes(first.leaderId) && first.leaderId;
    });
  }

  async leader(): Promise<number> {
    return this.waitUntilWritable();
  }

  // A running node that does not lead.
  async follower(but: readonly number[] = []): Promise<number> {
    const leader = await this.leader();
    const found = this.running.find((id) => id !== leader && !but.includes(id));
    if (found === undefined) throw new Error('no follower runs');
    return found;
  }

  endOfLog(id: number): string {
    return readFileSync(this.logFile(id), 'utf8').split('\n').slice(-30).join('\n');
  }

  logFiles(): string[] {
    return readdirSync(this.folder).filter((name) => name.endsWith('.log')).map((name) => join(this.folder, name));
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.end(node.id, 'SIGKILL')));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(id: number, signal: NodeJS.Signals): Promise<void> {
    const node = this.node(id);
    const { process: running } = node;
    if (!running) return;
    node.process = undefined;
    const ended = new Promise<void>((resolve) => { running.once('exit', () => { resolve(); }); });
    if (running.exitCode === null && running.signalCode === null) {
      running.kill(signal);
      if (node.frozen) running.kill('SIGCONT');
      await ended;
    }
    node.frozen = false;
    await node.proxy?.close();
  }

  private directOrigin(id: number): string {
    return `http://127.0.0.1:${String(this.node(id).http)}`;
  }

  private async makeObserver(): Promise<Api> {
    const name = `observer-${Math.random().toString(36).slice(2, 10)}`;
    return until('an account for the observer', async () => {
      const [any] = this.running;
      return any === undefined ? undefined : Api.register(this.directOrigin(any), name);
    });
  }

  private node(id: number): Node {
    const node = this.nodes[id - 1];
    if (!node) throw new Error(`there is no node ${String(id)}`);
    return node;
  }
}
