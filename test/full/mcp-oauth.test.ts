import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { handClock, type TestReply } from '../support/app.ts';
import { bootMcp, type McpTestApp, textOf } from '../support/mcp-app.ts';
import {
  agree,
  invitationOf,
  mitOf,
  type ProtectedWorld,
  startAs,
  startLoopback,
  startProtectedWorld,
} from '../support/mcp-oauth.ts';

const call = ({ app }: ProtectedWorld, headers: Record<string, string>, name = 'whoami') =>
  app.tool('s', name, {}, { headers });

async function connect(w: ProtectedWorld, headers = w.ann): Promise<string> {
  const invitation = invitationOf(await call(w, headers));
  const page = await agree(invitation.auth_url);
  assert.match(page.text, /is connected/, page.text);
  return invitation.id;
}

const open = (app: McpTestApp, fields: Record<string, unknown> = {}) =>
  app.call('POST', '/v1/identity/sessions', { body: { user_id: 'ann', server_id: 's', ...fields } });

test('a user connects an MCP server and calls it as themselves; others and the operator do not', async (t) => {
  const w = await startProtectedWorld(t);
  const refused = await call(w, w.ann);
  const invitation = invitationOf(refused);
  assert.equal((refused.body.detail as { code: string }).code, 'provider_not_connected');
  assert.ok(Date.parse(invitation.expires_at) > Date.now());
  // Whoever calls again before the user has done anything is shown the same session.
  assert.equal(invitationOf(await call(w, w.ann)).id, invitation.id);
  const landing = await fetch(invitation.auth_url);
  assert.match(await landing.text(), new RegExp(`s \\(${new URL(w.server.url).host}\\)`));
  assert.match((await agree(invitation.auth_url)).text, /is connected/);
  const poll = await w.app.call('GET', `/v1/identity/sessions/${invitation.id}`);
  assert.equal(poll.body.status, 'complete', poll.text);

  const token = textOf(await call(w, w.ann));
  assert.deepEqual(w.as.tokens.get(token), ['read']);
  assert.equal(
    (await w.app.call('POST', '/v1/mcp/tools/list', { body: { server_id: 's' }, headers: w.ann })).status,
    200,
  );
  invitationOf(await call(w, await mitOf(w.app, 'bob')));
  const nobody = await call(w, {});
  assert.equal(nobody.status, 403, nobody.text);
  assert.equal((nobody.body.detail as { session?: unknown }).session, undefined);
  const rpc = await w.app.call('POST', '/v1/mcp/call', {
    body: { server_id: 's', method: 'tools/list' },
    headers: await mitOf(w.app, 'bob'),
  });
  invitationOf(rpc);
  const listed = await w.app.call('GET', '/v1/admin/connections?server_id=s');
  const [connection] = listed.body.connections as Record<string, unknown>[];
  assert.deepEqual([connection?.provider, connection?.server_id, connection?.user_id], ['mcp', 's', 'ann']);
  assert.ok(!listed.text.includes(token));
});

test('POST /v1/identity/sessions takes a server_id in place of a provider, and words when it cannot', async (t) => {
  const w = await startProtectedWorld(t);
  const opened = await open(w.app);
  assert.equal(opened.status, 200, opened.text);
  assert.match((await agree(String(opened.body.auth_url))).text, /is connected/);
  assert.equal((await call(w, w.ann)).status, 200);
  assert.equal((await open(w.app, { provider: 'google' })).status, 400);
  assert.equal((await open(w.app, { server_id: 'nowhere' })).status, 404);
  const plain = await startLoopback(t, () => null);
  await w.app.add('plain', `${plain.url}/mcp`);
  const without = await open(w.app, { server_id: 'plain' });
  assert.deepEqual([without.status, without.body.detail], [400, 'server_id: the server does not use OAuth']);
});

