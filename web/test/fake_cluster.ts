// A cluster in this process for tests of api/ and model/: one log, three nodes in front of it, each of which can be
// killed, frozen, cut off from the majority, or lose its answers. It follows the API's rules as far as the page sees
// them: results are kept by request_id, every write has a position, events come by position.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createRouterTransport, type HandlerContext, type Transport } from '@connectrpc/connect';

import {
  AccountService, ClusterService, ErrorInfoSchema, MessageSchema, MessageService, Outcome, Role, SendMessageResponseSchema, Suffrage, WatchResponseSchema,
  type Account, type AsOf, type Message, type SendMessageRequest, type WatchResponse,
} from '../src/gen/parley/v1/api_pb';

interface Person { readonly name: string; readonly id: bigint; password: string; gone: boolean }
interface Logged { readonly to: ReadonlySet<bigint>; readonly author: bigint; readonly response: WatchResponse }

export interface FakeNode {
  readonly origin: string;
  state: 'up' | 'down' | 'frozen';
  writable: boolean;
  loseAnswers: number; // so many of the next sends are done, and their answers lost
  appliedTo: bigint | undefined; // it lags: nothing after this position is known there
  calls: string[];
  staleReads: number; // of messages, conversations and counts
}

export function refusal(code: Code, reason: string, more: MessageInitShape<typeof ErrorInfoSchema> = {}): ConnectError {
  return new ConnectError(reason, code, undefined, [{ desc: ErrorInfoSchema, value: { reason, outcome: Outcome.REFUSED, ...more } }]);
}

export class FakeCluster {
  readonly nodes: FakeNode[];
  readonly people: Person[] = [];
  readonly messages: Message[] = [];
  readonly sends: string[] = []; // the request_id of every send that reached a node
  readonly logOuts: string[] = []; // whose session was ended
  clusterId = 'cluster-1';
  horizon = 0n; // no resume from before it
  clockAhead_ms = 0;
  refuseSend: ((request: SendMessageRequest) => ConnectError | undefined) | undefined;
  onCall: ((node: FakeNode, name: string) => Promise<void> | undefined) | undefined; // before it is answered
  refuseDelete: ((name: string) => ConnectError | undefined) | undefined; // by whom
  position = 100n;
  private readonly log: Logged[] = [];
  private readonly results = new Map<string, bigint>();
  private readonly hiddenFor = new Map<bigint, Map<bigint, bigint>>(); // by account, then message: since when
  private readonly wakers = new Set<() => void>();
  private readonly transports = new Map<string, Transport>();
  // Streams that are open, by origin.
  readonly streams = new Map<string, number>();

  constructor(count = 3) {
    this.nodes = Array.from({ length: count }, (_, at) => ({ origin: `http://127.0.0.1:${(8081 + at).toString()}`, state: 'up' as const, writable: true, loseAnswers: 0, appliedTo: undefined, calls: [], staleReads: 0 }));
    for (const node of this.nodes) this.transports.set(node.origin, this.makeTransport(node));
  }

  transport = (origin: string): Transport => {
    const transport = this.transports.get(origin);
    if (!transport) throw new Error(`no node at ${origin}`);
    return transport;
  };

  node(at: number): FakeNode {
    return this.nodes[at]!;
  }

  // Ends every stream, and makes waiting ones look again.
  change(act: () => void): void {
    act();
    for (const wake of this.wakers) wake();
  }

  addPerson(name: string, password = 'password'): Person {
    const person = { name, id: ++this.position, password, gone: false };
    this.people.push(person);
    return person;
  }

  // As a client elsewhere would.
  sendFrom(sender: string, recipient: string, body: string): Message {
    return this.append(this.personOf(sender), this.personOf(recipient), body, `elsewhere-${(this.position + 1n).toString()}`);
  }

  markReadBy(name: string, ids: readonly bigint[]): bigint[] {
    const reader = this.personOf(name);
    const marked = this.messages.filter((message) => ids.includes(message.id) && message.recipientId === reader.id && !message.read);
    for (const message of marked) message.read = true;
    const messageIds = marked.map((message) => message.id);
    if (marked.length > 0) {
      const to = new Set(marked.flatMap((message) => [message.senderId, message.recipientId]));
      this.emit(to, reader.id, '', { case: 'read', value: { messageIds, reader: name } });
    }
    return messageIds;
  }

  deleteBy(name: string, ids: readonly bigint[]): bigint[] {
    const person = this.personOf(name);
    const hidden = this.hiddenFor.get(person.id) ?? new Map<bigint, bigint>();
    this.hiddenFor.set(person.id, hidden);
    const messageIds = this.visible(person.id).filter((message) => ids.includes(message.id)).map((message) => message.id);
    for (const id of messageIds) hidden.set(id, this.position + 1n);
    if (messageIds.length > 0) this.emit(new Set([person.id]), person.id, '', { case: 'deleted', value: { messageIds } });
    return messageIds;
  }

