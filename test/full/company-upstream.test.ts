import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adminKey, bootApp, handClock, type TestApp } from '../support/app.ts';
import { startCompany } from '../support/company.ts';
import { register, tokensOf } from '../support/sign-in.ts';

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const local = { MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' };

/** Two services of one company; the second one's door is a server of the first one's catalogue, and takes the company's word. */
async function boot(
  t: TestContext,
  env: Record<string, string> = { MCPRANK_SSO_ASSERTIONS: 'on' },
  options: Parameters<typeof bootApp>[2] = {},
) {
  const company = await startCompany(t);
  const there = await bootApp(t, company.env({ MCPRANK_SSO_ASSERTIONS: 'on' }));
  const tool = {
    id: 'tides',
    name: 'tides',
    remote_url: 'https://tides.example/mcp',
    tools: [{ name: 'tide' }],
  };
  await there.call('POST', '/v1/admin/servers', { body: tool });
  const made = await register(there, {
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token', jwtBearer],
  });
  const here = await bootApp(t, company.env({ ...local, ...env }), options);
  await here.call('POST', '/v1/admin/servers', {
    body: { id: 'there', name: 'there', remote_url: `${there.url}/mcp` },
  });
  const { client_id, client_secret } = made.body;
  const client = { issuer: there.url, client_id, client_secret, auth_method: 'client_secret_post' };
  const put = await here.call('POST', '/v1/admin/oauth-clients', { body: client });
  assert.equal(put.status, 201, put.text);
  return { company, here, there, clientId: String(client_id) };
}

const door = '/mcp/servers/there';
const list = (app: TestApp, access: string) =>
  app.call('POST', door, {
    key: null,
    body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    headers: { authorization: `Bearer ${access}`, accept: 'application/json, text/event-stream' },
  });
const exchanges = (app: TestApp) => app.lines.filter((line) => line.includes('"path":"/token"')).length;

test('a person of the company reaches a server that trusts the same provider without any page of it', async (t) => {
  const { company, here, there, clientId } = await boot(t);
  company.clientsAt.set(there.url, clientId);
  const { access } = await tokensOf(here, undefined, { resource: `${here.url}${door}` });
  const listed = await list(here, access);
  assert.match(listed.text, /tides__tide/, listed.text);
  assert.match((await there.call('GET', '/v1/admin/users')).text, /"user_id":"ann"/);
  const asked = exchanges(there);
  await list(here, access);
  assert.equal(exchanges(there), asked, 'the token is kept while it is good');
  // Nothing of it rests anywhere.
  const rows = await here.services.storage
    .tables<{ connections: object }>()
    .selectFrom('connections')
    .selectAll()
    .execute();
  assert.deepEqual(rows, []);
  assert.doesNotMatch(here.lines.join('\n'), /eyJ/);
});

/** What rests of the one person's sign-in, opened. */
async function restingTokens({ services: { storage, vault } }: TestApp): Promise<string> {
  const row = await storage
    .tables<{ sign_in_accounts: { id: string; sealed: string } }>()
    .selectFrom('sign_in_accounts')
    .selectAll()
    .executeTakeFirstOrThrow();
  assert.doesNotMatch(JSON.stringify(row), /eyJ/);
  return vault.open(row.sealed, ['sign-in', 'account', row.id]);
}

test('the provider is asked by the ID token of the person’s sign-in, else by the refresh token; without the setting no ID token is kept', async (t) => {
  const { company, here, there, clientId } = await boot(t);
  company.clientsAt.set(there.url, clientId);
  company.vouchesBy = 'refresh_token';
  const { access } = await tokensOf(here, undefined, { resource: `${here.url}${door}` });
  assert.match((await list(here, access)).text, /tides__tide/);
  assert.match(await restingTokens(here), /"identity":\{"token":"eyJ/);
  assert.doesNotMatch(here.lines.join('\n'), /eyJ/);
  const without = await boot(t, {});
  await tokensOf(without.here, undefined, { resource: `${without.here.url}${door}` });
  assert.doesNotMatch(await restingTokens(without.here), /eyJ/);
});

test('a session of the server’s own goes on over the renewal of such a token', async (t) => {
  const clock = handClock(Date.now());
  const { company, here, there, clientId } = await boot(t, undefined, { clock });
  company.clientsAt.set(there.url, clientId);
  const { access } = await tokensOf(here, undefined, { resource: `${here.url}${door}` });
  const send = (body: object, headers: Record<string, string> = {}) =>
    fetch(`${here.url}${door}`, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
      headers: {
        ...{ authorization: `Bearer ${access}`, 'content-type': 'application/json' },
        ...{ accept: 'application/json, text/event-stream', ...headers },
      },
    });
  const clientInfo = { name: 'test', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const opened = await send({ id: 1, method: 'initialize', params });
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
  assert.notEqual(session['mcp-session-id'], '', await opened.text());
  const asked = exchanges(there);
  clock.advance(300_000);
  const listed = await send({ id: 2, method: 'tools/list' }, session);
  assert.match(await listed.text(), /tides__tide/);
  assert.equal(exchanges(there), asked + 1);
});

test('threats P17: whom the provider does not vouch for is asked as ever; bob never goes by ann’s token', async (t) => {
  const { company, here, there, clientId } = await boot(t);
  const { access } = await tokensOf(here, undefined, { resource: `${here.url}${door}` });
  assert.match((await list(here, access)).text, /auth_url/);
  company.clientsAt.set(there.url, clientId);
  company.visitor = 'bob';
  const bob = await tokensOf(here, undefined, { resource: `${here.url}${door}` });
  assert.match((await list(here, bob.access)).text, /tides__tide/);
  const users = (await there.call('GET', '/v1/admin/users')).text;
  assert.ok(users.includes('"bob"') && !users.includes('"ann"'), users);
});

test('without the setting the provider is not asked, and a user by a key is nobody of the company', async (t) => {
  const { company, here, there, clientId } = await boot(t, {});
  company.clientsAt.set(there.url, clientId);
  const { access } = await tokensOf(here, undefined, { resource: `${here.url}${door}` });
  assert.match((await list(here, access)).text, /auth_url/);
  assert.equal(exchanges(there), 0);
  const other = await boot(t);
  other.company.clientsAt.set(other.there.url, other.clientId);
  await tokensOf(other.here, undefined, { resource: `${other.here.url}${door}` });
  const { body } = await other.here.call('POST', '/v1/identity/token', {
    body: { user_id: 'ann' },
    key: adminKey,
  });
  const headers = { authorization: `Bearer ${String(body.access_token)}` };
  const called = await other.here.call('POST', '/v1/mcp/tools/list', {
    body: { server_id: 'there' },
    headers,
  });
  assert.equal(called.status, 403, 'the developer admin has an ann of its own');
  assert.equal(exchanges(other.there), 0);
});
