// Who is logged in: one account per browser and origin, the same in all tabs. The token lies in localStorage, never in
// a URL; it is good on every node.
import { signal, type ReadonlySignal } from '@preact/signals';

import { AccountService, type Account } from '../gen/parley/v1/api_pb';
import type { Caller } from '../api/caller';
import { CallError } from '../api/errors';
import type { Outcome, Session } from './contract';
import type { KeyValue } from './platform';
import { done, failure } from './reading';

const kLogOut_ms = 4_000;
const kName = 'parley.session';

interface Kept {
  readonly token: string;
  readonly name: string;
  readonly id: string;
}

export class SessionKeeper {
  private readonly current = signal<Session>({ kind: 'loading' });
  private readonly stop: () => void;

  constructor(
    private readonly keyValue: KeyValue,
    private readonly caller: Caller,
    // What this browser keeps of an account: what was read for it, or (it is gone) everything.
    private readonly forget: (account: string, what: 'read' | 'everything') => Promise<void>,
  ) {
    caller.onSessionEnd = (token) => {
      if (token !== undefined && token === caller.token) this.end('The session has ended. Log in again.');
    };
    this.stop = keyValue.onChange((name) => { if (name === kName) this.adopt(); });
  }

  get session(): ReadonlySignal<Session> {
    return this.current;
  }

  // What this browser knows, at the start and when another tab logs in or out.
  adopt(): void {
    const kept = this.kept();
    if (kept) this.signIn(kept);
    else if (this.current.peek().kind !== 'signed_out') this.signOut();
  }

  close(): void {
    this.stop();
  }

  // Unless another tab has begun another session meanwhile: that one stays.
  end(why: string | undefined, token = this.caller.token): void {
    const kept = this.kept();
    if (kept && kept.token !== token) {
      this.signIn(kept);
      return;
    }
    this.keyValue.set(kName, null);
    this.signOut(why);
  }

  async register(name: string, password: string): Promise<Outcome> {
    try {
      const answer = await this.caller.write(AccountService.method.createAccount, (requestId) => ({ name, password, requestId }));
      this.begin(answer.account, answer.token);
      return done;
    } catch (error) {
      return failure(error);
    }
  }

  // The one write without request_id: asking again opens another session, which does no harm.
  async logIn(name: string, password: string): Promise<Outcome> {
    try {
      const answer = await this.caller.read(AccountService.method.logIn, { name, password });
      this.begin(answer.account, answer.token);
      return done;
    } catch (error) {
      return failure(error);
    }
  }

  // This browser forgets the session in any case.
  async logOut(): Promise<Outcome> {
    let outcome: Outcome = done;
    const { token } = this.caller;
    const account = this.account();
    try {
      await this.caller.write(AccountService.method.logOut, (requestId) => ({ requestId }), { timeout_ms: kLogOut_ms });
    } catch (error) {
      if (!(error instanceof CallError) || error.reason !== 'SESSION_ENDED') outcome = failure(error);
    }
    const why = outcome.ok ? undefined : 'Logged out here. The cluster could not be told: the session stays valid there until it expires.';
    this.end(why, token);
    if (account !== undefined) await this.forget(account, 'read');
    return outcome;
  }

  async changePassword(password: string, newPassword: string): Promise<Outcome> {
    try {
      await this.caller.write(AccountService.method.changePassword, (requestId) => ({ password, newPassword, requestId }));
      return done;
    } catch (error) {
      return failure(error);
    }
  }

  async deleteAccount(password: string): Promise<Outcome> {
    const { token } = this.caller;
    const account = this.account();
    try {
      await this.caller.write(AccountService.method.deleteAccount, (requestId) => ({ password, requestId }));
    } catch (error) {
      return failure(error);
    }
    this.end('The account was deleted.', token);
    if (account !== undefined) await this.forget(account, 'everything');
    return done;
  }

  private begin(account: Account | undefined, token: string): void {
    if (!account) throw new Error('an answer without its account');
    const kept: Kept = { token, name: account.name, id: account.id.toString() };
    this.keyValue.set(kName, JSON.stringify(kept));
    this.signIn(kept);
  }

  private signIn(kept: Kept): void {
    this.caller.token = kept.token;
    const now = this.current.peek();
    const id = BigInt(kept.id);
    if (now.kind !== 'signed_in' || now.id !== id) this.current.value = { kind: 'signed_in', name: kept.name, id };
  }

  private signOut(why?: string): void {
    this.caller.token = undefined;
    this.current.value = { kind: 'signed_out', ...(why === undefined ? {} : { why }) };
  }

  // Whose session this tab has.
  private account(): string | undefined {
    const now = this.current.peek();
    return now.kind === 'signed_in' ? now.id.toString() : undefined;
  }

  private kept(): Kept | undefined {
    try {
      const kept = JSON.parse(this.keyValue.get(kName) ?? 'null') as Partial<Kept> | null;
      return kept?.token !== undefined && kept.name !== undefined && kept.id !== undefined ? { token: kept.token, name: kept.name, id: kept.id } : undefined;
    } catch {
      return undefined;
    }
  }
}
