// Registers the service worker (src/sw.ts), which keeps the page itself for reloads while its node is dead. Browsers
// allow one on HTTPS and on localhost only; elsewhere, and from the development server, the page does without.
export function registerServiceWorker(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  navigator.serviceWorker.register('/sw.js').catch(() => undefined);
}
