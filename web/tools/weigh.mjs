// What the built page weighs, compressed as a node sends it, and whether that is within its budget.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';

const budget_bytes = 100_000;
const dist = fileURLToPath(new URL('../../build/web/dist/', import.meta.url));
const files = readdirSync(dist, { recursive: true }).filter((name) => statSync(dist + name).isFile()).sort();

let gzip = 0;
let brotli = 0;
for (const name of files) {
  const content = readFileSync(dist + name);
  const sizes = [content.length, gzipSync(content, { level: 9 }).length, brotliCompressSync(content).length];
  gzip += sizes[1];
  brotli += sizes[2];
  console.log(`${name.padEnd(40)} ${sizes.map((size) => String(size).padStart(8)).join(' ')}`);
}
console.log(`${'all, bytes: plain, gzip, brotli'.padEnd(49)} ${String(gzip).padStart(8)} ${String(brotli).padStart(8)}`);
if (gzip > budget_bytes) {
  console.error(`the page weighs ${gzip} bytes with gzip, at most ${budget_bytes}`);
  process.exit(1);
}
