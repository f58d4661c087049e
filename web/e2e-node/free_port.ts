// Ports of loopback for nodes that may be down for a while, and then want theirs again.
import { createServer } from 'node:net';

// Below the ports that the kernel gives to outgoing connections: nothing else takes one in between.
const kFirstPort = 20_000;
const kPorts = 10_000;
const given = new Set<number>();

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => { resolve(false); });
    server.listen(port, '127.0.0.1', () => { server.close(() => { resolve(true); }); });
  });
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = kFirstPort + Math.floor(Math.random() * kPorts);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}
