// What the page weighs, and how soon it is there.
import { expect, test } from './support/test';

const kMost_bytes = 100_000;

test('everything together weighs less than 100 KB, compressed', async ({ cluster }) => {
  const origin = cluster.origin(1);
  const sizeOf = async (path: string): Promise<{ text: string; size: number }> => {
    const response = await fetch(`${origin}${path}`, { headers: { 'accept-encoding': 'gzip' } });
    expect(response.status, path).toBe(200);
    // What `fetch` gives is unpacked already; what came over the wire is what the header says.
    return { text: await response.text(), size: Number(response.headers.get('content-length')) };
  };
  const document = await sizeOf('/');
  const worker = await sizeOf('/sw.js');
  const named = [...`${document.text} ${worker.text}`.matchAll(/["'](\/[\w./-]+\.(?:js|css|svg|png|ico|webmanifest))["']/g)].map((match) => match[1] ?? '');
  const files = new Set(named.filter((path) => path !== '/sw.js'));
  expect([...files].some((path) => path.endsWith('.js')) && [...files].some((path) => path.endsWith('.css'))).toBe(true);
  let total = document.size + worker.size;
  for (const path of files) {
    const { size } = await sizeOf(path);
    expect(size, path).toBeGreaterThan(0);
    total += size;
  }
  console.log(`  the page: ${String(total)} bytes compressed in ${String(files.size + 2)} files`);
  expect(total).toBeLessThan(kMost_bytes);
});

test('a browser fetches the page once, compressed, and keeps it', async ({ open, person, cluster }) => {
  const ann = await person('ann');
  const chat = await open({ as: ann });
  const devtools = await chat.page.context().newCDPSession(chat.page);
  await devtools.send('Network.enable');
  await devtools.send('Network.setCacheDisabled', { cacheDisabled: false });
  const origins = cluster.ids.map((id) => cluster.origin(id));
  const elsewhere: string[] = [];
  chat.page.on('request', (request) => { if (!origins.includes(new URL(request.url()).origin)) elsewhere.push(request.url()); });
  await chat.page.reload();
  await chat.expectLive();
  expect(elsewhere, 'nothing comes from anywhere else').toEqual([]);
  const asset = await chat.page.evaluate(() => document.querySelector('script')?.src ?? '');
  const response = await fetch(asset);
  expect(response.headers.get('cache-control')).toMatch(/immutable/);
  expect(response.headers.get('content-encoding')).toMatch(/br|gzip/);
});

test('time to first view', async ({ open, person, cluster }) => {
  const ann = await person('ann');
  const times: { first: number; painted: number; usable: number }[] = [];
  for (const id of cluster.ids) {
    const chat = await open({ node: id });
    await expect(chat.door).toBeVisible();
    // What is in the document may be asked for before it was painted.
    await chat.page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
    times.push(await chat.page.evaluate(() => {
      const paint = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN;
      const [navigation] = performance.getEntriesByType('navigation');
      const entry = navigation as PerformanceNavigationTiming | undefined;
      return { first: Math.round(entry?.responseStart ?? NaN), painted: Math.round(paint), usable: Math.round(entry?.loadEventEnd ?? NaN) };
    }));
    await chat.page.context().close();
  }
  const chat = await open({ as: ann });
  const started = Date.now();
  await chat.page.reload();
  await chat.expectLive();
  const painted = times.map((time) => time.painted).sort((a, b) => a - b);
  console.log(`  first view after ${painted.join(', ')} ms (empty cache), first byte after ${times.map((time) => time.first).join(', ')} ms; a reload is live after ${String(Date.now() - started)} ms`);
  for (const each of painted) expect(each).toBeGreaterThan(0);
});
