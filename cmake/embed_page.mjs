// embed_page.mjs DIST OUT: makes of the page's files in DIST a C++ source OUT/embedded_page.cc that holds them, each as it is
// and compressed by brotli and gzip (where that makes it smaller). Writes OUT/embedded_page.cc.d for ninja.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
};

const [dist, out] = process.argv.slice(2).map((path) => resolve(path));
mkdirSync(join(out, 'files'), { recursive: true });
const names = readdirSync(dist, { recursive: true }).filter((name) => statSync(join(dist, name)).isFile()).sort();

const assembly = [];
const symbols = [];
const rows = [];
const embed = (symbol, path) => {
  assembly.push(`.global ${symbol}`, `.global ${symbol}_end`, `${symbol}:`, `.incbin "${path}"`, `${symbol}_end:`, '.byte 0');
  symbols.push(`extern const char ${symbol}[];`, `extern const char ${symbol}_end[];`);
  return `{${symbol}, ${symbol}_end}`;
};

names.forEach((name, index) => {
  const type = types[extname(name)];
  if (type === undefined) throw new Error(`${name}: no content type is known for it`);
  const content = readFileSync(join(dist, name));
  const variants = {
    br: brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
    gz: gzipSync(content, { level: 9 }),
  };
  const cells = [embed(`parley_page_${index}`, join(dist, name))];
  for (const [suffix, bytes] of Object.entries(variants)) {
    if (bytes.length >= content.length) {
      cells.push('{}');
      continue;
    }
    const path = join(out, 'files', `${index}.${suffix}`);
    writeFileSync(path, bytes);
    cells.push(embed(`parley_page_${index}_${suffix}`, path));
  }
  const etag = createHash('sha256').update(content).digest('hex').slice(0, 32);
  const path = name === 'index.html' ? '/' : `/${name}`;
  rows.push(`    {"${path}", "${type}", "${etag}", ${cells.join(', ')}},`);
});

writeFileSync(
  join(out, 'embedded_page.cc'),
  `// Made by cmake/embed_page.mjs.
#include "gateway/embedded_page.h"

#include <array>

asm(R"(
.pushsection .rodata
${assembly.join('\n')}
.popsection
)");

extern "C" {
${symbols.join('\n')}
}

namespace parley::gateway {
namespace {
const std::array<EmbeddedFile, ${rows.length}> kFiles = {{
${rows.join('\n')}
}};
}  // namespace

std::span<const EmbeddedFile> embedded_page() { return kFiles; }

}  // namespace parley::gateway
`,
);
