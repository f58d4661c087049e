// The API by the official Connect client, from the test's own process: to fill conversations, and to look at what the
// cluster really holds.
import { setTimeout as pause } from 'node:timers/promises';

import { createClient, ConnectError, Code, type Client, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-web';
import type { DescService } from '@bufbuild/protobuf';

import { serverTime_ms, toAttemptError } from '../../src/api/errors';
import { RequestIds } from '../../src/api/request_ids';
import { AccountService, ClusterService, MessageService, type GetStatusResponse, type Message } from '../../src/gen/parley/v1/api_pb';

export const kPassword = 'correct horse battery';
const kPageSize = 500;
const kTimeout_ms = 60_000;
const kLook_ms = 10_000;
const kBetweenAttempts_ms = 100;
const kConcurrentSends = 48;
// Of a cluster that is busy, or has no leader just now.
const kPassing: readonly Code[] = [Code.Unavailable, Code.DeadlineExceeded, Code.ResourceExhausted];

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

  // What this node says right now, or that it says nothing.
  status(): Promise<GetStatusResponse> {
    return clientOf(ClusterService, this.origin, { token: this.token, once: true }).getStatus({});
  }

  async send(recipient: string, body: string): Promise<bigint> {
    const answer = await this.client(MessageService).sendMessage({ recipient, body });
    return answer.position;
  }

  // Many at once: their order is the cluster's.
  async sendMany(recipient: string, bodies: readonly string[]): Promise<void> {
    const client = this.client(MessageService);
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) await client.sendMessage({ recipient, body });
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
    return clientOf(service, this.origin, { token: this.token });
  }
}

interface ClientOptions {
  readonly token?: string;
  readonly once?: boolean; // asks no second time
}

function clientOf<S extends DescService>(service: S, origin: string, { token, once = false }: ClientOptions = {}): Client<S> {
  const interceptors = [...(token === undefined ? [] : [authorize(token)]), ...(once ? [] : [askAgain()])];
  const transport = createConnectTransport({ baseUrl: origin, useBinaryFormat: true, interceptors, defaultTimeoutMs: once ? kLook_ms : kTimeout_ms });
  return createClient(service, transport);
}

function authorize(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
}

// Until it is answered or its time is over. A write keeps its request_id, so that it is done once; where the node's clock
// is another day's, it was refused under this machine's, and gets one of that day.
function askAgain(): Interceptor {
  const ids = new RequestIds();
  return (next) => async (request) => {
    if (request.stream) return next(request);
    const message = request.message as { requestId?: string };
    if (message.requestId === '') message.requestId = ids.make();
    for (;;) {
      try {
        return await next(request);
      } catch (cause) {
        const error = toAttemptError(cause);
        if (error.info?.reason === 'REQUEST_ID_AHEAD') {
          ids.learn(serverTime_ms(error) ?? Date.now());
          message.requestId = ids.make();
        } else if (!kPassing.includes(error.code) || request.signal.aborted) {
          throw cause;
        }
        await pause(kBetweenAttempts_ms);
      }
    }
  };
}
