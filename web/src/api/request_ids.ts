// Request ids: UUIDv7, made at a write's first attempt, by the server's time once a server has said that this
// machine's clock is off (REQUEST_ID_AHEAD carries server_time).
const kMostAhead_ms = 60_000; // what lies further ahead of its time the cluster refuses

export class RequestIds {
  private offset_ms = 0;

  constructor(private readonly now: () => number = Date.now) {}

  make(): string {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const time = BigInt(Math.max(0, Math.round(this.now() + this.offset_ms)));
    for (let at = 0; at < 6; ++at) bytes[at] = Number((time >> BigInt(8 * (5 - at))) & 0xffn);
    bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  learn(serverTime_ms: number): void {
    this.offset_ms = serverTime_ms - this.now();
  }

  // When the cluster takes it, by what a server last told of the time. Answers take a while: it may be earlier.
  untilTaken_ms(requestId: string): number {
    const time_ms = parseInt(requestId.replace('-', '').slice(0, 12), 16);
    return time_ms - (this.now() + this.offset_ms) - kMostAhead_ms;
  }
}