test('revoking the user disconnects the server, and its authorization server is told', async (t) => {
  const w = await startProtectedWorld(t);
  await connect(w);
  assert.equal((await call(w, w.ann)).status, 200);
  await w.app.call('POST', '/v1/identity/revoke', { body: { user_id: 'ann' } });
  invitationOf(await call(w, await mitOf(w.app, 'ann')));
  for (let tries = 0; w.as.at('/revoke').length === 0 && tries < 100; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(w.as.at('/revoke').length, 1);
});

for (const [what, lie, words] of [
  [
    'resource metadata for another resource',
    { document: { resource: 'https://elsewhere.example/mcp' } },
    /for another resource/,
  ],
  ['a sibling of the path', { document: { resource: 'SERVER/mc' } }, /for another resource/],
  [
    'an issuer that is not the one asked',
    { metadata: { issuer: 'https://elsewhere.example' } },
    /another issuer/,
  ],
  ['no PKCE with S256', { metadata: { code_challenge_methods_supported: ['plain'] } }, /S256/],
  [
    'an authorization URL that is a script',
    { metadata: { authorization_endpoint: 'javascript:alert(1)' } },
    /no usable authorization_endpoint/,
  ],
] as const) {
  test(`N1 ${what}: refused in words, and nobody is sent there`, async (t) => {
    const w = await startProtectedWorld(t);
    if ('document' in lie)
      w.server.document = { resource: lie.document.resource.replace('SERVER', w.server.url) };
    else w.as.metadata = lie.metadata;
    const opened = await open(w.app);
    assert.equal(opened.status, 502, opened.text);
    assert.match(String(opened.body.detail), words);
    assert.match(String((await call(w, w.ann)).body.detail), words);
    assert.deepEqual(
      [w.as.at('/register').length, w.as.at('/authorize').length, w.as.at('/token').length],
      [0, 0, 0],
    );
  });
}

test('N1 a resource that is above the URL is for it, and goes out to the letter', async (t) => {
  const w = await startProtectedWorld(t);
  w.server.document = { resource: w.server.url };
  await connect(w);
  assert.equal(w.as.at('/authorize')[0]?.query.get('resource'), w.server.url);
});

test('N2 resource is sent on authorize, token and refresh, the same every time', async (t) => {
  const clock = handClock(Date.now());
  const w = await startProtectedWorld(t, { clock });
  await connect(w);
  clock.advance(3_601_000);
  const fresh = await mitOf(w.app, 'ann');
  assert.equal((await call(w, fresh)).status, 200);
  const sent = [w.as.at('/authorize')[0]?.query, ...w.as.at('/token').map(({ form }) => form)];
  assert.deepEqual(
    sent.map((fields) => fields?.get('resource')),
    [w.server.mcp, w.server.mcp, w.server.mcp],
  );
  assert.equal(w.as.at('/token')[1]?.form.get('grant_type'), 'refresh_token');
});

test('N3 another authorization server: a new registration there, and nothing of the old one is shown to it', async (t) => {
  const w = await startProtectedWorld(t);
  await connect(w);
  const token = textOf(await call(w, w.ann));
  const other = await startAs(t);
  other.register = () => ({ status: 201, body: { client_id: 'other-client' } });
  w.server.as = other;
  w.as.token = () => ({ status: 400, body: { error: 'invalid_grant' } });
  await connect(w);
  assert.equal((await call(w, w.ann)).status, 200);
  assert.equal(other.at('/authorize')[0]?.query.get('client_id'), 'other-client');
  const shown = other.seen
    .map(({ headers, body, query }) => JSON.stringify(headers) + body + query)
    .join('\n');
  for (const secret of [token, 'client-1', 'secret-of-client-1']) assert.ok(!shown.includes(secret), secret);
});

test('N4 a catalogue URL that changes ends the consent: the token is never sent to the new place', async (t) => {
  const w = await startProtectedWorld(t);
  await connect(w);
  assert.equal((await call(w, w.ann)).status, 200);
  const thief = await startLoopback(t, () => ({ status: 401 }));
  await w.app.add('s', `${thief.url}/mcp`);
  const moved = await call(w, w.ann);
  assert.equal(moved.status, 502, moved.text);
  assert.ok(!thief.seen.some(({ headers }) => headers.authorization !== undefined));
  const listed = await w.app.call('GET', '/v1/admin/connections?server_id=s');
  assert.equal((listed.body.connections as { status: string }[])[0]?.status, 'needs_reauth');
  // Not even when the old place comes back: whoever moved it could have read along.
  await w.app.add('s', w.server.mcp);
  invitationOf(await call(w, w.ann));
});

test("N5 the caller's MIT and API key go nowhere", async (t) => {
  const w = await startProtectedWorld(t);
  await connect(w);
  await call(w, w.ann);
  const shown = [...w.server.seen, ...w.as.seen]
    .map(({ headers, body }) => JSON.stringify(headers) + body)
    .join('\n');
  assert.ok(!shown.includes(String(w.ann.authorization).slice(7)));
  assert.ok(!shown.includes('sk_mcp_rank_'));
});

test('N6 more scopes: a session for the union, at most twice for one operation, and none that would not help', async (t) => {
  const w = await startProtectedWorld(t);
  w.server.wants = { whoami: ['write'] };
  await connect(w);
  const step = await call(w, w.ann);
  assert.deepEqual((step.body.detail as { missing_scopes: string[] }).missing_scopes, ['write']);
  await agree(invitationOf(step).auth_url);
  assert.deepEqual(w.as.at('/authorize')[1]?.query.get('scope')?.split(' ').sort(), ['read', 'write']);
  assert.equal((await call(w, w.ann)).status, 200);
  // It never has enough.
  w.server.wants = { whoami: ['write', 'more'] };
  await agree(invitationOf(await call(w, w.ann)).auth_url);
  w.server.wants = { whoami: ['write', 'more', 'still-more'] };
  const last = await call(w, w.ann);
  assert.equal(last.status, 502, last.text);
  assert.match(String(last.body.detail), /more than the user was asked for/);
  assert.equal(w.as.at('/authorize').length, 3);
});

test('N6 a server that wants what was consented to already is not asked for again', async (t) => {
  const w = await startProtectedWorld(t);
  await connect(w);
  w.server.wants = { whoami: ['read', 'read'] };
  w.as.tokens.forEach((_scopes, token) => {
    w.as.tokens.set(token, []);
  });
  const useless = await call(w, w.ann);
  assert.equal(useless.status, 502, useless.text);
  assert.equal(w.as.at('/authorize').length, 1);
});

test('N7 offline_access is asked for where the authorization server knows it, and nowhere else', async (t) => {
  const w = await startProtectedWorld(t);
  w.server.document = { scopes_supported: ['read', 'offline_access'] };
  await connect(w);
  assert.equal(w.as.at('/authorize')[0]?.query.get('scope'), 'read');
  const knows = await startAs(t);
  knows.metadata = { scopes_supported: ['read', 'offline_access'] };
  w.server.as = knows;
  w.as.token = () => ({ status: 400, body: { error: 'invalid_grant' } });
  await connect(w);
  assert.equal(knows.at('/authorize')[0]?.query.get('scope'), 'read offline_access');
});

test('N8 a registration says which kind of client we are, and what refuses it is told', async (t) => {
  const w = await startProtectedWorld(t);
  w.as.register = () => ({
    status: 400,
    body: { error: 'invalid_redirect_uri', error_description: '<b>no</b>' },
  });
  const refused = await open(w.app);
  assert.equal(refused.status, 502);
  assert.match(String(refused.body.detail), /refuses to register us: invalid_redirect_uri$/);
  const sent = JSON.parse(w.as.at('/register')[0]?.body ?? '{}') as Record<string, unknown>;
  assert.equal(sent.application_type, 'native');
  assert.deepEqual(sent.grant_types, ['authorization_code', 'refresh_token']);
  w.as.metadata = { registration_endpoint: undefined };
});

test('N8 a client that the operator registered goes first, for its issuer and no other', async (t) => {
  const w = await startProtectedWorld(t);
  const put = await w.app.call('POST', '/v1/admin/oauth-clients', {
    body: { issuer: w.as.url, client_id: 'by-hand', client_secret: 'hand-made-secret' },
  });
  assert.equal(put.status, 201, put.text);
  await connect(w);
  assert.equal(w.as.at('/authorize')[0]?.query.get('client_id'), 'by-hand');
  const basic = Buffer.from(
    String(w.as.at('/token')[0]?.headers.authorization).slice(6),
    'base64',
  ).toString();
  assert.equal(basic, 'by-hand:hand-made-secret');
  assert.equal(w.as.at('/register').length, 0);
  const listed = await w.app.call('GET', '/v1/admin/oauth-clients');
  assert.ok(listed.text.includes('by-hand') && !listed.text.includes('hand-made-secret'));
  const gone = await w.app.call('DELETE', `/v1/admin/oauth-clients/${String(put.body.id)}`);
  assert.equal(gone.status, 200);
});

test('N9 a metadata document that is right but for its size is cut off', async (t) => {
  const w = await startProtectedWorld(t);
  w.server.document = { pad: 'x'.repeat(60_000) };
  assert.equal((await open(w.app)).status, 200);
  w.server.document = { pad: 'x'.repeat(66_000) };
  const opened = await open(w.app);
  assert.equal(opened.status, 502, opened.text);
  assert.ok(opened.text.length < 1_000);
});

for (const [what, document] of [
  ['HTML', '<!doctype html><title>Sign in</title>'],
  ['a list', '[1,2]'],
  ['nothing', ''],
] as const) {
  test(`N9 a metadata document that is ${what} ends in words`, async (t) => {
    const w = await startProtectedWorld(t);
    const liar = await startLoopback(t, ({ path }) =>
      path.startsWith('/.well-known/') ? { body: document } : { status: 401 },
    );
    await w.app.add('liar', `${liar.url}/mcp`);
    const opened = await open(w.app, { server_id: 'liar' });
    assert.equal(opened.status, 502, opened.text);
    assert.match(String(opened.body.detail), /is not a JSON document/);
  });
}

test('N9 a metadata document that redirects is not followed', async (t) => {
  const w = await startProtectedWorld(t);
  const elsewhere = await startLoopback(t, () => ({}));
  const liar = await startLoopback(t, ({ path }) =>
    path.startsWith('/.well-known/')
      ? { status: 302, headers: { location: elsewhere.url } }
      : { status: 401 },
  );
  await w.app.add('liar', `${liar.url}/mcp`);
  assert.equal((await open(w.app, { server_id: 'liar' })).status, 502);
  assert.equal(elsewhere.seen.length, 0);
});

for (const place of [
  'http://169.254.169.254/latest/meta-data',
  'https://169.254.169.254/latest/meta-data',
  'https://metadata.google.internal/x',
  'http://[::1]:1/x',
  'http://10.0.0.1/as',
  'file:///etc/passwd',
  'http://user:pass@127.0.0.1/as',
]) {
  test(`E1 E7 E9 discovery never goes to ${place}, whoever names it`, async (t) => {
    const w = await startProtectedWorld(t);
    const liar = await startLoopback(t, () => ({
      status: 401,
      headers: { 'www-authenticate': `Bearer resource_metadata="${place}"` },
    }));
    await w.app.add('liar', `${liar.url}/mcp`);
    const byChallenge = await open(w.app, { server_id: 'liar' });
    w.server.document = { authorization_servers: [place] };
    const byDocument = await open(w.app);
    for (const reply of [byChallenge, byDocument]) {
      assert.equal(reply.status, 502, reply.text);
      assert.match(String(reply.body.detail), /cannot be reached|http\(s\)|not spoken to/);
    }
  });
}

test('J9 a token that the server refuses is renewed once and the call repeated; then the user is asked', async (t) => {
  const w = await startProtectedWorld(t);
  await connect(w);
  const token = textOf(await call(w, w.ann));
  w.server.refused.add(token);
  const again = textOf(await call(w, w.ann));
  assert.notEqual(again, token);
  assert.equal(w.as.at('/token').length, 2);
  w.server.refused.add(again);
  w.as.token = () => ({ status: 400, body: { error: 'invalid_grant' } });
  invitationOf(await call(w, w.ann));
});

test("J9 in a session of the client's own: the user's consent is asked for, its token goes, and is renewed within the session", async (t) => {
  const w = await startProtectedWorld(t);
  const say = (method: string, headers: Record<string, string>, params: object = {}) =>
    w.app.call('POST', '/mcp/servers/s', {
      headers: { accept: 'application/json, text/event-stream', ...headers },
      body: { jsonrpc: '2.0', id: 1, method, params },
    });
  const clientInfo = { name: 'test', version: '1' };
  const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  await agree(invitationOf(await say('initialize', w.ann, hello)).auth_url);
  const id = (await say('initialize', w.ann, hello)).headers.get('mcp-session-id') ?? '';
  assert.match(id, /^t1\./);
  const inSession = { ...w.ann, 'mcp-session-id': id };
  const whoami = () => say('tools/call', inSession, { name: 'whoami', arguments: {} });
  const token = async () => {
    const reply = await whoami();
    return textOf({ ...reply, body: reply.body.result as TestReply['body'] });
  };
  const first = await token();
  assert.ok(w.as.tokens.has(first));
  w.server.refused.add(first);
  const second = await token();
  assert.ok(w.as.tokens.has(second) && second !== first);
  w.server.wants.whoami = ['write'];
  const missing = (await whoami()).body.detail as Record<string, unknown>;
  assert.deepEqual([missing.code, missing.missing_scopes], ['provider_not_connected', ['write']]);
  const bob = await say('ping', { ...(await mitOf(w.app, 'bob')), 'mcp-session-id': id });
  assert.equal(bob.status, 404);
});

test('a client that its server has forgotten is registered again with the next consent', async (t) => {
  const clock = handClock(Date.now());
  const w = await startProtectedWorld(t, { clock });
  await connect(w);
  clock.advance(3_601_000);
  const ann = await mitOf(w.app, 'ann');
  w.as.token = () => ({ status: 401, body: { error: 'invalid_client' } });
  invitationOf(await call(w, ann));
  w.as.token = null;
  await connect(w, ann);
  assert.equal(w.as.at('/register').length, 2);
  assert.equal((await call(w, ann)).status, 200);
});

test('with a MIT the own credential goes, and without one the operator’s', async (t) => {
  const w = await startProtectedWorld(t);
  w.as.tokens.set('operators', ['read']);
  await w.app.add('s', w.server.mcp, { headers: { Authorization: 'Bearer operators' } });
  assert.equal(textOf(await call(w, w.ann)), 'operators');
  const opened = await open(w.app);
  await agree(String(opened.body.auth_url));
  assert.notEqual(textOf(await call(w, w.ann)), 'operators');
  assert.equal(textOf(await call(w, {})), 'operators');
});

test('nothing of a consent stands in the store or the log in clear', async (t) => {
  const w = await startProtectedWorld(t);
  await connect(w);
  const token = textOf(await call(w, w.ann));
  const { readFileSync, readdirSync } = await import('node:fs');
  const { join } = await import('node:path');
  const files = readdirSync(w.app.dataDir).filter((name) => name.startsWith('mcprank.db'));
  const bytes = files.map((name) => readFileSync(join(w.app.dataDir, name)).toString('latin1')).join('');
  for (const secret of [token, 'refresh-', '"s3"']) assert.ok(!bytes.includes(secret), secret);
  const log = w.app.lines.join('\n');
  for (const secret of [token, 'refresh-', 'a-code']) assert.ok(!log.includes(secret), secret);
});

for (const url of ['javascript:alert(1)', 'file:///etc/passwd', 'https://user@evil.example/']) {
  test(`N10 a link for the user to open is a web page, or is not passed on: ${url}`, async (t) => {
    const reply = await elicited(t, url);
    assert.equal(reply.status, 502, reply.text);
    assert.ok(!reply.text.includes(url));
  });
}

test('N10 a link for the user to open is shown with its origin', async (t) => {
  const reply = await elicited(t, 'https://bank.example/pay?x=1');
  const { link } = reply.body.input_requests as Record<string, { origin: string }>;
  assert.equal(link?.origin, 'https://bank.example');
});

/** A call in whose middle the server wants the user to open a link. */
async function elicited(t: TestContext, url: string) {
  const app = await bootMcp(t);
  const asking = await startLoopback(t, ({ body }) => {
    const { id, method } = JSON.parse(body) as { id: number; method: string };
    const request = { method: 'elicitation/create', params: { mode: 'url', message: 'Open it', url } };
    const result =
      method === 'tools/call'
        ? { resultType: 'input_required', inputRequests: { link: request } }
        : { resultType: 'complete', supportedVersions: ['2026-07-28'] };
    return { body: { jsonrpc: '2.0', id, result } };
  });
  await app.add('asking', `${asking.url}/mcp`);
  return app.tool('asking', 'pay');
}

test('search says how a user stands with each server, and filters by it; memory only', async (t) => {
  const w = await startProtectedWorld(t);
  const add = (id: string, fields: Record<string, unknown>) =>
    w.app.call('POST', '/v1/admin/servers', {
      body: { id, name: id, description: 'Weather forecasts', tools: [], ...fields },
    });
  await add('s', { remote_url: w.server.mcp, auth_type: 'oauth2' });
  await add('free', { remote_url: 'https://free.example/mcp' });
  await add('locked', { remote_url: 'https://locked.example/mcp', auth_type: 'oauth2' });
  await add('paid', {
    remote_url: 'https://paid.example/mcp',
    auth_type: 'bearer',
    headers: { 'x-key': 'k' },
  });
  await add('program', { transport: 'stdio' });
  await w.app.services.search.settled();
  const ask = async (headers: Record<string, string>, filters?: Record<string, unknown>) => {
    const reply = await w.app.call('POST', '/v1/search', {
      body: { query: 'weather forecasts', ...(filters === undefined ? {} : { filters }) },
      headers,
    });
    assert.equal(reply.status, 200, reply.text);
    const servers = reply.body.servers as { id: string; connection?: string }[];
    return Object.fromEntries(servers.map(({ id, connection }) => [id, connection]));
  };
  assert.deepEqual(await ask(w.ann), {
    s: 'needs_auth',
    free: 'open',
    locked: 'needs_auth',
    paid: 'ready',
    program: 'unavailable',
  });
  await connect(w);
  assert.equal((await ask(w.ann)).s, 'ready');
  assert.equal((await ask(await mitOf(w.app, 'bob'))).s, 'needs_auth');
  assert.equal((await ask({})).s, 'needs_auth', 'without a MIT: as anybody stands with it');
  assert.deepEqual(Object.keys(await ask(w.ann, { connected: true })).sort(), ['free', 'paid', 's']);
  assert.deepEqual(Object.keys(await ask(w.ann, { connected: false })).sort(), ['locked', 'program']);
  const bobs = await ask(await mitOf(w.app, 'bob'), { connected: true });
  assert.deepEqual(Object.keys(bobs).sort(), ['free', 'paid']);
  w.server.wants = { whoami: ['write'] };
  invitationOf(await call(w, w.ann));
  assert.equal((await ask(w.ann)).s, 'needs_scope');
  const refused = await w.app.call('POST', '/v1/search', {
    body: { query: 'x', filters: { connected: true } },
  });
  assert.match(String(refused.body.detail), /filters.connected/);
});
