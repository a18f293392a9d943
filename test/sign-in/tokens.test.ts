import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { adminKey, bootApp, type TestApp, temporaryFolder } from '../support/app.ts';
import {
  callback,
  decide,
  exchange,
  ping,
  post,
  refresh,
  register,
  signIn,
  visit,
} from '../support/sign-in.ts';
import { engines } from '../support/stores.ts';

async function newClient(app: TestApp): Promise<string> {
  return String((await register(app)).body.client_id);
}

test('threats P8: a person signs in with a key, and the response names us: the client acts with its rights, for the user who was named', async (t) => {
  const app = await bootApp(t);
  const clientId = await newClient(app);
  const visited = await visit(app, clientId);
  assert.match(visited.page.text, /<strong>Test Client<\/strong>[\s\S]*127\.0\.0\.1:33418/);
  const got = await decide(app, visited, { key: adminKey, user_id: 'ann' });
  assert.equal(got.get('state'), visited.state);
  // RFC 9207, against mix-up.
  assert.equal(got.get('iss'), app.url);
  const reply = await exchange(app, { clientId, code: got.get('code') ?? '', verifier: visited.verifier });
  assert.equal(reply.status, 200);
  assert.equal(reply.body.token_type, 'Bearer');
  assert.ok(reply.body.refresh_token, 'without being asked for');
  assert.equal((await ping(app, String(reply.body.access_token))).status, 200);
  const users = await app.call('GET', '/v1/admin/users');
  assert.match(users.text, /"user_id":"ann"/);
  const audit = await app.call('GET', '/v1/admin/audit');
  assert.match(audit.text, /"sign_in\.agree"/);
});

test('a key that is none, may not, or is over: the page says so, and no code is made', async (t) => {
  const app = await bootApp(t);
  const clientId = await newClient(app);
  const visited = await visit(app, clientId);
  const keys = [
    `sk_mcp_rank_${'0'.repeat(32)}`,
    'nonsense',
    '',
    await app.newKey({ scopes: ['search'] }),
    await app.newKey({ addresses: ['192.0.2.1'] }),
  ];
  for (const key of keys) {
    const page = await visited.browser.open(visited.page.url, { decision: 'allow', key });
    assert.equal(page.status, 403, key);
    assert.equal(page.headers.get('location'), null);
    assert.match(page.text, /role="alert"/);
    assert.ok(key === '' || !page.text.includes(key), 'the key does not come back');
  }
  assert.ok((await decide(app, visited)).has('code'), 'and the right one still works');
});

test('Cancel: the client is told access_denied, with its state', async (t) => {
  const app = await bootApp(t);
  const visited = await visit(app, await newClient(app));
  const got = await decide(app, visited, { decision: 'cancel' });
  assert.deepEqual([got.get('error'), got.get('state')], ['access_denied', visited.state]);
  assert.equal(got.get('iss'), app.url);
  assert.equal(got.has('code'), false);
});

test('threats P5: a sign-in belongs to the browser in which it began', async (t) => {
  const app = await bootApp(t);
  const visited = await visit(app, await newClient(app));
  const path = new URL(visited.page.url).pathname;
  for (const cookie of ['', 'mcprank-sign-in=x', `mcprank-sign-in=${path.slice(9)}; mcprank-sign-in=x`]) {
    const page = await app.call('GET', path, { key: null, headers: { cookie } });
    assert.equal(page.status, 404, cookie);
    const form = `decision=allow&key=${adminKey}`;
    const headers = { cookie, 'content-type': 'application/x-www-form-urlencoded' };
    assert.equal((await app.call('POST', path, { key: null, headers, body: form })).status, 404);
  }
  const resume = path.replace('/sign-in/', '/authorize/');
  assert.equal((await app.call('GET', resume, { key: null })).status, 400);
});

