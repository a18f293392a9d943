import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { roles } from '../../src/access/access.ts';
import { leastRoles } from '../../src/api/console-roles.ts';
import { bootApp } from '../support/app.ts';
import { enter, startCompany } from '../support/company.ts';

async function boot(t: TestContext) {
  const company = await startCompany(t);
  for (const role of roles) company.people.set(role, { email: `${role}@example.com`, groups: [`${role}s`] });
  const mapped = roles.map((role) => `${role}s=${role}`).join(',');
  const app = await bootApp(t, company.env({ MCPRANK_SSO_ROLES: mapped }));
  return { app, company };
}

test('every operation of the API names the least role of whoever has no key, and no other is named', async (t) => {
  const app = await bootApp(t);
  const operations = app.routes
    .filter(({ scope, url }) => scope !== null && url.startsWith('/v1/'))
    .map(({ method, url }) => `${method} ${url}`);
  assert.deepEqual(Object.keys(leastRoles).sort(), operations.sort());
  for (const route of app.routes) assert.equal(route.role, leastRoles[`${route.method} ${route.url}`]);
});

test('each role: its own operations and those of the smaller ones, and no other', async (t) => {
  const { app, company } = await boot(t);
  // What ends somebody's work comes last.
  const walked = app.routes.filter(({ url }) => leastRoles[`GET ${url}`] ?? leastRoles[`POST ${url}`]);
  for (const [rank, role] of roles.entries()) {
    const { who, headers } = await enter(app, company, role);
    assert.deepEqual([who.signed_in, who.role, who.developer], [true, role, 'company']);
    for (const route of app.routes.filter(({ role: least }) => least !== undefined)) {
      const path = route.url.replace(/:[a-z_]+/g, 'nowhere').replace('*', 'x');
      const body = route.body === undefined ? undefined : {};
      const reply = await app.call(route.method, path, { key: null, headers, body });
      const { detail } = reply.body as { detail?: { code?: string } };
      const isRefused = reply.status === 403 && detail?.code === 'missing_role';
      const name = `${role}: ${route.method} ${route.url} ${reply.status} ${reply.text.slice(0, 200)}`;
      assert.equal(isRefused, roles.indexOf(route.role ?? 'admin') > rank, name);
      assert.notEqual(reply.status, 401, name);
    }
  }
  assert.ok(walked.length > 40);
});

test('a role is no key: an account’s name opens nothing, the doors of MCP take no cookie, a page of elsewhere cannot act', async (t) => {
  const { app, company } = await boot(t);
  const { who, headers } = await enter(app, company, 'admin');
  const account = String(who.key_id);
  assert.match(account, /^acc_/);
  for (const sent of [{ 'x-api-key': account }, { authorization: `Bearer ${account}` }])
    assert.equal((await app.call('GET', '/v1/servers', { key: null, headers: sent })).status, 401);
  const body = { jsonrpc: '2.0', id: 1, method: 'ping' };
  assert.equal((await app.call('POST', '/mcp', { key: null, headers, body })).status, 401);
  const foreign = { ...headers, origin: 'https://evil.example' };
  assert.equal((await app.call('GET', '/v1/admin/keys', { key: null, headers: foreign })).status, 403);
  const bare = { cookie: headers.cookie, origin: app.url };
  assert.equal(
    (await app.call('POST', '/v1/admin/keys', { key: null, headers: bare, body: {} })).status,
    403,
    'without the token of its session',
  );
});

test('who has no role is told so on a page; who loses theirs is out; all of it is in the trail', async (t) => {
  const { app, company } = await boot(t);
  const bob = await enter(app, company, 'bob');
  assert.equal(bob.page.status, 403);
  assert.match(bob.page.text, /None of your groups has a role/);
  assert.equal(bob.who.signed_in, false);
  const { headers, who } = await enter(app, company, 'operator');
  const added = await app.call('POST', '/v1/admin/servers', {
    key: null,
    headers,
    body: { id: 's', name: 's', description: 'd', remote_url: 'https://s.example/mcp', tools: [] },
  });
  assert.equal(added.status, 200, added.text);
  const audit = await app.call('GET', '/v1/admin/audit');
  assert.ok(audit.text.includes(`"account:${String(who.key_id)}"`), audit.text);
  assert.match(audit.text, /account\.sign_in/);
  assert.equal(await company.logOut(app, 'operator'), 200);
  const after = await app.call('GET', '/v1/admin/servers', { key: null, headers });
  assert.equal(after.status, 401);
  const session = await app.call('GET', '/console/session', { key: null, headers });
  assert.equal(session.body.signed_in, false);
  const again = await enter(app, company, 'operator');
  assert.equal(again.who.signed_in, true);
  const old = await app.call('GET', '/v1/admin/servers', { key: null, headers });
  assert.equal(old.status, 401, 'signing in anew brings no cookie back');
  const other = await enter(app, company, 'operator');
  assert.equal(
    (await app.call('DELETE', '/console/session', { key: null, headers: again.headers })).status,
    200,
  );
  const isIn = async (by: Record<string, string>) =>
    (await app.call('GET', '/v1/admin/servers', { key: null, headers: by })).status === 200;
  assert.deepEqual(
    [await isIn(again.headers), await isIn(other.headers)],
    [false, true],
    'who signed out is out',
  );
});

