// The service worker: keeps the page itself, so that a reload works while the node that served it is dead or the
// machine is offline. Network first, what was kept as a fallback. It never touches a call of the API.
/// <reference lib="webworker" />
export {};
declare const self: ServiceWorkerGlobalScope;
declare const __PAGE_FILES__: readonly string[]; // written in by the build: '/', all files under assets/, icons and manifest

const kCacheName = 'parley-page';
const kNetworkTimeout_ms = 3_000;

// Assets carry their content's hash in their name: one that is kept is right for ever. Old ones go when a new worker
// takes over.
const kFiles = __PAGE_FILES__;

self.addEventListener('install', (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(kCacheName);
      await cache.addAll(kFiles.map((name) => new Request(name, { cache: 'no-cache' })));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(kCacheName);
      const wanted = new Set(kFiles);
      for (const request of await cache.keys()) {
        const { pathname } = new URL(request.url);
        if (pathname.startsWith('/assets/') && !wanted.has(pathname)) await cache.delete(request);
      }
      await self.clients.claim();
    })(),
  );
});

async function fromNetwork(request: Request): Promise<Response> {
  const abort = new AbortController();
  const timer = setTimeout(() => { abort.abort(); }, kNetworkTimeout_ms);
  try {
    return await fetch(request, { signal: abort.signal });
  } finally {
    clearTimeout(timer);
  }
}

// The page has one document: '/'.
async function answerDocument(request: Request): Promise<Response> {
  const cache = await caches.open(kCacheName);
  try {
    const response = await fromNetwork(request);
    if (response.ok) await cache.put('/', response.clone());
    if (response.status < 500) return response;
  } catch {
    // The node is gone: what was kept is shown.
  }
  return (await cache.match('/')) ?? Response.error();
}

async function answerAsset(request: Request): Promise<Response> {
  const cache = await caches.open(kCacheName);
  const kept = await cache.match(request, { ignoreVary: true });
  if (kept && new URL(request.url).pathname.startsWith('/assets/')) return kept;
  try {
    const response = await fromNetwork(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch {
    return kept ?? Response.error();
  }
}

const kAssets = /^\/(assets\/|[\w.-]+\.(webmanifest|svg|png|ico)$)/;

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate' && url.pathname === '/') event.respondWith(answerDocument(request));
  else if (kAssets.test(url.pathname)) event.respondWith(answerAsset(request));
});