test('threats P1: a token is good for the resource it was made for, and no other', async (t) => {
  const app = await bootApp(t);
  await app.call('PUT', '/v1/admin/toolsets/readers', { body: { rules: [], default: 'allow' } });
  const paths = ['/mcp', '/mcp/t/readers', '/mcp/t/others', '/mcp/servers/a%2Fb', '/mcp/servers/a'];
  for (const made of paths.filter((path) => path !== '/mcp/t/others')) {
    const { access } = await signIn(app, { resource: `${app.url}${made}` });
    for (const path of paths) {
      const { status, headers } = await ping(app, access, path);
      if (path === made) assert.notEqual(status, 401, `${made} at ${path}`);
      else assert.equal(status, 401, `${made} at ${path}`);
      if (path !== made) assert.match(headers.get('www-authenticate') ?? '', /error="invalid_token"/);
    }
    // It is no key, and no MIT.
    for (const headers of [{ authorization: `Bearer ${access}` }, { 'x-api-key': access }])
      assert.equal((await app.call('GET', '/v1/servers', { key: null, headers })).status, 401);
  }
});

test('a resource in another spelling is the same; a foreign one is invalid_target; none is /mcp', async (t) => {
  const app = await bootApp(t);
  const clientId = await newClient(app);
  const same = [
    `${app.url}/mcp`,
    `${app.url}/mcp/`,
    `${app.url.replace('http:', 'HTTP:')}/mcp`,
    app.url,
    `${app.url}/`,
  ];
  for (const resource of [...same, null]) {
    const { access } = await signIn(app, { clientId, resource });
    assert.equal((await ping(app, access)).status, 200, String(resource));
    assert.equal((await ping(app, access, '/mcp/servers/a')).status, 401, String(resource));
  }
  for (const resource of [
    'https://other.example/mcp',
    `${app.url}/mcp/x/y`,
    `${app.url}/v1/search`,
    `${app.url}/mcp?x=1`,
    `${app.url}/mcp#x`,
    `${app.url}.evil.example/mcp`,
    'mcp',
  ]) {
    const { page } = await visit(app, clientId, { resource });
    const params = new URL(page.headers.get('location') ?? 'x:').searchParams;
    assert.equal(params.get('error'), 'invalid_target', resource);
    assert.equal(params.get('iss'), app.url);
  }
  const visited = await visit(app, clientId);
  const code = (await decide(app, visited)).get('code') ?? '';
  const other = { resource: `${app.url}/mcp/servers/a` };
  const reply = await exchange(app, { clientId, code, verifier: visited.verifier }, other);
  assert.deepEqual([reply.status, reply.body.error], [400, 'invalid_target']);
});

