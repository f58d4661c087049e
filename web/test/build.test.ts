// The generated API is what the page is built on: it is there and names the services.
import { expect, test } from 'vitest';

import { AccountService, ClusterService, MessageService } from '../src/gen/parley/v1/api_pb';

test('the generated API names all three services', () => {
  expect([AccountService, MessageService, ClusterService].map((service) => service.typeName)).toEqual([
    'parley.v1.AccountService',
    'parley.v1.MessageService',
    'parley.v1.ClusterService',
  ]);
  expect(MessageService.method.watch.methodKind).toBe('server_streaming');
});