  deleteAccount(name: string): void {
    const person = this.personOf(name);
    person.gone = true;
    this.emit(new Set(this.people.map((each) => each.id)), person.id, '', { case: 'accountGone', value: { name, accountId: person.id } });
  }

  get streamCount(): number {
    return [...this.streams.values()].reduce((sum, count) => sum + count, 0);
  }

  private personOf(name: string): Person {
    const person = this.people.find((each) => each.name === name && !each.gone);
    if (!person) throw new Error(`no ${name}`);
    return person;
  }

  private conversationOf(a: bigint, b: bigint): bigint {
    return a < b ? a * 100_000n + b : b * 100_000n + a;
  }

  private append(sender: Person, recipient: Person, body: string, requestId: string): Message {
    const message = create(MessageSchema, {
      id: this.position + 1n, sender: sender.name, recipient: recipient.name, body, sentAt: timestampFromMs(Date.now()), read: sender === recipient,
      conversationId: this.conversationOf(sender.id, recipient.id), senderId: sender.id, recipientId: recipient.id, requestId,
    });
    this.messages.push(message);
    this.emit(new Set([sender.id, recipient.id]), sender.id, requestId, { case: 'message', value: { ...message } });
    return message;
  }

  private emit(to: ReadonlySet<bigint>, author: bigint, requestId: string, event: NonNullable<MessageInitShape<typeof WatchResponseSchema>['event']>): void {
    this.position += 1n;
    this.log.push({ to, author, response: create(WatchResponseSchema, { position: this.position, requestId, event }) });
    for (const wake of this.wakers) wake();
  }

  private asOf(node: FakeNode): MessageInitShape<typeof import('../src/gen/parley/v1/api_pb').AsOfSchema> {
    return { position: this.appliedBy(node), clusterId: this.clusterId, ...(node.writable ? { ageMs: 0 } : { ageMs: 4_000 }) } satisfies Partial<AsOf>;
  }

  private appliedBy(node: FakeNode): bigint {
    return node.appliedTo ?? this.position;
  }

  private visible(account: bigint, at = this.position): Message[] {
    const hidden = this.hiddenFor.get(account);
    const gone = new Set(this.people.filter((each) => each.gone).map((each) => each.id));
    return this.messages.filter((message) => message.id <= at && (message.senderId === account || message.recipientId === account) && (hidden?.get(message.id) ?? at + 1n) > at && !gone.has(message.recipientId));
  }

  private show(message: Message, account: bigint): Message {
    return create(MessageSchema, { ...message, requestId: message.senderId === account ? message.requestId : '' });
  }

  private caller(context: HandlerContext): Person {
    const name = (context.requestHeader.get('authorization') ?? '').replace('Bearer token-', '');
    const person = this.people.find((each) => each.name === name && !each.gone);
    if (!person) throw refusal(Code.Unauthenticated, 'SESSION_ENDED');
    return person;
  }

  // A node that is dead answers nobody, one that is frozen never.
  private async arrive(node: FakeNode, name: string, context: HandlerContext): Promise<void> {
    node.calls.push(name);
    await this.onCall?.(node, name);
    if (node.state === 'down') throw new TypeError('fetch failed');
    if (node.state === 'frozen') {
      await new Promise((_, reject) => { context.signal.addEventListener('abort', () => { reject(new TypeError('fetch failed')); }); });
    }
  }

  private needMajority(node: FakeNode): void {
    if (!node.writable) throw refusal(Code.Unavailable, 'NO_LEADER');
  }

  private needMajorityUnless(stale: boolean, node: FakeNode): void {
    if (!stale) this.needMajority(node);
    else node.staleReads += 1;
  }

  private send(node: FakeNode, request: SendMessageRequest, sender: Person) {
    this.sends.push(request.requestId);
    const refused = this.refuseSend?.(request);
    if (refused) throw refused;
    const time_ms = parseInt(request.requestId.replace('-', '').slice(0, 12), 16);
    const server_ms = Date.now() + this.clockAhead_ms;
    if (time_ms > server_ms + 60_000) throw refusal(Code.FailedPrecondition, 'REQUEST_ID_AHEAD', { serverTime: timestampFromMs(server_ms) });
    const before = this.messages.find((message) => message.id === this.results.get(request.requestId));
    const recipient = this.people.find((each) => each.name === request.recipient && !each.gone);
    if (!before && (!recipient || (request.recipientId !== 0n && request.recipientId !== recipient.id))) {
      throw refusal(Code.NotFound, 'RECIPIENT_NOT_FOUND', { position: ++this.position, field: 'recipient' });
    }
    const message = before ?? this.append(sender, recipient!, request.body, request.requestId);
    this.results.set(request.requestId, message.id);
    if (node.loseAnswers > 0) {
      node.loseAnswers -= 1;
      throw new TypeError('fetch failed');
    }
    return create(SendMessageResponseSchema, { message, position: message.id });
  }