test('a host in capitals is the same resource', async (t) => {
  const app = await bootApp(t, { MCPRANK_PUBLIC_URL: 'https://rank.example.com' });
  const made = await register(app);
  const target = new URLSearchParams({
    response_type: 'code',
    client_id: String(made.body.client_id),
    redirect_uri: callback,
    code_challenge: createHash('sha256').update('x'.repeat(43)).digest('base64url'),
    code_challenge_method: 'S256',
    resource: 'https://RANK.example.com:443/mcp/',
  });
  const reply = await fetch(`${app.url}/authorize?${target}`, { redirect: 'manual' });
  assert.match(reply.headers.get('location') ?? '', /^https:\/\/rank\.example\.com\/sign-in\//);
  // No neighbour can plant one, and several sign-ins of one browser stay apart.
  const uid = reply.headers.get('location')?.split('/').at(-1) ?? '';
  const cookies = reply.headers.getSetCookie();
  assert.deepEqual(
    new Set(cookies.map((line) => line.split('=', 1)[0])),
    new Set([`__Host-mcprank-sign-in-${uid}`, `__Host-mcprank-sign-in-resume-${uid}`]),
  );
  for (const line of cookies) {
    assert.match(line, /; path=\/(;|$)/);
    assert.match(line, /; secure/i);
    assert.doesNotMatch(line, /domain=/i);
  }
});

test('threats P5: over https a sign-in is found by its own cookie, and by no plain one that a neighbour planted', async (t) => {
  const app = await bootApp(t, { MCPRANK_PUBLIC_URL: 'https://rank.example.com' });
  const clientId = await newClient(app);
  const here = (url: string) => url.replace('https://rank.example.com', app.url);
  const visited = await visit({ url: 'https://rank.example.com' }, clientId, {}, here);
  assert.equal(visited.page.status, 200, visited.page.text);
  const path = new URL(visited.page.url).pathname;
  const uid = path.split('/').at(-1) ?? '';
  const planted = await app.call('GET', path, { key: null, headers: { cookie: `mcprank-sign-in=${uid}` } });
  assert.equal(planted.status, 404);
  const done = await visited.browser.open(visited.page.url, { decision: 'allow', key: adminKey });
  assert.equal(done.status, 303);
  const back = await visited.browser.open(new URL(done.headers.get('location') ?? '', visited.page.url).href);
  assert.match(back.headers.get('location') ?? '', /^http:\/\/127\.0\.0\.1:33418\/callback\?code=/);
});

test('threats P7: no challenge, plain PKCE, another verifier', async (t) => {
  const app = await bootApp(t);
  const clientId = await newClient(app);
  for (const params of [
    { code_challenge: null, code_challenge_method: null },
    { code_challenge_method: 'plain' },
    { code_challenge_method: null },
    { code_challenge: 'short' },
  ]) {
    const { page } = await visit(app, clientId, params);
    const got = new URL(page.headers.get('location') ?? 'x:').searchParams;
    assert.deepEqual([got.get('error'), got.has('code')], ['invalid_request', false], JSON.stringify(params));
  }
  for (const verifier of ['x'.repeat(43), '']) {
    const visited = await visit(app, clientId);
    const code = (await decide(app, visited)).get('code') ?? '';
    const reply = await exchange(app, { clientId, code, verifier });
    assert.deepEqual([reply.status, reply.body.error], [400, 'invalid_grant'], verifier);
  }
});

test('what a client asks for by habit is no reason to refuse it: scopes, a nonce, an account to choose', async (t) => {
  const app = await bootApp(t);
  const clientId = await newClient(app);
  for (const params of [
    { scope: 'mcp offline_access' },
    { scope: 'offline_access' },
    { scope: 'openid profile email mcp:tools' },
    { scope: null },
    { scope: '', nonce: 'n', max_age: '0' },
    { prompt: 'select_account' },
    { prompt: 'consent' },
    { prompt: 'login' },
  ]) {
    const visited = await visit(app, clientId, params);
    assert.equal(visited.page.status, 200, JSON.stringify(params));
    const code = (await decide(app, visited)).get('code') ?? '';
    const reply = await exchange(app, { clientId, code, verifier: visited.verifier });
    assert.equal(reply.body.scope, 'mcp', JSON.stringify([params, reply.body]));
    const again = await post(app, '/token', {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: String(reply.body.refresh_token),
      scope: 'offline_access mcp openid',
    });
    assert.equal(again.status, 200, JSON.stringify(again.body));
  }
  const { page } = await visit(app, clientId, { prompt: 'none' });
  assert.match(page.headers.get('location') ?? '', /error=login_required/);
});

test('threats P6: a code works once; used again, what came of it is over', async (t) => {
  const app = await bootApp(t);
  const clientId = await newClient(app);
  const visited = await visit(app, clientId);
  const code = (await decide(app, visited)).get('code') ?? '';
  const used = { clientId, code, verifier: visited.verifier };
  const first = await exchange(app, used);
  assert.equal((await ping(app, String(first.body.access_token))).status, 200);
  const again = await exchange(app, used);
  assert.deepEqual([again.status, again.body.error], [400, 'invalid_grant']);
  assert.equal((await ping(app, String(first.body.access_token))).status, 401);
  const together = await visit(app, clientId);
  const shared = {
    clientId,
    code: (await decide(app, together)).get('code') ?? '',
    verifier: together.verifier,
  };
  const got = await Promise.all([1, 2, 3, 4, 5].map(() => exchange(app, shared)));
  assert.ok(got.filter(({ status }) => status === 200).length <= 1);
});

type Row = { model: string; expires_at: number };

test('two processes refresh at once: one pair for both; after the grace a second use ends the family', async (t) => {
  const app = await bootApp(t);
  const tokens = await signIn(app);
  const pairs = await Promise.all([1, 2, 3, 4].map(() => refresh(app, tokens)));
  const [first] = pairs;
  for (const { status, body } of pairs) assert.deepEqual([status, body], [200, first?.body]);
  const next = {
    ...tokens,
    access: String(first?.body.access_token),
    refresh: String(first?.body.refresh_token),
  };
  assert.equal((await ping(app, next.access)).status, 200);
  // Nobody else is given it: another client, or this one with another secret.
  const other = await post(app, '/token', {
    grant_type: 'refresh_token',
    client_id: await newClient(app),
    refresh_token: next.refresh,
  });
  assert.deepEqual([other.status, other.body.error], [400, 'invalid_grant']);
  await app.services.storage
    .tables<{ sign_in_records: Row }>()
    .updateTable('sign_in_records')
    .set({ expires_at: Date.now() - 1 })
    .where('model', '=', 'RefreshReply')
    .execute();
  const late = await refresh(app, tokens);
  assert.deepEqual([late.status, late.body.error], [400, 'invalid_grant']);
  assert.equal((await refresh(app, next)).body.error, 'invalid_grant', 'the family is over');
  assert.equal((await ping(app, next.access)).status, 401);
});

test('threats P10: a revoked key, user, token or grant ends what was signed in by it', async (t) => {
  const app = await bootApp(t);
  const key = await app.newKey();
  const listed = await app.call('GET', '/v1/admin/keys');
  const keys = listed.body.keys as { key_id: string; developer: string }[];
  const keyId = keys.find(({ developer }) => developer !== 'admin')?.key_id ?? '';
  const ofKey = await signIn(app, { key });
  const ofUser = await signIn(app, { user: 'ann' });
  const ofToken = await signIn(app);
  const ofGrant = await signIn(app);
  for (const { access } of [ofKey, ofUser, ofToken, ofGrant])
    assert.equal((await ping(app, access)).status, 200);
  await app.call('DELETE', `/v1/admin/keys/${keyId}`);
  await app.call('POST', '/v1/identity/revoke', { body: { user_id: 'ann' } });
  const revoke = (token: string, clientId: string) => post(app, '/revoke', { token, client_id: clientId });
  // Another client cannot.
  assert.notEqual((await ping(app, ofGrant.access)).status, 401);
  assert.equal((await revoke(ofToken.access, ofToken.clientId)).status, 200);
  assert.equal((await revoke(ofGrant.refresh, ofGrant.clientId)).status, 200);
  assert.equal((await revoke('nothing', ofGrant.clientId)).status, 200);
  for (const { access } of [ofKey, ofUser, ofToken, ofGrant])
    assert.equal((await ping(app, access)).status, 401);
  // One token of a consent takes the rest with it.
  for (const tokens of [ofKey, ofUser, ofToken, ofGrant]) {
    const { status, body } = await refresh(app, tokens);
    assert.deepEqual([status, body.error], [400, 'invalid_grant']);
  }
});

test('introspection: what a client has of its own, and of others nothing', async (t) => {
  const app = await bootApp(t);
  const mine = await signIn(app);
  const other = await newClient(app);
  const ask = (token: string, clientId: string) => post(app, '/introspect', { token, client_id: clientId });
  const told = await ask(mine.access, mine.clientId);
  assert.equal(told.body.active, true);
  assert.deepEqual([told.body.aud, told.body.scope, told.body.iss], [`${app.url}/mcp`, 'mcp', app.url]);
  assert.deepEqual((await ask(mine.access, other)).body, { active: false });
  assert.equal((await post(app, '/revoke', { token: mine.access, client_id: other })).status, 200);
  assert.equal((await ping(app, mine.access)).status, 200, 'and it can revoke nothing of others');
});

test('the token is good and the tool is not allowed, or the key may not: 403 insufficient_scope, never 401', async (t) => {
  const app = await bootApp(t);
  const server = {
    id: 'memory',
    name: 'Memory',
    description: 'd',
    remote_url: 'https://m.example/mcp',
    tools: [{ name: 'forget', description: 'd', inputSchema: {} }],
  };
  await app.call('POST', '/v1/admin/servers', { body: server });
  const { access, clientId } = await signIn(app);
  await app.call('PUT', '/v1/admin/toolsets/readers', {
    body: { rules: [{ effect: 'deny', tool: 'forget' }], default: 'allow' },
  });
  const call = () =>
    app.call('POST', '/mcp', {
      key: null,
      headers: { authorization: `Bearer ${access}`, accept: 'application/json, text/event-stream' },
      body: {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'call_tool', arguments: { server_id: 'memory', name: 'forget', arguments: {} } },
      },
    });
  assert.notEqual((await call()).status, 403);
  // Bound to this very client: other clients of the same key keep theirs.
  await app.call('PUT', '/v1/admin/toolsets/readers/bindings', { body: { clients: [clientId] } });
  const denied = await call();
  assert.equal(denied.status, 403, denied.text);
  assert.match(denied.headers.get('www-authenticate') ?? '', /error="insufficient_scope"/);
  assert.match(denied.text, /-32003/);
  const others = await signIn(app);
  assert.notEqual(others.clientId, clientId);
});

