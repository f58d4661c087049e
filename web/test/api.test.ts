// The small parts below the model: which node to ask, request ids, and what is known of a write.
import { Code, createRouterTransport, type HandlerContext } from '@connectrpc/connect';
import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';

import { Caller } from '../src/api/caller';
import { CallError } from '../src/api/errors';
import { Nodes } from '../src/api/nodes';
import { RequestIds } from '../src/api/request_ids';
import { WriteProgress } from '../src/api/write_progress';
import type { AttemptError } from '../src/api/errors';
import { Reading } from '../src/model/reading';
import { ErrorInfoSchema, MessageService, Outcome } from '../src/gen/parley/v1/api_pb';

describe('nodes', () => {
  test('the own node is first, localhost and 127.0.0.1 are one, and unknown ones are dropped', () => {
    const nodes = new Nodes('http://localhost:8080', ['http://127.0.0.1:9999']);
    nodes.learn(['127.0.0.1:8080', '127.0.0.1:8081', '', '127.0.0.1:8082']);
    expect(nodes.origins()).toEqual(['http://localhost:8080', 'http://127.0.0.1:8081', 'http://127.0.0.1:8082']);
    nodes.learn(['', '']);
    expect(nodes.count).toBe(3);
  });

  test('one that failed rests, the one that answered stays', () => {
    let now = 0;
    const nodes = new Nodes('http://a:1', ['http://b:1', 'http://c:1'], () => now);
    nodes.failed('http://a:1');
    expect(nodes.pick()).toBe('http://b:1');
    nodes.succeeded('http://c:1');
    expect(nodes.pick()).toBe('http://c:1');
    expect(nodes.pick(new Set(['http://c:1']))).toBe('http://b:1');
    nodes.failed('http://c:1');
    nodes.failed('http://b:1');
    expect(nodes.pick()).not.toBe(undefined);
    now = 20_000;
    expect(nodes.pick()).toBe('http://c:1');
  });
});

test('request ids are UUIDv7, in order, by the time that the server told', () => {
  let now = 1_700_000_000_000;
  const ids = new RequestIds(() => now);
  const before = ids.make();
  expect(before).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(parseInt(before.replace('-', '').slice(0, 12), 16)).toBe(now);
  ids.learn(now - 86_400_000);
  now += 5;
  expect(parseInt(ids.make().replace('-', '').slice(0, 12), 16)).toBe(1_700_000_000_000 - 86_400_000 + 5);
  expect(new Set(Array.from({ length: 1_000 }, () => ids.make())).size).toBe(1_000);
});