test('a person’s calls from the console are their own', async (t) => {
  const { app, company } = await boot(t);
  const { headers } = await enter(app, company, 'developer');
  const server = { id: 's', name: 's', description: 'd', remote_url: 'https://s.example/mcp', tools: [] };
  await app.call('POST', '/v1/admin/servers', {
    body: { ...server, tools: [{ name: 'x', description: 'x', inputSchema: {} }] },
  });
  await app.call('PUT', '/v1/admin/toolsets/closed', { body: { rules: [], default: 'deny' } });
  await app.call('PUT', '/v1/admin/toolsets/closed/bindings', { body: { groups: ['developers'] } });
  const called = await app.call('POST', '/v1/mcp/tools/call', {
    key: null,
    headers,
    body: { server_id: 's', name: 'x' },
  });
  assert.equal(called.status, 403, 'the toolset of their group counts');
  const calls = await app.call('GET', '/v1/admin/calls');
  assert.match(calls.text, /"user_id":"developer"/);
});

test('who adds servers decides neither who sees one that is there nor where its credentials go', async (t) => {
  const { app, company } = await boot(t);
  const server = { id: 's', name: 's', description: 'd', remote_url: 'https://s.example/mcp', tools: [] };
  const secret = { authorization: 'Bearer kept' };
  await app.call('POST', '/v1/admin/servers', { body: { ...server, headers: secret } });
  const { headers } = await enter(app, company, 'operator');
  const post = async (changed: Record<string, unknown>) =>
    (await app.call('POST', '/v1/admin/servers', { key: null, headers, body: { ...server, ...changed } }))
      .status;
  const granted = [{ developer: '*', credentials: true }];
  const elsewhere = { remote_url: 'https://elsewhere.example/mcp' };
  for (const refused of [{ visibility: 'public' }, { granted }, elsewhere])
    assert.equal(await post(refused), 403, JSON.stringify(refused));
  assert.equal(await post({ description: 'another' }), 200);
  const change = async (body: object) =>
    (await app.call('PATCH', '/v1/admin/servers/s', { key: null, headers, body })).status;
  for (const refused of [elsewhere, { ...elsewhere, headers: { 'x-more': 'theirs' } }])
    assert.equal(await change(refused), 403, `changed: ${JSON.stringify(refused)}`);
  assert.equal(await change({ name: 'renamed', headers: { 'x-more': 'theirs' } }), 200);
  await app.call('DELETE', '/v1/admin/servers/s', { key: null, headers });
  for (const refused of [{ visibility: 'public' }, elsewhere, {}])
    assert.equal(await post(refused), 403, `gone: ${JSON.stringify(refused)}`);
  assert.equal(await post({ ...elsewhere, headers: { authorization: 'Bearer theirs' } }), 200);
  assert.equal(
    await post({ id: 'new', visibility: 'private', granted }),
    200,
    'of their own it is theirs to say',
  );
});

test('N13 a person does not approve in the console what they called with a key of the company', async (t) => {
  const { app, company } = await boot(t);
  const operator = await enter(app, company, 'operator');
  await app.call('POST', '/v1/admin/servers', {
    body: {
      id: 's',
      name: 's',
      remote_url: 'https://s.example/mcp',
      tools: [{ name: 'pay', description: 'x' }],
    },
  });
  const key = await app.newKey({ developer: 'company', scopes: ['mcp', 'identity'] });
  await app.call('PUT', '/v1/admin/toolsets/careful', { body: { rules: [{ effect: 'ask', tool: 'pay' }] } });
  await app.call('PUT', '/v1/admin/toolsets/careful/bindings', { body: { developers: ['company'] } });
  const { access_token: token } = (
    await app.call('POST', '/v1/identity/token', { key, body: { user_id: 'operator' } })
  ).body;
  const asked = await app.call('POST', '/v1/mcp/tools/call', {
    key,
    body: { server_id: 's', name: 'pay', arguments: {} },
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(asked.body.status, 'input_required', asked.text);
  const path = `/v1/admin/approvals/${(asked.body.approval as { id: string }).id}`;
  const decide = (headers: Record<string, string>) =>
    app.call('POST', path, { key: null, headers, body: { decision: 'approve' } });
  const own = await decide(operator.headers);
  assert.deepEqual([own.status, (own.body.detail as { code: string }).code], [403, 'denied'], own.text);
  assert.equal((await decide((await enter(app, company, 'admin')).headers)).status, 200);
});
