// A cluster of real processes: parleyd of the release build (or PARLEYD names another) on free ports of this machine,
// its data in a folder of its own that goes when it stops. Processes are ended by their ids, on any way out.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePort } from './free_port';
import { freeze } from './freeze';

const program = process.env['PARLEYD'] ?? fileURLToPath(new URL('../../build/release/parleyd', import.meta.url));
const running = new Set<ChildProcess>();
process.once('exit', () => { for (const child of running) child.kill('SIGKILL'); });

export class RealNode {
  private child: ChildProcess | undefined;
  private isFrozen = false;

  constructor(
    readonly id: number,
    readonly origin: string,
    private readonly flags: readonly string[],
    private readonly log: string,
  ) {}

  start(): void {
    const file = openSync(this.log, 'a');
    const child = spawn(program, this.flags, { stdio: ['ignore', file, file] });
    this.child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
  }

  // Ends it as a crash does, or as an operator does, and waits until it is gone.
  async stop(how: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    this.thaw();
    const gone = new Promise((resolve) => { child.once('exit', resolve); });
    child.kill(how);
    await gone;
  }

  // As a machine that hangs does. Waits until it has stopped.
  async freeze(): Promise<void> {
    this.isFrozen = true;
    await freeze(this.child);
  }

  thaw(): void {
    if (this.isFrozen) this.child?.kill('SIGCONT');
    this.isFrozen = false;
  }

  get lastWords(): string {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8').split('\n').slice(-20).join('\n') : '';
  }

  get hasEnded(): boolean {
    return this.child !== undefined && (this.child.exitCode !== null || this.child.signalCode !== null);
  }
}

export class RealCluster {
  private constructor(
    readonly nodes: readonly RealNode[],
    private readonly folder: string,
  ) {}

  static async start(count = 3): Promise<RealCluster> {
    if (!existsSync(program)) throw new Error(`there is no ${program}: build it by ./dev build`);
    const folder = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
    const ports: number[] = [];
    while (ports.length < 3 * count) ports.push(await freePort());
    const address = (node: number, kind: number): string => `127.0.0.1:${String(ports[3 * node + kind])}`;
    const members = Array.from({ length: count }, (_, at) => `${String(at + 1)}=${address(at, 1)}`).join(',');
    const nodes = Array.from({ length: count }, (_, at) => {
      const id = String(at + 1);
      const flags = ['--id', id, '--data', join(folder, `node-${id}`), '--client', address(at, 0), '--peer', address(at, 1), '--http', address(at, 2), '--cluster', members];
      return new RealNode(at + 1, `http://${address(at, 2)}`, flags, join(folder, `node-${id}.log`));
    });
    const cluster = new RealCluster(nodes, folder);
    for (const node of nodes) node.start();
    await cluster.isReady();
    return cluster;
  }

  node(at: number): RealNode {
    return this.nodes[at]!;
  }

  // Until every living node serves.
  async isReady(): Promise<void> {
    const deadline = Date.now() + 30_000;
    for (const node of this.nodes) {
      for (;;) {
        if (node.hasEnded) break;
        const answer = await fetch(`${node.origin}/readyz`).catch(() => undefined);
        if (answer?.ok) break;
        if (Date.now() > deadline) throw new Error(`node ${String(node.id)} is not ready:\n${node.lastWords}`);
        await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
