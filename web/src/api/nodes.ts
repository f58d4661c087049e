// Which nodes there are, by the origin of their HTTP address, and which of them to ask next: the one that the page came
// from first, then whichever answered last; one that failed is left alone for a while.
const kFirstRest_ms = 1_000;
const kLongestRest_ms = 15_000;

interface Health {
  failures: number; // in a row
  restsUntil_ms: number;
}

// Two spellings of this machine are one node.
function nodeKey(origin: string): string {
  const url = new URL(origin);
  const host = ['localhost', '[::1]'].includes(url.hostname) ? '127.0.0.1' : url.hostname;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return `${host}:${port}`;
}

export class Nodes {
  private readonly health = new Map<string, Health>(); // by origin, the page's own first
  private preferred: string;

  constructor(
    private readonly home: string,
    known: readonly string[] = [],
    private readonly now: () => number = Date.now,
  ) {
    this.preferred = home;
    this.health.set(home, { failures: 0, restsUntil_ms: 0 });
    this.learnOrigins(known);
  }

  // `addresses`: HOST:PORT, as GetStatus names them. They replace what was known, the page's own origin stays.
  learn(addresses: readonly string[]): void {
    const scheme = new URL(this.home).protocol;
    const origins = addresses.filter((address) => address !== '').map((address) => `${scheme}//${address}`);
    if (origins.length === 0) return;
    const named = new Set(origins.map(nodeKey).concat(nodeKey(this.home)));
    for (const origin of [...this.health.keys()]) {
      if (!named.has(nodeKey(origin))) this.health.delete(origin);
    }
    this.learnOrigins(origins);
  }

  origins(): readonly string[] {
    return [...this.health.keys()];
  }

  get count(): number {
    return this.health.size;
  }

  // The node to ask, not one of `tried` while there is another.
  pick(tried: ReadonlySet<string> = new Set()): string {
    const now = this.now();
    const order = [this.preferred, ...this.health.keys()].filter((origin) => this.health.has(origin));
    const fresh = order.filter((origin) => !tried.has(origin));
    const candidates = fresh.length > 0 ? fresh : order;
    const rested = candidates.find((origin) => (this.health.get(origin)?.restsUntil_ms ?? 0) <= now);
    if (rested !== undefined) return rested;
    // All rest: the one whose rest ends first.
    const rest = (origin: string): number => this.health.get(origin)?.restsUntil_ms ?? 0;
    return [...candidates].sort((a, b) => rest(a) - rest(b))[0] ?? this.home;
  }

  succeeded(origin: string): void {
    if (!this.health.has(origin)) return;
    this.health.set(origin, { failures: 0, restsUntil_ms: 0 });
    this.preferred = origin;
  }

  failed(origin: string): void {
    const health = this.health.get(origin);
    if (!health) return;
    health.failures += 1;
    health.restsUntil_ms = this.now() + Math.min(kFirstRest_ms * 2 ** (health.failures - 1), kLongestRest_ms);
  }

  // The network is back: nobody's failure counts any more.
  forgive(): void {
    for (const origin of this.health.keys()) this.health.set(origin, { failures: 0, restsUntil_ms: 0 });
  }

  private learnOrigins(origins: readonly string[]): void {
    const keys = new Set([...this.health.keys()].map(nodeKey));
    for (const origin of origins) {
      if (keys.has(nodeKey(origin))) continue;
      keys.add(nodeKey(origin));
      this.health.set(origin, { failures: 0, restsUntil_ms: 0 });
    }
  }
}
