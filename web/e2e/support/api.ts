// The API by the official Connect client, from the test's own process: to fill conversations, and to look at what the
// cluster really holds.
import { createClient, ConnectError, Code, type Client, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import type { DescService } from '@bufbuild/protobuf';

import { AccountService, ClusterService, MessageService, type GetStatusResponse, type Message } from '../../src/gen/parley/v1/api_pb';

export const kPassword = 'correct horse battery';
const kPageSize = 500;
const kTimeout_ms = 10_000;
const kConcurrentSends = 48;
const kAttempts = 40;

export class Api {
  private constructor(
    private readonly origin: string,
    readonly name: string,
    private readonly token: string,
    readonly id: bigint,
  ) {}

  static async register(origin: string, name: string, password = kPassword): Promise<Api> {
    const accounts = clientOf(AccountService, origin);
    try {
      await accounts.createAccount({ name, password });
    } catch (error) {
      if (ConnectError.from(error).code !== Code.AlreadyExists) throw error;
    }
    return Api.logIn(origin, name, password);
  }

  static async logIn(origin: string, name: string, password = kPassword): Promise<Api> {
    const answer = await clientOf(AccountService, origin).logIn({ name, password });
    return new Api(origin, name, answer.token, answer.account?.id ?? 0n);
  }

  // The same session at another node.
  at(origin: string): Api {
    return new Api(origin, this.name, this.token, this.id);
  }

  status(): Promise<GetStatusResponse> {
    return this.client(ClusterService).getStatus({});
  }

  async send(recipient: string, body: string): Promise<bigint> {
    const answer = await this.client(MessageService).sendMessage({ recipient, body });
    return answer.position;
  }

  // Many at once, each until it is done: their order is the cluster's. None is sent twice: a node that is overloaded
  // says so before it does anything.
  async sendMany(recipient: string, bodies: readonly string[]): Promise<void> {
    const client = this.client(MessageService);
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
        for (let attempt = 1; ; ++attempt) {
          try {
            await client.sendMessage({ recipient, body });
            break;
          } catch (error) {
            if (ConnectError.from(error).code !== Code.ResourceExhausted || attempt === kAttempts) throw error;
          }
        }
      }
    };
    await Promise.all(Array.from({ length: kConcurrentSends }, worker));
  }

  // All messages of the conversation with `peer`, oldest first.
  async conversation(peer: string): Promise<Message[]> {
    const found: Message[] = [];
    let pageToken = '';
    do {
      const page = await this.client(MessageService).listMessages({ peer, pageSize: kPageSize, pageToken });
      found.push(...page.messages);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return found;
  }

  async unread(): Promise<number> {
    return Number((await this.client(MessageService).getUnreadCounts({})).total);
  }

  async markRead(messageIds: readonly bigint[]): Promise<void> {
    await this.client(MessageService).markRead({ messageIds: [...messageIds] });
  }

  async deleteAccount(password = kPassword): Promise<void> {
    await this.client(AccountService).deleteAccount({ password });
  }

  private client<S extends DescService>(service: S): Client<S> {
    return clientOf(service, this.origin, this.token);
  }
}

function clientOf<S extends DescService>(service: S, origin: string, token?: string): Client<S> {
  const authorize: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
  return createClient(service, createConnectTransport({ baseUrl: origin, useBinaryFormat: true, interceptors: [authorize], defaultTimeoutMs: kTimeout_ms }));
}
