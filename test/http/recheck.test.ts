import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal, Role } from '../../src/access/access.ts';
import { createAuthentication } from '../../src/http/authentication.ts';
import type { RequestContext } from '../../src/http/request-context.ts';
import { route } from '../../src/http/route.ts';

test('a reply that lasts ends with the role that it needs, as with the account', async () => {
  const person: { role: Role; isThere: boolean } = { role: 'admin', isThere: true };
  const none = () => assert.fail('not asked');
  const authentication = createAuthentication({
    access: { admit: none, authenticate: none } as never,
    verifyUser: none,
    verifyAccessToken: none,
    verifyAccount: async () => {
      if (!person.isThere) throw new Error('gone');
      return {
        caller: { scopes: new Set(), addresses: null, role: person.role } as never as Principal,
        user: null,
      };
    },
    consoleSessions: { keyOf: () => 'acc_one' } as never,
    keyless: undefined,
  });
  const watched = route({
    method: 'GET',
    url: '/v1/x',
    summary: '',
    scope: 'admin',
    role: 'operator',
    reply: null,
    handle: none,
  });
  const context = {
    route: watched,
    account: 'acc_one',
    accessToken: null,
    isKeyless: false,
    token: null,
    params: {},
    address: '127.0.0.1',
    request: { headers: { cookie: 'c' } },
  } as never as RequestContext;
  await authentication.recheck(context);
  person.role = 'operator';
  await authentication.recheck(context);
  person.role = 'viewer';
  await assert.rejects(authentication.recheck(context), { kind: 'missing_role' });
  person.isThere = false;
  await assert.rejects(authentication.recheck(context), /gone/);
});
