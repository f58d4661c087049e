// What the model needs of the browser, in one place, so that tests can be several tabs in one process.
import type { Transport } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';

// Strings by name, shared by all tabs of one origin; `onChange` tells of other tabs' changes.
export interface KeyValue {
  get(name: string): string | null;
  set(name: string, value: string | null): void;
  onChange(changed: (name: string) => void): () => void;
}

export interface Channel {
  post(message: unknown): void;
  onMessage: (message: unknown) => void;
  close(): void;
}

export interface Platform {
  readonly origin: string;
  readonly keyValue: KeyValue;
  readonly indexedDB: IDBFactory | undefined;
  // Holds the lock of this name from when it is granted until `signal` aborts.
  holdLock(name: string, granted: () => void, signal: AbortSignal): void;
  channel(name: string): Channel;
  isOnline(): boolean;
  onOnlineChange(changed: () => void): () => void;
  transport(origin: string): Transport;
}

export function browserPlatform(): Platform {
  return {
    origin: location.origin,
    keyValue: keyValueOf(browserStorage()),
    indexedDB: typeof indexedDB === 'undefined' ? undefined : indexedDB,
    holdLock,
    channel: openChannel,
    isOnline: () => navigator.onLine,
    onOnlineChange(changed) {
      addEventListener('online', changed);
      addEventListener('offline', changed);
      return () => {
        removeEventListener('online', changed);
        removeEventListener('offline', changed);
      };
    },
    transport: transports(),
  };
}

// Storage may be forbidden; the page then works until it is closed.
function browserStorage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

function keyValueOf(storage: Storage | undefined): KeyValue {
  const memory = new Map<string, string>();
  return {
    get: (name) => storage?.getItem(name) ?? memory.get(name) ?? null,
    set(name, value) {
      try {
        memory.delete(name);
        if (value === null) storage?.removeItem(name);
        else if (storage) storage.setItem(name, value);
        else memory.set(name, value);
      } catch {
        if (value !== null) memory.set(name, value);
      }
    },
    onChange(changed) {
      const listener = (event: StorageEvent): void => {
        if (event.key !== null) changed(event.key);
      };
      addEventListener('storage', listener);
      return () => { removeEventListener('storage', listener); };
    },
  };
}

// Without Web Locks (a page that is neither on HTTPS nor on localhost) every tab works for itself. That is safe:
// one of them gives a message its request_id, in one transaction, and the others find it and send under the same one.
function holdLock(name: string, granted: () => void, signal: AbortSignal): void {
  if (!('locks' in navigator)) {
    granted();
    return;
  }
  const held = new Promise<void>((resolve) => { signal.addEventListener('abort', () => { resolve(); }); });
  navigator.locks
    .request(name, { signal }, () => {
      granted();
      return held;
    })
    .catch(() => undefined); // aborted while it waited
}

function openChannel(name: string): Channel {
  const inner = new BroadcastChannel(name);
  const channel: Channel = {
    post: (message) => { inner.postMessage(message); },
    onMessage: () => undefined,
    close: () => { inner.close(); },
  };
  inner.onmessage = (event: MessageEvent<unknown>) => { channel.onMessage(event.data); };
  return channel;
}

function transports(): (origin: string) => Transport {
  const made = new Map<string, Transport>();
  return (origin) => {
    const transport = made.get(origin) ?? createConnectTransport({ baseUrl: origin, useBinaryFormat: true });
    made.set(origin, transport);
    return transport;
  };
}