test('threats P11: nothing secret of a sign-in is in the log or the store', async (t) => {
  const dataDir = temporaryFolder(t);
  const app = await bootApp(t, { MCPRANK_DATA_DIR: dataDir });
  const made = await register(app, { token_endpoint_auth_method: 'client_secret_post' });
  const secret = String(made.body.client_secret);
  const clientId = String(made.body.client_id);
  const visited = await visit(app, clientId);
  const uid = new URL(visited.page.url).pathname.slice('/sign-in/'.length);
  const code = (await decide(app, visited)).get('code') ?? '';
  const reply = await exchange(
    app,
    { clientId, code, verifier: visited.verifier },
    { client_secret: secret },
  );
  const tokens = [reply.body.access_token, reply.body.refresh_token].map(String);
  await post(app, '/token', {
    grant_type: 'refresh_token',
    client_id: clientId,
    client_secret: secret,
    refresh_token: String(tokens[1]),
  });
  const db = app.services.storage.tables<Record<string, Record<string, unknown>>>();
  const rows = await Promise.all(
    ['sign_in_records', 'sign_in_clients', 'sign_in_accounts', 'audit'].map((table) =>
      db
        .selectFrom(table)
        .selectAll()
        .execute()
        .catch(() => []),
    ),
  );
  const kept = JSON.stringify(rows);
  assert.ok(kept.includes(clientId));
  for (const each of [secret, code, visited.verifier, uid, adminKey, ...tokens]) {
    assert.ok(each.length > 20);
    assert.equal(kept.includes(each), false);
  }
  const log = app.lines.join('');
  for (const each of [secret, code, visited.verifier, adminKey, ...tokens])
    assert.equal(log.includes(each), false);
});

