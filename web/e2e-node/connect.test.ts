// The official Connect clients from npm, from Node, against a real cluster: every method in JSON and in proto, error
// details, deadlines, ending a stream, and going on with it at another node.
import { Code, ConnectError, createClient, type Client, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport as createNodeTransport } from '@connectrpc/connect-node';
import { createConnectTransport as createWebTransport } from '@connectrpc/connect-web';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RequestIds } from '../src/api/request_ids';
import { AccountService, ClusterService, ErrorInfoSchema, MessageService, Outcome, Role, type ErrorInfo } from '../src/gen/parley/v1/api_pb';
import { RealCluster } from './cluster';

let cluster: RealCluster;
const ids = new RequestIds();
beforeAll(async () => { cluster = await RealCluster.start(3); });
afterAll(async () => { await cluster.stop(); });

interface Clients {
  accounts: Client<typeof AccountService>;
  messages: Client<typeof MessageService>;
  cluster: Client<typeof ClusterService>;
}

const kinds = {
  'connect-web, JSON': (baseUrl, interceptors) => createWebTransport({ baseUrl, useBinaryFormat: false, interceptors }),
  'connect-web, proto': (baseUrl, interceptors) => createWebTransport({ baseUrl, useBinaryFormat: true, interceptors }),
  'connect-node, JSON': (baseUrl, interceptors) => createNodeTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false, interceptors }),
  'connect-node, proto': (baseUrl, interceptors) => createNodeTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: true, interceptors }),
} satisfies Record<string, (baseUrl: string, interceptors: Interceptor[]) => Transport>;

function clients(kind: keyof typeof kinds, at: number, token = '', called?: Set<string>): Clients {
  const authorize: Interceptor = (next) => (request) => {
    if (token !== '') request.header.set('authorization', `Bearer ${token}`);
    called?.add(`${request.service.typeName}/${request.method.name}`);
    return next(request);
  };
  const transport = kinds[kind](cluster.node(at).origin, [authorize]);
  return { accounts: createClient(AccountService, transport), messages: createClient(MessageService, transport), cluster: createClient(ClusterService, transport) };
}

let names = 0;
const newName = (): string => `person-${(++names).toString()}`;

async function signUp(kind: keyof typeof kinds, at = 0): Promise<Clients & { name: string; id: bigint; token: string }> {
  const name = newName();
  const { account, token } = await clients(kind, at).accounts.createAccount({ name, password: 'a password', requestId: ids.make() });
  return { ...clients(kind, at, token), name, id: account!.id, token };
}

async function errorOf(call: Promise<unknown>): Promise<{ code: Code; info: ErrorInfo | undefined; message: string }> {
  try {
    await call;
  } catch (error) {
    const connect = ConnectError.from(error);
    return { code: connect.code, info: connect.findDetails(ErrorInfoSchema)[0], message: connect.rawMessage };
  }
  throw new Error('it was answered without an error');
}

async function nextOf<T>(events: AsyncIterator<T>, wanted: (each: T) => boolean): Promise<T> {
  for (;;) {
    const next = await events.next();
    if (next.done === true) throw new Error('the stream ended');
    if (wanted(next.value)) return next.value;
  }
}

async function first<T>(stream: AsyncIterable<T>, wanted: (each: T) => boolean): Promise<T> {
  for await (const each of stream) if (wanted(each)) return each;
  throw new Error('the stream ended');
}

