// A real proxy between a browser and a node: it passes bytes on, and can lose what a node answers to one request. The
// connection stays open then, as on a network that drops packets: the browser learns nothing.
import { createServer, connect, type Server, type Socket } from 'node:net';

const kLongestNeedle_bytes = 256;

interface Loss {
  taken: boolean;
  readonly needle: string;
  readonly hold: boolean; // the request itself does not reach the node either
  readonly asked: (node: number) => void;
  readonly answered: () => void;
}

export interface LostReply {
  readonly asked: Promise<number>; // the request has come by, for this node
  readonly answered: Promise<void>; // and the node's answer to it, which was not passed on
}

// The next request with `needle` (a piece of its head, as "/SendMessage") that comes to any of these gets no reply, nor
// does anything else on its connection. `hold`: it does not reach the node.
export function loseOneReply(proxies: readonly LossyProxy[], needle: string, { hold = false } = {}): LostReply {
  let asked: Loss['asked'] = () => undefined;
  let answered: Loss['answered'] = () => undefined;
  const lost = {
    asked: new Promise<number>((resolve) => { asked = resolve; }),
    answered: new Promise<void>((resolve) => { answered = resolve; }),
  };
  const loss = { taken: false, needle, hold, asked, answered };
  for (const proxy of proxies) proxy.expect(loss);
  return lost;
}

export class LossyProxy {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly losses: Loss[] = [];

  constructor(
    private readonly node: number,
    readonly port: number,
    private readonly targetPort: number,
  ) {}

  // As long as its node runs: a dead node's port refuses.
  async open(): Promise<void> {
    if (this.server) return;
    const server = createServer((client) => { this.serve(client); });
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const socket of this.sockets) socket.destroy();
    if (server) await new Promise((resolve) => { server.close(resolve); });
  }

  expect(loss: Loss): void {
    this.losses.push(loss);
  }

  private serve(client: Socket): void {
    const node = connect(this.targetPort, '127.0.0.1');
    let loss: Loss | undefined;
    let seen = '';
    for (const socket of [client, node]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        client.destroy();
        node.destroy();
      });
    }
    client.on('data', (bytes) => {
      seen = (seen + bytes.toString('latin1')).slice(-kLongestNeedle_bytes - bytes.length);
      if (!loss) {
        loss = this.losses.find((each) => !each.taken && seen.includes(each.needle));
        if (loss) loss.taken = true;
        loss?.asked(this.node);
      }
      if (!loss?.hold) node.write(bytes);
    });
    node.on('data', (bytes) => {
      if (loss) loss.answered();
      else client.write(bytes);
    });
  }
}