describe('what is known of a write', () => {
  const answer = (code: Code, outcome: Outcome, more: { position?: bigint; serverTime?: boolean; field?: string; reason?: string } = {}): AttemptError => ({
    code,
    message: '',
    info: create(ErrorInfoSchema, { outcome, position: more.position ?? 0n, field: more.field ?? '', reason: more.reason ?? '', ...(more.serverTime ? { serverTime: { seconds: 1n } } : {}) }),
  });
  const FORGOTTEN = { position: 9n, serverTime: true, reason: 'REQUEST_ID_FORGOTTEN' } as const;
  const lost: AttemptError = { code: Code.Unknown, message: 'network' };
  const { REFUSED, UNKNOWN } = Outcome;

  test.each([
    ['a lost answer', [lost], 'again', true],
    ['a refusal', [answer(Code.NotFound, REFUSED)], 'stop', false],
    ['overload', [answer(Code.ResourceExhausted, REFUSED)], 'again', false],
    ['a limit of the request', [answer(Code.ResourceExhausted, REFUSED, { field: 'body' })], 'stop', false],
    ['a refusal without position after a lost answer', [lost, answer(Code.NotFound, REFUSED)], 'again', true],
    ['a refusal with position after a lost answer', [lost, answer(Code.NotFound, REFUSED, { position: 9n })], 'stop', false],
    ['a wrong clock', [answer(Code.FailedPrecondition, REFUSED, { serverTime: true })], 'again_with_new_id', false],
    ['a wrong clock, twice', [answer(Code.FailedPrecondition, REFUSED, { serverTime: true }), answer(Code.FailedPrecondition, REFUSED, { serverTime: true })], 'stop', false],
    ['a wrong clock after a lost answer', [lost, answer(Code.FailedPrecondition, REFUSED, { serverTime: true })], 'stop', true],
    ['an id that was forgotten when it was made', [answer(Code.FailedPrecondition, UNKNOWN, FORGOTTEN)], 'again_with_new_id', false],
    ['and the new one too', [answer(Code.FailedPrecondition, UNKNOWN, FORGOTTEN), answer(Code.FailedPrecondition, UNKNOWN, FORGOTTEN)], 'stop', true],
    ['a forgotten id after a lost answer', [lost, answer(Code.FailedPrecondition, UNKNOWN, FORGOTTEN)], 'stop', true],
    ['a forgotten id that a node may have sent twice', [answer(Code.FailedPrecondition, UNKNOWN, { ...FORGOTTEN, position: 0n })], 'stop', true],
    ['no leader', [answer(Code.Unavailable, REFUSED)], 'again', false],
  ] as const)('%s', (_name, errors, next, isUnknown) => {
    const progress = new WriteProgress();
    expect(errors.map((error) => progress.onError(error)).at(-1)).toBe(next);
    expect(progress.isUnknown).toBe(isUnknown);
  });
});

describe('a call belongs to the session in which it began', () => {
  // A node that never answers; with each attempt somebody else logs in.
  const begin = () => {
    const tokens: (string | null)[] = [];
    const fail = (_: unknown, context: HandlerContext): never => {
      tokens.push(context.requestHeader.get('authorization'));
      caller.token = `token-${tokens.length}`;
      throw new TypeError('fetch failed');
    };
    const transport = createRouterTransport(({ rpc }) => {
      rpc(MessageService.method.deleteMessages, fail);
      rpc(MessageService.method.getUnreadCounts, fail);
    });
    const caller = new Caller(new Nodes('http://a:1', ['http://b:1']), () => transport, new RequestIds());
    caller.token = 'token-0';
    return { caller, tokens };
  };
  const endOf = (call: Promise<unknown>): Promise<unknown> => call.then(() => 'an answer', (error: unknown) => error);

  test('a write', async () => {
    const { caller, tokens } = begin();
    const end = await endOf(caller.write(MessageService.method.deleteMessages, (requestId) => ({ messageIds: [1n], requestId })));
    expect(tokens).toEqual(['Bearer token-0']);
    expect(end).toBeInstanceOf(CallError);
    expect(end).toMatchObject({ kind: 'unknown', reason: 'SIGNED_OUT' });
  });

  test('a read', async () => {
    const { caller, tokens } = begin();
    const end = await endOf(caller.read(MessageService.method.getUnreadCounts, {}));
    expect(tokens).toEqual(['Bearer token-0']);
    expect(end).toMatchObject({ kind: 'unavailable', reason: 'SIGNED_OUT' });
  });

  test('a read that would be content with an older answer', async () => {
    const { caller, tokens } = begin();
    const end = await endOf(new Reading(caller, () => false).read(MessageService.method.getUnreadCounts, (stale) => ({ stale })));
    expect(tokens).toEqual(['Bearer token-0']);
    expect(end).toMatchObject({ kind: 'unavailable', reason: 'SIGNED_OUT' });
  });

  test('a write that was prepared before: not even once', async () => {
    const { caller, tokens } = begin();
    const { token } = caller;
    caller.token = undefined;
    const end = await endOf(caller.write(MessageService.method.deleteMessages, (requestId) => ({ messageIds: [1n], requestId }), { token }));
    expect(tokens).toEqual([]);
    expect(end).toMatchObject({ kind: 'refused', reason: 'SIGNED_OUT' });
  });
});