describe.each(Object.keys(kinds) as (keyof typeof kinds)[])('%s', (kind) => {
  test('every method', async () => {
    const called = new Set<string>();
    const nobody = clients(kind, 0, '', called);
    const [alice, bob] = [newName(), newName()];
    const created = await nobody.accounts.createAccount({ name: alice, password: 'a password', requestId: ids.make() });
    expect(created.account).toMatchObject({ name: alice });
    expect(created.position > 0n && created.expiresAt !== undefined && created.token !== '').toBe(true);
    await nobody.accounts.createAccount({ name: bob, password: 'a password', requestId: ids.make() });
    const login = await nobody.accounts.logIn({ name: alice, password: 'a password' });
    const a = clients(kind, 1, created.token, called);
    const other = clients(kind, 2, login.token, called);
    const b = clients(kind, 2, (await nobody.accounts.logIn({ name: bob, password: 'a password' })).token, called);

    expect((await a.accounts.getAccount({ name: bob })).account).toMatchObject({ name: bob });
    const found = await a.accounts.listAccounts({ pattern: alice, pageSize: 5 });
    expect(found.accounts.map((account) => account.name)).toEqual([alice]);
    expect(found.asOf?.clusterId).not.toBe('');

    const end = new AbortController();
    const stream = b.messages.watch({}, { signal: end.signal });
    const events = stream[Symbol.asyncIterator]();
    // Writable: at once, unless the leader changes just now.
    const start = await nextOf(events, ({ event: each }) => each.case !== 'heartbeat' || each.value.writable);
    expect(start.event.case).toBe('heartbeat');

    const body = 'grüß dich 👋 <b>';
    const requestId = ids.make();
    const sent = await a.messages.sendMessage({ recipient: bob, body, requestId });
    expect(sent.message).toMatchObject({ sender: alice, recipient: bob, body, read: false, requestId, id: sent.position });
    expect((await a.messages.sendMessage({ recipient: bob, body, requestId })).position).toBe(sent.position);
    const event = await nextOf(events, ({ event: each }) => each.case !== 'heartbeat');
    expect(event).toMatchObject({ position: sent.position, requestId: '', event: { case: 'message', value: { body, sender: alice, requestId: '' } } });
    end.abort();

    const page = await b.messages.listMessages({ peer: alice, newestFirst: true, pageSize: 10 });
    expect(page.messages.map((message) => message.id)).toEqual([sent.position]);
    const conversations = await b.messages.listConversations({ pageSize: 10 });
    expect(conversations.conversations).toMatchObject([{ peer: alice, peerGone: false, unreadCount: 1, lastMessage: { body } }]);
    const unread = await b.messages.getUnreadCounts({});
    expect([unread.total, unread.counts.map((count) => count.unreadCount)]).toEqual([1n, [1]]);
    expect((await b.messages.markRead({ messageIds: [sent.position], requestId: ids.make() })).messageIds).toEqual([sent.position]);
    expect((await b.messages.getUnreadCounts({})).total).toBe(0n);
    expect((await a.messages.listMessages({ conversationId: sent.message!.conversationId })).messages[0]?.read).toBe(true);
    expect((await b.messages.deleteMessages({ messageIds: [sent.position], requestId: ids.make() })).messageIds).toEqual([sent.position]);
    expect((await b.messages.listMessages({ peer: alice })).messages).toEqual([]);

    // A new cluster's nodes announce their addresses by the log, a moment after they serve.
    const addresses = async (): Promise<string[]> => (await a.cluster.getStatus({})).nodes.map((node) => node.httpAddr);
    await expect.poll(addresses, { timeout: 20_000 }).toEqual(cluster.nodes.map((node) => node.origin.replace('http://', '')));
    // During an election nobody leads, and 0 is named.
    const namesWhoLeads = async (): Promise<boolean> => {
      const { nodes, leaderId } = await a.cluster.getStatus({});
      return nodes.filter((node) => node.role === Role.LEADER).map((node) => node.id).join() === leaderId.toString();
    };
    await expect.poll(namesWhoLeads, { timeout: 60_000 }).toBe(true);
    const watched = await first(a.cluster.watchStatus({ intervalMs: 100 }), ({ status: each }) => (each?.commitIndex ?? 0n) >= sent.position);
    expect(watched.status?.nodeId).toBe(2);

    const admin = [
      () => a.cluster.addNode({ nodeId: 9 }),
      () => a.cluster.removeNode({ nodeId: 1 }),
      () => a.cluster.transferLeadership({ nodeId: 2 }),
      () => first(a.cluster.backup({}), () => true),
    ];
    for (const call of admin) {
      expect((await errorOf(call())).code).toBe(Code.PermissionDenied);
    }

    await a.accounts.changePassword({ password: 'a password', newPassword: 'another one', requestId: ids.make() });
    expect((await errorOf(other.accounts.getAccount({ name: bob }))).info?.reason).toBe('SESSION_ENDED');
    await b.accounts.logOut({ requestId: ids.make() });
    expect((await errorOf(b.messages.getUnreadCounts({}))).code).toBe(Code.Unauthenticated);
    await a.accounts.deleteAccount({ password: 'another one', requestId: ids.make() });
    expect((await errorOf(nobody.accounts.logIn({ name: alice, password: 'another one' }))).info?.reason).toBe('WRONG_NAME_OR_PASSWORD');

    const all = [AccountService, MessageService, ClusterService].flatMap((service) => service.methods.map((method) => `${service.typeName}/${method.name}`));
    expect([...called].sort()).toEqual(all.sort());
  });

  test('error details', async () => {
    const alice = await signUp(kind);
    const nobody = clients(kind, 1);
    expect(await errorOf(alice.messages.sendMessage({ recipient: 'nobody-at-all', body: 'hello', requestId: ids.make() }))).toMatchObject({
      code: Code.NotFound,
      message: 'Recipient does not exist.',
      info: { reason: 'RECIPIENT_NOT_FOUND', outcome: Outcome.REFUSED, field: 'recipient' },
    });
    const final = await errorOf(nobody.accounts.createAccount({ name: alice.name, password: 'another one', requestId: ids.make() }));
    expect(final).toMatchObject({ code: Code.AlreadyExists, info: { reason: 'NAME_TAKEN', outcome: Outcome.REFUSED } });
    const bad = await errorOf(alice.messages.sendMessage({ recipient: alice.name, body: 'x'.repeat(20_000), requestId: ids.make() }));
    expect(bad).toMatchObject({ code: Code.InvalidArgument, info: { reason: 'INVALID_BODY', field: 'body', position: 0n } });
    expect(bad.info?.limit).not.toBe('');
    expect(await errorOf(nobody.messages.getUnreadCounts({}))).toMatchObject({ code: Code.Unauthenticated, info: { reason: 'TOKEN_MISSING' } });
    expect(await errorOf(clients(kind, 2, 'rubbish').messages.getUnreadCounts({}))).toMatchObject({ code: Code.Unauthenticated, info: { reason: 'TOKEN_MALFORMED' } });
    const hourAhead = new RequestIds(() => Date.now() + 3_600_000);
    const sendAhead = (): ReturnType<typeof errorOf> => errorOf(alice.messages.sendMessage({ recipient: alice.name, body: 'hello', requestId: hourAhead.make() }));
    let ahead = await sendAhead();
    // Unknown where the node had to ask a second leader: whether the first got it, it cannot know.
    while (ahead.info?.outcome === Outcome.UNKNOWN) ahead = await sendAhead();
    expect(ahead).toMatchObject({ code: Code.FailedPrecondition, info: { reason: 'REQUEST_ID_AHEAD', outcome: Outcome.REFUSED } });
    expect(Math.abs(Number(ahead.info?.serverTime?.seconds) * 1000 - Date.now()) < 30_000).toBe(true);
    // The error of a stream comes in its last envelope.
    expect(await errorOf(first(nobody.messages.watch({}), () => true))).toMatchObject({ code: Code.Unauthenticated, info: { reason: 'TOKEN_MISSING' } });
    expect(await errorOf(first(alice.cluster.watchStatus({ intervalMs: 1 }), () => true))).toMatchObject({ code: Code.InvalidArgument, info: { reason: 'INVALID_INTERVAL', field: 'interval_ms' } });
  });

  test('ending a stream leaves the connection to others', async () => {
    const alice = await signUp(kind);
    for (let turn = 0; turn < 20; ++turn) {
      const end = new AbortController();
      const ended = await errorOf((async () => {
        for await (const response of alice.messages.watch({}, { signal: end.signal })) {
          expect(response.event.case).toBe('heartbeat');
          end.abort();
        }
      })());
      expect(ended.code).toBe(Code.Canceled);
    }
    const sent = await alice.messages.sendMessage({ recipient: alice.name, body: 'still here', requestId: ids.make() });
    expect(sent.message?.read).toBe(true);
  });

  test('a stream goes on at another node from its last position', async () => {
    const alice = await signUp(kind);
    const bob = await signUp(kind, 1);
    const sent: bigint[] = [];
    const send = async (count: number): Promise<void> => {
      for (let number = 0; number < count; ++number) sent.push((await alice.messages.sendMessage({ recipient: bob.name, body: number.toString(), requestId: ids.make() })).position);
    };
    const start = await first(bob.messages.watch({}), (response) => response.event.case === 'heartbeat');
    const clusterId = start.event.case === 'heartbeat' ? start.event.value.asOf!.clusterId : '';
    let position = start.position;
    const heard: bigint[] = [];
    let isOrdered = true;
    for (let turn = 0; turn < 6; ++turn) {
      await send(5);
      const sending = send(5); // some come while nobody listens
      const end = new AbortController();
      const messages = clients(kind, turn % 3, bob.token).messages;
      await errorOf((async () => {
        for await (const response of messages.watch({ afterPosition: position, clusterId }, { signal: end.signal })) {
          isOrdered &&= response.position >= position;
          position = response.position;
          if (response.event.case !== 'message') continue;
          heard.push(response.event.value.id);
          if (heard.length % 10 === 7) end.abort();
        }
      })());
      await sending;
    }
    await first(bob.messages.watch({ afterPosition: position, clusterId }), (response) => {
      if (response.event.case === 'message') heard.push(response.event.value.id);
      return heard.length === sent.length;
    });
    expect(heard).toEqual(sent);
    expect(isOrdered).toBe(true);
    const resync = await first(bob.messages.watch({ afterPosition: position, clusterId: 'another cluster' }), () => true);
    expect(resync.event.case).toBe('resync');
  });
});

