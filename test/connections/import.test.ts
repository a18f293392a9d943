import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { bootApp } from '../support/app.ts';
import { connectUser, providerSettings, startIdp } from '../support/oidc.ts';

async function boot(t: TestContext) {
  const idp = await startIdp(t);
  const asked: (string | undefined)[] = [];
  const api = createServer((request, reply) => {
    asked.push(request.headers.authorization);
    fields.push(Object.keys(request.headers));
    reply.end('{}');
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  t.after(() => api.close());
  const origin = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  const settings = providerSettings(t, { idp: idp.row({ default_origin: origin }) }, idp);
  const app = await bootApp(t, { ...settings, MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' });
  const mit = async (user: string) => {
    const { body } = await app.call('POST', '/v1/identity/token', { body: { user_id: user } });
    return { authorization: `Bearer ${String(body.access_token)}` };
  };
  return { app, idp, asked, mit };
}

/** Names of the fields that the API was sent. */
const fields: string[][] = [];
const tokens = {
  user_id: 'ann',
  provider: 'idp',
  account: 'ann-at-idp',
  label: 'ann@example.test',
  access_token: 'an-access-token-from-elsewhere',
  refresh_token: 'a-refresh-token-from-elsewhere',
  expires_in: 3_600,
  scopes: ['openid', 'calendar.read'],
};

test('tokens from elsewhere are a connection: calls go with them, they rest sealed, and newer ones replace them', async (t) => {
  const { app, asked, mit } = await boot(t);
  const made = await app.call('POST', '/v1/admin/connections', { body: tokens });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual([made.body.account, made.body.renewable], ['ann-at-idp', true]);
  assert.doesNotMatch(made.text, /from-elsewhere/);
  const headers = await mit('ann');
  assert.equal((await app.call('GET', '/v1/proxy/idp/x', { headers })).status, 200);
  assert.deepEqual(asked, ['Bearer an-access-token-from-elsewhere']);
  const newer = { ...tokens, access_token: 'a-newer-token-from-elsewhere' };
  const again = await app.call('POST', '/v1/admin/connections', { body: newer });
  assert.equal(again.body.id, made.body.id);
  assert.equal((await app.call('GET', '/v1/proxy/idp/x', { headers })).status, 200);
  assert.equal(asked.at(-1), 'Bearer a-newer-token-from-elsewhere');
  const rows = await app.services.storage
    .tables<{ connections: object; webhook_outbox: object; audit: object }>()
    .selectFrom('connections')
    .selectAll()
    .execute();
  assert.doesNotMatch(JSON.stringify(rows) + app.lines.join(''), /from-elsewhere/);
  assert.match((await app.call('GET', '/v1/admin/audit')).text, /connection\.import/);
});

test('what cannot be taken in is refused in words, and makes no user', async (t) => {
  const { app } = await boot(t);
  const { provider: _provider, ...bare } = tokens;
  for (const [body, status, detail] of [
    [bare, 400],
    [{ ...tokens, server_id: 's' }, 400],
    [{ ...tokens, access_token: '' }, 400],
    [{ ...tokens, access_token: 'a b' }, 400, /^access_token: .*visible ASCII/],
    [{ ...tokens, account: 'ann\nbob' }, 400, /^account: expected 1 to 500 printable/],
    [{ ...tokens, label: 'ann\u202e' }, 400, /^label: expected 1 to 500 printable/],
    [{ ...tokens, label: ' ' }, 400, /^label: /],
    [{ ...tokens, provider: 'nobody' }, 404],
    [{ ...tokens, developer_id: 'dev_nobody' }, 404],
    [{ ...bare, server_id: 'nowhere' }, 404],
    [{ ...tokens, scopes: ['openid', 'calendar.read files.read'] }, 400, /^scopes\[1\]: expected one scope/],
    [{ ...tokens, scopes: ['a"b'] }, 400, /^scopes\[0\]: /],
    [{ ...tokens, scopes: [' '] }, 400, /^scopes\[0\]: /],
    [{ ...tokens, scopes: [''] }, 400, /^scopes\[0\]: /],
    [{ ...bare, server_id: 'nowhere', account: 'ännchen' }, 400, /^account: /],
  ] as const) {
    const reply = await app.call('POST', '/v1/admin/connections', { body });
    assert.equal(reply.status, status, reply.text);
    if (detail !== undefined) assert.match(String(reply.body.detail), detail);
  }
  const key = await app.newKey();
  assert.equal((await app.call('POST', '/v1/admin/connections', { key, body: tokens })).status, 403);
});

test('O1 connection.changed: the app is told of a consent, an import and a disconnect', async (t) => {
  const { app } = await boot(t);
  await connectUser(app, { userId: 'ann', provider: 'idp' });
  const imported = await app.call('POST', '/v1/admin/connections', { body: tokens });
  await app.call('DELETE', `/v1/admin/connections/${String(imported.body.id)}`);
  const rows = await app.services.storage
    .tables<{ webhook_outbox: { body: string; id: string } }>()
    .selectFrom('webhook_outbox')
    .select('body')
    .orderBy('id')
    .execute();
  const told = rows.map(({ body }) => JSON.parse(body) as { type: string; data: Record<string, unknown> });
  assert.deepEqual(
    told.map(({ type, data }) => [type, data.change, data.user_id, data.provider]),
    [
      ['connection.changed', 'connected', 'ann', 'idp'],
      ['connection.changed', 'connected', 'ann', 'idp'],
      ['connection.changed', 'disconnected', 'ann', 'idp'],
    ],
  );
  assert.equal(told[2]?.data.subject, imported.body.id);
});

test('a refused import leaves no user behind', async (t) => {
  const { app } = await boot(t);
  for (const target of [{ provider: 'nobody' }, { provider: undefined, server_id: 'nothing' }])
    assert.ok(
      (await app.call('POST', '/v1/admin/connections', { body: { ...tokens, ...target } })).status >= 400,
    );
  assert.doesNotMatch((await app.call('GET', '/v1/admin/users')).text, /"ann"/);
  assert.equal((await app.call('POST', '/v1/admin/connections', { body: tokens })).status, 201);
  assert.match((await app.call('GET', '/v1/admin/users')).text, /"ann"/);
});

test('B2 of several accounts a proxied call names one, by its id or as people call it; the name stays here', async (t) => {
  const { app, asked, mit } = await boot(t);
  await app.call('POST', '/v1/admin/connections', { body: tokens });
  const bob = { account: 'bob-at-idp', label: 'bob@example.test', access_token: 'of-bob' };
  await app.call('POST', '/v1/admin/connections', { body: { ...tokens, ...bob } });
  const user = await mit('ann');
  const call = async (headers: Record<string, string>) =>
    (await app.call('GET', '/v1/proxy/idp/x', { headers: { ...user, ...headers } })).status;
  for (const name of ['x-mcprank-account', 'x-proxy-account'])
    for (const account of ['bob-at-idp', 'bob@example.test']) {
      assert.equal(await call({ [name]: account }), 200);
      assert.equal(asked.at(-1), 'Bearer of-bob', `${name}: ${account}`);
    }
  assert.equal(await call({}), 200);
  assert.equal(asked.at(-1), `Bearer ${tokens.access_token}`);
  assert.equal(await call({ 'x-mcprank-account': 'carol' }), 404);
  assert.ok(fields.flat().every((name) => !name.startsWith('x-mcprank') && !name.startsWith('x-proxy')));
});
