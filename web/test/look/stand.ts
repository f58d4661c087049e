// A browser in front of the scenes of stage.tsx, built as the page is built and served under the page's own content security policy.
import { createServer, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { build } from 'vite';

const web = fileURLToPath(new URL('../../', import.meta.url));
const kPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; worker-src 'self'";
const kTypes: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json' };
const kFlags = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

export interface Stand {
  open(scene: string, options?: BrowserContextOptions): Promise<Page>;
  troubles(): readonly string[];                 // what the console said, and errors of the page, since the last call
  stop(): Promise<void>;
}

async function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const file = join(folder, new URL(request.url ?? '/', 'http://localhost').pathname);
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': kTypes[extname(file)] ?? 'application/octet-stream', 'content-security-policy': kPolicy });
    response.end(readFileSync(file));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

export async function createStand(): Promise<Stand> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-look-'));
  const input = join(web, 'test/look/index.html');
  await build({ root: web, configFile: false, logLevel: 'error', esbuild: { jsx: 'automatic', jsxImportSource: 'preact' }, build: { outDir: folder, emptyOutDir: true, target: 'es2022', cssCodeSplit: false, modulePreload: false, rollupOptions: { input } } });
  const server = await serve(folder);
  const browser: Browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: kFlags });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let said: string[] = [];
  return {
    open: async (scene, options) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      const page = await context.newPage();
      page.on('console', (message) => { if (message.type() === 'error' || message.type() === 'warning') said.push(message.text()); });
      page.on('pageerror', (error) => { said.push(error.message); });
      await page.goto(`${origin}/test/look/index.html${scene}`);
      await page.waitForSelector('.shell, .door');
      return page;
    },
    troubles: () => {
      const now = said;
      said = [];
      return now;
    },
    stop: async () => {
      await browser.close();
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true });
    },
  };
}