  private status(node: FakeNode) {
    return {
      clusterId: this.clusterId, nodeId: this.nodes.indexOf(node) + 1, role: Role.FOLLOWER, term: 3n, leaderId: 1, commitIndex: this.position, appliedIndex: this.position,
      writable: node.writable, asOf: this.asOf(node), version: 'fake', leaderChanges: [{ term: 3n, leaderId: 1, at: timestampFromMs(Date.now()), gapMs: 40 }],
      nodes: this.nodes.map((each, at) => ({
        id: at + 1, role: at === 0 ? Role.LEADER : Role.FOLLOWER, suffrage: Suffrage.VOTER, httpAddr: each.origin.replace('http://', ''), matchIndex: this.position, healthy: each.state === 'up',
      })),
    };
  }

  private makeTransport(node: FakeNode): Transport {
    const account = (person: Person): MessageInitShape<typeof import('../src/gen/parley/v1/api_pb').AccountSchema> => ({ name: person.name, id: person.id }) satisfies Partial<Account>;
    return createRouterTransport(
      ({ rpc }) => {
        rpc(AccountService.method.createAccount, async (request, context) => {
          await this.arrive(node, 'createAccount', context);
          this.needMajority(node);
          if (this.people.some((each) => each.name === request.name && !each.gone)) throw refusal(Code.AlreadyExists, 'NAME_TAKEN', { position: ++this.position, field: 'name' });
          const person = this.addPerson(request.name, request.password);
          return { account: account(person), token: `token-${person.name}`, position: this.position };
        });
        rpc(AccountService.method.logIn, async (request, context) => {
          await this.arrive(node, 'logIn', context);
          const person = this.people.find((each) => each.name === request.name && !each.gone && each.password === request.password);
          if (!person) throw refusal(Code.Unauthenticated, 'WRONG_NAME_OR_PASSWORD');
          return { account: account(person), token: `token-${person.name}`, position: this.position };
        });
        rpc(AccountService.method.logOut, async (_request, context) => {
          await this.arrive(node, 'logOut', context);
          this.needMajority(node);
          this.logOuts.push(this.caller(context).name);
          return { position: ++this.position };
        });
        rpc(AccountService.method.getAccount, async (request, context) => {
          await this.arrive(node, 'getAccount', context);
          const person = this.people.find((each) => each.name === request.name && !each.gone);
          if (!person) throw refusal(Code.NotFound, 'ACCOUNT_NOT_FOUND');
          return { account: account(person), asOf: this.asOf(node) };
        });
        rpc(AccountService.method.listAccounts, async (request, context) => {
          await this.arrive(node, 'listAccounts', context);
          const glob = new RegExp(`^${request.pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
          return { accounts: this.people.filter((each) => !each.gone && glob.test(each.name)).map(account), asOf: this.asOf(node) };
        });
        rpc(MessageService.method.sendMessage, async (request, context) => {
          await this.arrive(node, 'sendMessage', context);
          this.needMajority(node);
          return this.send(node, request, this.caller(context));
        });
        rpc(MessageService.method.listMessages, async (request, context) => {
          await this.arrive(node, 'listMessages', context);
          this.needMajorityUnless(request.stale, node);
          const me = this.caller(context);
          const peer = this.people.find((each) => each.name === request.peer && !each.gone);
          const id = request.conversationId === 0n ? this.conversationOf(me.id, peer?.id ?? 0n) : request.conversationId;
          const below = request.pageToken === '' ? 1n << 62n : BigInt(request.pageToken);
          const all = this.visible(me.id, this.appliedBy(node)).filter((message) => message.conversationId === id && message.id < below).reverse();
          const page = all.slice(0, request.pageSize);
          return { messages: page.map((message) => this.show(message, me.id)), nextPageToken: page.length < all.length ? (page.at(-1)?.id.toString() ?? '') : '', asOf: this.asOf(node) };
        });
        rpc(MessageService.method.listConversations, async (request, context) => {
          await this.arrive(node, 'listConversations', context);
          this.needMajorityUnless(request.stale, node);
          const me = this.caller(context);
          const last = new Map(this.visible(me.id, this.appliedBy(node)).map((message) => [message.conversationId, message]));
          const conversations = [...last.values()].sort((a, b) => Number(b.id - a.id)).map((message) => {
            const peerId = message.senderId === me.id ? message.recipientId : message.senderId;
            const peer = this.people.find((each) => each.id === peerId);
            return { id: message.conversationId, peer: peer?.name ?? '', peerGone: peer?.gone ?? true, lastMessage: this.show(message, me.id) };
          });
          const below = request.pageToken === '' ? 1n << 62n : BigInt(request.pageToken);
          const all = conversations.filter(({ lastMessage }) => lastMessage.id < below);
          const page = all.slice(0, request.pageSize);
          return { conversations: page, nextPageToken: page.length < all.length ? (page.at(-1)?.lastMessage.id.toString() ?? '') : '', asOf: this.asOf(node) };
        });
        rpc(MessageService.method.getUnreadCounts, async (request, context) => {
          await this.arrive(node, 'getUnreadCounts', context);
          this.needMajorityUnless(request.stale, node);
          const me = this.caller(context);
          const counts = new Map<bigint, number>();
          for (const message of this.visible(me.id, this.appliedBy(node))) if (message.recipientId === me.id && !message.read) counts.set(message.conversationId, (counts.get(message.conversationId) ?? 0) + 1);
          return { counts: [...counts].map(([conversationId, unreadCount]) => ({ conversationId, unreadCount })), asOf: this.asOf(node) };
        });
        rpc(MessageService.method.markRead, async (request, context) => {
          await this.arrive(node, 'markRead', context);
          this.needMajority(node);
          return { messageIds: this.markReadBy(this.caller(context).name, request.messageIds), position: this.position };
        });
        rpc(MessageService.method.deleteMessages, async (request, context) => {
          await this.arrive(node, 'deleteMessages', context);
          this.needMajority(node);
          const { name } = this.caller(context);
          const refused = this.refuseDelete?.(name);
          if (refused) throw refused;
          return { messageIds: this.deleteBy(name, request.messageIds), position: this.position };
        });
        rpc(ClusterService.method.getStatus, async (_request, context) => {
          await this.arrive(node, 'getStatus', context);
          return this.status(node);
        });
        const watchStatus = this.watchStatus.bind(this);
        rpc(ClusterService.method.watchStatus, (_request, context) => watchStatus(node, context));
        rpc(MessageService.method.watch, (request, context) => this.watch(node, request.afterPosition, request.clusterId, context));
      },
    );
  }

  private async *watchStatus(node: FakeNode, context: HandlerContext) {
    await this.arrive(node, 'watchStatus', context);
    while (!context.signal.aborted && node.state === 'up') {
      yield { status: this.status(node) };
      await this.woken(50, context.signal);
    }
    throw new TypeError('network error');
  }

  // Heartbeats come often here, so that tests need not wait for them.
  private async *watch(node: FakeNode, after: bigint | undefined, clusterId: string, context: HandlerContext) {
    await this.arrive(node, 'watch', context);
    const me = this.caller(context);
    if (after !== undefined && (after < this.horizon || (clusterId !== '' && clusterId !== this.clusterId))) {
      yield create(WatchResponseSchema, { position: this.position, event: { case: 'resync', value: { oldestPosition: this.horizon } } });
    }
    this.streams.set(node.origin, (this.streams.get(node.origin) ?? 0) + 1);
    let at = after ?? this.position;
    const heartbeat = () => create(WatchResponseSchema, { position: at, event: { case: 'heartbeat', value: { asOf: this.asOf(node), writable: node.writable } } });
    try {
      yield heartbeat();
      while (!context.signal.aborted) {
        if (node.state === 'down') throw new TypeError('network error');
        if (node.state === 'up') {
          // Cut off from the majority it hears of nothing new.
          for (const { to, author, response } of node.writable ? this.log.filter((each) => each.response.position > at && each.response.position <= this.appliedBy(node)) : []) {
            at = response.position;
            if (!to.has(me.id)) continue;
            const event = response.event.case === 'message' ? { case: 'message' as const, value: this.show(response.event.value, me.id) } : response.event;
            yield create(WatchResponseSchema, { position: response.position, event, requestId: author === me.id ? response.requestId : '' });
          }
          if (node.writable && at < this.appliedBy(node)) at = this.appliedBy(node);
          yield heartbeat();
        }
        await this.woken(100, context.signal);
      }
    } finally {
      this.streams.set(node.origin, (this.streams.get(node.origin) ?? 1) - 1);
    }
  }

  private woken(longest_ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.wakers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, longest_ms);
      this.wakers.add(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