// In the end, since it stops nodes for a while.
describe('deadlines', () => {
  const raw = (origin: string, token: string, timeout: string, body: unknown): Promise<Response> =>
    fetch(`${origin}/parley.v1.MessageService/SendMessage`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-protocol-version': '1', 'connect-timeout-ms': timeout, authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });

  test.each(Object.keys(kinds) as (keyof typeof kinds)[])('%s: a write that nobody can commit ends at its deadline', async (kind) => {
    const alice = await signUp(kind);
    const request = { recipient: alice.name, body: 'hello', requestId: ids.make() };
    for (let wasQuick = false; !wasQuick;) {
      const start_ms = Date.now();
      try {
        for (const node of cluster.nodes.slice(1)) await node.freeze();
        const failed = await errorOf(alice.messages.sendMessage(request, { timeoutMs: 400 }));
        // What the node itself says when its own clock has run out, to a client that waits longer than it asked for.
        const answer = await raw(cluster.node(0).origin, alice.token, '400', request);
        const said: unknown = await answer.json();
        wasQuick = Date.now() - start_ms < 2_000; // a node that knows no leader for so long says that at once
        if (wasQuick) expect([failed.code, answer.status, said]).toMatchObject([Code.DeadlineExceeded, 504, { code: 'deadline_exceeded' }]);
      } finally {
        for (const node of cluster.nodes) node.thaw();
      }
      await cluster.isReady();
    }
    // Unknown until it is asked again under the same request_id: it is there once.
    await expect.poll(async () => (await alice.messages.sendMessage(request)).position > 0n, { timeout: 20_000 }).toBe(true);
    expect((await alice.messages.listMessages({ peer: alice.name })).messages.length).toBe(1);
  });

  test('a deadline that is no number is refused', async () => {
    const alice = await signUp('connect-web, JSON');
    const answer = await raw(cluster.node(0).origin, alice.token, '1s', { recipient: alice.name, body: 'hello' });
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'invalid_argument' }]);
  });
});
