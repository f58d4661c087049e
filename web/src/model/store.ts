// What outlives a reload, in IndexedDB: the outbox, and the last page of conversations for a start without a node.
// Where there is no IndexedDB it lives as long as the page.

export interface OutboxEntry {
  readonly sequence: number; // given by the store: the order of sending, over all tabs
  readonly key: string; // of the message that shows it
  readonly account: string; // account ids as decimal strings: IndexedDB knows no bigint keys
  readonly recipient: string;
  readonly recipientId?: string;
  readonly body: string;
  // Made at the first attempt and stored before it: whoever finds it asks again under the same one.
  readonly requestId?: string;
  // sending: the first attempt was begun. asking: its outcome is unknown. failed: decided, or given up.
  readonly state: 'queued' | 'sending' | 'asking' | 'failed';
  readonly failure?: string;
  readonly canRetry?: boolean;
}

export type NewEntry = Omit<OutboxEntry, 'sequence'>;

export interface Store {
  add(entry: NewEntry): Promise<OutboxEntry>;
  list(account: string): Promise<OutboxEntry[]>; // in the order of sending
  // Changes an entry that is there as `change` says (undefined: takes it out). Says what is there afterwards.
  update(sequence: number, change: (entry: OutboxEntry) => OutboxEntry | undefined): Promise<OutboxEntry | undefined>;
  keep(name: string, bytes: Uint8Array): Promise<void>;
  kept(name: string): Promise<Uint8Array | undefined>;
  forgetKept(account: string): Promise<void>; // what was read for it; the outbox stays
  forgetOutbox(account: string): Promise<void>;
}

const kDatabase = 'parley';
const kVersion = 1;

export async function openStore(factory: IDBFactory | undefined): Promise<Store> {
  if (!factory) return new MemoryStore();
  try {
    return new DatabaseStore(await openDatabase(factory));
  } catch {
    return new MemoryStore();
  }
}

function openDatabase(factory: IDBFactory): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = factory.open(kDatabase, kVersion);
    opening.onupgradeneeded = () => {
      const outbox = opening.result.createObjectStore('outbox', { keyPath: 'sequence', autoIncrement: true });
      outbox.createIndex('account', 'account');
      opening.result.createObjectStore('kept');
    };
    opening.onsuccess = () => { resolve(opening.result); };
    opening.onerror = () => { reject(opening.error ?? new Error('no database')); };
  });
}

class DatabaseStore implements Store {
  constructor(private readonly database: IDBDatabase) {}

  async add(entry: NewEntry): Promise<OutboxEntry> {
    const sequence = await this.run('outbox', 'readwrite', (store) => store.add(entry));
    return { ...entry, sequence: Number(sequence) };
  }

  async list(account: string): Promise<OutboxEntry[]> {
    const entries = await this.run<OutboxEntry[]>('outbox', 'readonly', (store) => store.index('account').getAll(account));
    return entries.sort((a, b) => a.sequence - b.sequence);
  }

  // Read and written in one transaction: two tabs never overwrite each other.
  update(sequence: number, change: (entry: OutboxEntry) => OutboxEntry | undefined): Promise<OutboxEntry | undefined> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction('outbox', 'readwrite', { durability: 'strict' });
      const store = transaction.objectStore('outbox');
      const reading = store.get(sequence) as IDBRequest<OutboxEntry | undefined>;
      let result: OutboxEntry | undefined;
      reading.onsuccess = () => {
        if (!reading.result) return;
        result = change(reading.result);
        if (!result) store.delete(sequence);
        else if (result !== reading.result) store.put(result);
      };
      transaction.oncomplete = () => { resolve(result); };
      transaction.onabort = () => { reject(transaction.error ?? new Error('the outbox cannot be written')); };
    });
  }

  async keep(name: string, bytes: Uint8Array): Promise<void> {
    await this.run('kept', 'readwrite', (store) => store.put(bytes, name));
  }

  kept(name: string): Promise<Uint8Array | undefined> {
    return this.run<Uint8Array | undefined>('kept', 'readonly', (store) => store.get(name));
  }

  async forgetOutbox(account: string): Promise<void> {
    for (const entry of await this.list(account)) await this.update(entry.sequence, () => undefined);
  }

  async forgetKept(account: string): Promise<void> {
    const range = IDBKeyRange.bound(`${account}.`, `${account}/`);
    await this.run('kept', 'readwrite', (store) => store.delete(range));
  }

  private run<T>(name: string, mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<T> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(name, mode, { durability: 'strict' });
      const request = act(transaction.objectStore(name));
      transaction.oncomplete = () => { resolve(request.result as T); };
      transaction.onabort = () => { reject(transaction.error ?? new Error(`${name} cannot be used`)); };
    });
  }
}

class MemoryStore implements Store {
  private entries: OutboxEntry[] = [];
  private readonly bytes = new Map<string, Uint8Array>();
  private sequence = 0;

  add(entry: NewEntry): Promise<OutboxEntry> {
    const added = { ...entry, sequence: ++this.sequence };
    this.entries.push(added);
    return Promise.resolve(added);
  }
  list(account: string): Promise<OutboxEntry[]> {
    return Promise.resolve(this.entries.filter((entry) => entry.account === account));
  }
  update(sequence: number, change: (entry: OutboxEntry) => OutboxEntry | undefined): Promise<OutboxEntry | undefined> {
    const at = this.entries.findIndex((entry) => entry.sequence === sequence);
    const entry = this.entries[at];
    if (!entry) return Promise.resolve(undefined);
    const changed = change(entry);
    if (changed) this.entries[at] = changed;
    else this.entries.splice(at, 1);
    return Promise.resolve(changed);
  }
  keep(name: string, bytes: Uint8Array): Promise<void> {
    this.bytes.set(name, bytes);
    return Promise.resolve();
  }
  kept(name: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.bytes.get(name));
  }
  forgetOutbox(account: string): Promise<void> {
    this.entries = this.entries.filter((entry) => entry.account !== account);
    return Promise.resolve();
  }
  forgetKept(account: string): Promise<void> {
    for (const name of [...this.bytes.keys()]) if (name.startsWith(`${account}.`)) this.bytes.delete(name);
    return Promise.resolve();
  }
}