for (const engine of engines)
  test(`a key revoked on one replica ends its tokens on the other within a second; a refresh at both at once has one pair (${engine.name})`, {
    skip: engine.skip,
  }, async (t) => {
    const vault = { MCPRANK_VAULT_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}` };
    const env = { ...(await engine.environment(t)), ...vault };
    const one = await bootApp(t, env);
    const two = await bootApp(t, { ...env, MCPRANK_PUBLIC_URL: one.url });
    const key = await one.newKey();
    const tokens = await signIn(one, { key });
    assert.equal((await ping(two, tokens.access)).status, 200);
    const pairs = await Promise.all([one, two, one, two].map((app) => refresh(app, tokens)));
    for (const { status, body } of pairs) assert.deepEqual([status, body], [200, pairs[0]?.body]);
    const access = String(pairs[0]?.body.access_token);
    assert.equal((await ping(two, access)).status, 200);
    const listed = await one.call('GET', '/v1/admin/keys');
    const keys = listed.body.keys as { key_id: string; developer: string }[];
    const { key_id: id = '' } = keys.find(({ developer }) => developer !== 'admin') ?? {};
    assert.equal((await one.call('DELETE', `/v1/admin/keys/${id}`)).status, 200);
    const until = Date.now() + 1_000;
    while ((await ping(two, access)).status === 200 && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await ping(two, access)).status, 401);
  });
