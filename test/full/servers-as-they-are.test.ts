import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bootApp, handClock, type TestReply } from '../support/app.ts';
import { bootMcp, type McpTestApp, textOf } from '../support/mcp-app.ts';
import {
  type Asked,
  agree,
  type FakeAs,
  invitationOf,
  mitOf,
  type ProtectedWorld,
  startAs,
  startLoopback,
  startProtected,
  startProtectedWorld,
} from '../support/mcp-oauth.ts';
import { providerSettings } from '../support/oidc.ts';
import { asJson, startPlainProvider } from '../support/plain-provider.ts';

const call = ({ app, ann }: ProtectedWorld, headers = ann) => app.tool('s', 'whoami', {}, { headers });
const open = (app: McpTestApp, serverId = 's', userId = 'ann') =>
  app.call('POST', '/v1/identity/sessions', { body: { user_id: userId, server_id: serverId } });

async function connect(app: McpTestApp, serverId = 's', userId = 'ann') {
  const opened = await open(app, serverId, userId);
  assert.equal(opened.status, 200, opened.text);
  const page = await agree(String(opened.body.auth_url));
  assert.match(page.text, /is connected/, page.text);
  return app.call('GET', `/v1/identity/sessions/${String(opened.body.session_id)}`);
}

type Documents = Readonly<Record<string, unknown>>;

/** A server on whose one origin everything is: documents by path, `AT` for its URL; whatever else answers 401. */
async function startOrigin(t: TestContext, documents: Documents, challenge?: string) {
  const fill = (text: string) => text.replaceAll('AT', origin.url);
  const origin = await startLoopback(t, ({ path }: Asked) => {
    const document = documents[path];
    if (document === undefined) {
      const metadata = challenge === undefined ? '' : ` resource_metadata="${fill(challenge)}"`;
      return path === '/mcp'
        ? { status: 401, headers: { 'www-authenticate': `Bearer${metadata}` } }
        : { status: 404 };
    }
    if (typeof document === 'object' && document !== null && 'status' in document)
      return document as { status: number };
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    return {
      headers: { 'content-type': text.startsWith('<') ? 'text/html' : 'application/json' },
      body: fill(text),
    };
  });
  return origin;
}

const page = '<!doctype html><title>An application of one page</title>';
const issuer = {
  issuer: 'AT',
  authorization_endpoint: 'AT/authorize',
  token_endpoint: 'AT/token',
  registration_endpoint: 'AT/register',
  code_challenge_methods_supported: ['S256'],
};
const resource = { resource: 'AT/mcp', authorization_servers: ['AT'] };
const registered = { client_id: 'c1' };
const rfc9728 = '/.well-known/oauth-protected-resource';
const rfc8414 = '/.well-known/oauth-authorization-server';
const openId = '/.well-known/openid-configuration';

/** Each of them leads to a session. */
const found: Readonly<Record<string, readonly [Documents, string?]>> = {
  'HTML at RFC 8414’s place, the document at OpenID’s': [
    { [`${rfc9728}/mcp`]: resource, [rfc8414]: page, [openId]: issuer },
  ],
  'a page of a megabyte there': [
    { [`${rfc9728}/mcp`]: resource, [rfc8414]: page + ' '.repeat(1_000_000), [openId]: issuer },
  ],
  '500 there': [{ [`${rfc9728}/mcp`]: resource, [rfc8414]: { status: 500 }, [openId]: issuer }],
  'a redirect there': [{ [`${rfc9728}/mcp`]: resource, [rfc8414]: { status: 302 }, [openId]: issuer }],
  'nothing there': [{ [`${rfc9728}/mcp`]: resource, [openId]: issuer }],
  'a list there': [{ [`${rfc9728}/mcp`]: resource, [rfc8414]: '[]', [openId]: issuer }],
  'JSON that is no metadata there': [
    { [`${rfc9728}/mcp`]: resource, [rfc8414]: { error: 'not found' }, [openId]: issuer },
  ],
  'metadata with nulls and empty members': [
    {
      [`${rfc9728}/mcp`]: { ...resource, scopes_supported: null, dpop_signing_alg_values_supported: [] },
      [rfc8414]: {
        ...issuer,
        revocation_endpoint: null,
        jwks_uri: '',
        scopes_supported: null,
        token_endpoint_auth_methods_supported: null,
        authorization_response_iss_parameter_supported: null,
      },
    },
  ],
  'HTML at the resource’s own place, the document at the origin’s': [
    { [`${rfc9728}/mcp`]: page, [rfc9728]: resource, [rfc8414]: issuer },
  ],
  'HTML at both, the authorization server at the origin (2025-03-26)': [
    { [`${rfc9728}/mcp`]: page, [rfc9728]: page, [rfc8414]: issuer },
  ],
  'resource metadata without an authorization server': [
    { [`${rfc9728}/mcp`]: { resource: 'AT/mcp', authorization_servers: null }, [rfc8414]: issuer },
  ],
  'a first authorization server that is none, a second one': [
    {
      [`${rfc9728}/mcp`]: { ...resource, authorization_servers: [null, 'AT/nothing', 'AT'] },
      [rfc8414]: issuer,
    },
  ],
  'a resource with a final slash': [
    { [`${rfc9728}/mcp`]: { ...resource, resource: 'AT/mcp/' }, [rfc8414]: issuer },
  ],
  'a named document that is not there': [{ [`${rfc9728}/mcp`]: resource, [rfc8414]: issuer }, 'AT/nowhere'],
  'a named document that is a page': [
    { [`${rfc9728}/mcp`]: resource, [rfc8414]: issuer, '/page': page },
    'AT/page',
  ],
  'a named document for another resource': [
    {
      [`${rfc9728}/mcp`]: resource,
      [rfc8414]: issuer,
      '/other': { ...resource, resource: 'https://x.example' },
    },
    'AT/other',
  ],
  'a named document at no URL': [{ [`${rfc9728}/mcp`]: resource, [rfc8414]: issuer }, '/relative'],
  'a named document at a host that is away': [
    { [`${rfc9728}/mcp`]: resource, [rfc8414]: issuer },
    'http://127.0.0.1:1/x',
  ],
};
for (const [what, [documents, challenge]] of Object.entries(found))
  test(`22 discovery: ${what}`, async (t) => {
    const app = await bootMcp(t);
    const origin = await startOrigin(t, { '/register': registered, ...documents }, challenge);
    await app.add('o', `${origin.url}/mcp`);
    const opened = await open(app, 'o');
    assert.equal(opened.status, 200, opened.text);
  });

test('22 a resource with a final slash is for the server: tokens go there, and the resource goes out to the letter', async (t) => {
  const w = await startProtectedWorld(t);
  w.server.document = { resource: `${w.server.mcp}/` };
  await connect(w.app);
  assert.equal((await call(w)).status, 200);
  assert.equal(w.as.at('/token')[0]?.form.get('resource'), `${w.server.mcp}/`);
});

test('22 a provider row’s issuer is found by RFC 8414 as well as by OpenID Connect', async (t) => {
  const metadata = { ...issuer, registration_endpoint: null, scopes_supported: null };
  for (const places of [
    { [rfc8414]: metadata },
    { [openId]: metadata },
    { [openId]: page, [rfc8414]: metadata },
    { [openId]: { error: 'x' }, [rfc8414]: metadata },
  ] as Documents[]) {
    const origin = await startOrigin(t, places);
    const rows = {
      idp: { client_id: 'id', client_secret: 'a-secret', issuer: origin.url, scopes: ['read'] },
    };
    const app = await bootApp(t, { ...providerSettings(t, rows), MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' });
    const opened = await app.call('POST', '/v1/identity/sessions', {
      body: { user_id: 'ann', provider: 'idp' },
    });
    assert.equal((await fetch(String(opened.body.auth_url))).status, 200, JSON.stringify(places));
  }
});

/** Registrations that are good, however they are written. */
const registrations: Readonly<
  Record<string, { status?: number; headers?: Record<string, string>; body: unknown }>
> = {
  nulls: { status: 201, body: { client_id: 'c1', client_secret: null, client_secret_expires_at: null } },
  'nulls with 200': { body: { client_id: 'c1', client_secret: null, client_secret_expires_at: null } },
  'empty texts': {
    status: 201,
    body: {
      client_id: 'c1',
      client_secret: '',
      client_secret_expires_at: '',
      token_endpoint_auth_method: '',
    },
  },
  'a secret that does not say when it ends': { status: 201, body: { client_id: 'c1', client_secret: 's' } },
  'a secret that ends at null': {
    status: 201,
    body: { client_id: 'c1', client_secret: 's', client_secret_expires_at: null },
  },
  'an end as text': {
    status: 201,
    body: { client_id: 'c1', client_secret: 's', client_secret_expires_at: '0' },
  },
  'an end below zero': {
    status: 201,
    body: { client_id: 'c1', client_secret: 's', client_secret_expires_at: -1 },
  },
  'a number for an id': { status: 201, body: { client_id: 17, token_endpoint_auth_method: null } },
  'JSON under text/plain': {
    status: 201,
    headers: { 'content-type': 'text/plain' },
    body: '{"client_id":"c1","client_secret":null}',
  },
  'echoes of what was not sent': {
    status: 201,
    body: { client_id: 'c1', client_id_issued_at: null, jwks: null, contacts: [], error: null },
  },
};
for (const [what, reply] of Object.entries(registrations))
  test(`22 a registration: ${what}`, async (t) => {
    const w = await startProtectedWorld(t);
    w.as.register = () => reply;
    await connect(w.app);
    assert.equal((await call(w)).status, 200);
    const [sent] = w.as.at('/token');
    const isPublic = (reply.body as { client_secret?: unknown }).client_secret !== 's';
    assert.equal(sent?.headers.authorization === undefined, isPublic);
  });

for (const [what, reply, words] of [
  [
    'HTML',
    { headers: { 'content-type': 'text/html' }, body: page },
    /answers a registration with something else$/,
  ],
  ['no client_id', { status: 201, body: { client_id: null } }, /answers a registration with something else$/],
  ['a refusal', { status: 403, body: { error: 'access_denied' } }, /refuses to register us: access_denied$/],
  ['a refusal without words', { status: 403, body: '' }, /refuses to register us: status 403$/],
] as const)
  test(`22 a registration that cannot be used is told: ${what}`, async (t) => {
    const w = await startProtectedWorld(t);
    w.as.register = () => reply;
    const opened = await open(w.app);
    assert.equal(opened.status, 502);
    assert.match(String(opened.body.detail), words);
  });

test('21 offline_access goes with prompt=consent, towards servers and providers alike', async (t) => {
  const w = await startProtectedWorld(t);
  w.as.metadata = { scopes_supported: ['read', 'offline_access'] };
  await connect(w.app);
  const asked = w.as.at('/authorize')[0]?.query;
  assert.deepEqual([asked?.get('scope'), asked?.get('prompt')], ['read offline_access', 'consent']);

  const plain = await startPlainProvider(t);
  await plain.connect('ann', { scopes: ['read', 'offline_access'] });
  await plain.connect('bob', { scopes: ['read'] });
  assert.deepEqual(
    plain.at('/authorize').map(({ query }) => query.get('prompt')),
    ['consent', null],
  );
  const own = await startPlainProvider(t, { authorization_params: { prompt: 'select_account' } });
  await own.connect('ann', { scopes: ['read', 'offline_access'] });
  assert.equal(own.at('/authorize')[0]?.query.get('prompt'), 'select_account', 'the operator knows better');
});

test('21 an MCP server whose authorization server is a configured provider’s gets that row’s parameters', async (t) => {
  const as = await startAs(t);
  const server = await startProtected(t, as);
  const other = await startAs(t);
  const plain = await startPlainProvider(
    t,
    {
      issuer: as.url,
      authorization_url: `${as.url}/authorize`,
      token_url: `${as.url}/token`,
      authorization_params: { access_type: 'offline', prompt: 'consent' },
    },
    {},
    { MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' },
  );
  const add = () =>
    plain.app.call('POST', '/v1/admin/servers', {
      body: { id: 's', name: 's', description: 's', remote_url: server.mcp, tools: [] },
    });
  const connectTo = async () => {
    const opened = await plain.app.call('POST', '/v1/identity/sessions', {
      body: { user_id: 'ann', server_id: 's' },
    });
    assert.match((await agree(String(opened.body.auth_url))).text, /is connected/);
  };
  await add();
  await connectTo();
  const sent = as.at('/authorize')[0]?.query;
  assert.deepEqual([sent?.get('access_type'), sent?.get('prompt')], ['offline', 'consent']);
  server.as = other;
  await connectTo();
  assert.equal(other.at('/authorize')[0]?.query.get('access_type'), null);
});

test('21 a connection that cannot be renewed says so in the poll, in info and in the list of the console', async (t) => {
  const plain = await startPlainProvider(t);
  for (const [refresh_token, renewable] of [
    ['rt', true],
    [null, false],
    ['', false],
    [undefined, false],
  ] as const) {
    const user = `user-${String(refresh_token)}`;
    plain.onToken = () => asJson(200, { access_token: 'at', expires_in: 3_600, refresh_token });
    assert.equal((await plain.connect(user)).body.renewable, renewable);
    plain.onToken = null;
    const info = await plain.app.call('GET', '/v1/proxy/plain/info', {
      headers: await mitOf(plain.app, user),
    });
    assert.equal(info.body.renewable, renewable ? undefined : false);
    const listed = await plain.app.call('GET', `/v1/admin/connections?user_id=${user}`);
    assert.equal((listed.body.connections as { renewable: boolean }[])[0]?.renewable, renewable);
  }
  const none = await plain.app.call('GET', '/v1/proxy/plain/info', {
    headers: await mitOf(plain.app, 'nobody'),
  });
  assert.deepEqual(none.body, { provider: 'plain', connected: false, status: null, can_access: false });
});

/** An authorization server with its clients in memory: one that does not know a client shows a page and goes no further. */
function rememberClients(as: FakeAs, refusal: { status: number; body: unknown }) {
  const known = new Set<string>();
  let count = 0;
  as.register = () => {
    const client_id = `remembered-${++count}`;
    known.add(client_id);
    return { status: 201, body: { client_id } };
  };
  as.token = ({ form }) => {
    if (!known.has(form.get('client_id') ?? '')) return refusal;
    if (form.get('code') !== null && form.get('code') !== 'a-code')
      return { status: 400, body: { error: 'invalid_grant' } };
    return undefined;
  };
  as.authorize = ({ query }) =>
    known.has(query.get('client_id') ?? '') ? undefined : { status: 400, body: 'unknown client' };
  return known;
}

for (const [what, refusal] of Object.entries({
  'RFC 6749': { status: 401, body: { error: 'invalid_client' } },
  'the MCP SDK': { status: 400, body: { error: 'invalid_client', error_description: 'Invalid client_id' } },
  'in words of its own': {
    status: 400,
    body: { error: 'invalid_request', error_description: 'Client not found' },
  },
}))
  test(`18.15 a registration that a restarted authorization server forgot is checked, and made anew: ${what}`, async (t) => {
    const clock = handClock(Date.now());
    const w = await startProtectedWorld(t, { clock });
    const known = rememberClients(w.as, refusal);
    await connect(w.app);
    known.clear();
    // The first user is stranded at the server; whoever opens a session after that is not.
    const lost = await open(w.app, 's', 'bob');
    const stranded = await agree(String(lost.body.auth_url));
    assert.match(stranded.text, /unknown client/);
    await connect(w.app, 's', 'cas');
    assert.equal(w.as.at('/register').length, 2);
    // Nor is the first one, with the same link.
    assert.match((await agree(String((await open(w.app, 's', 'bob')).body.auth_url))).text, /is connected/);
    assert.equal(w.as.at('/register').length, 2);
  });

test('18.15 the button pressed a second time, in the same browser, leads on', async (t) => {
  const w = await startProtectedWorld(t);
  const known = rememberClients(w.as, { status: 401, body: { error: 'invalid_client' } });
  await connect(w.app);
  known.clear();
  const { createBrowser } = await import('../support/browser.ts');
  const browser = createBrowser();
  const link = String((await open(w.app)).body.auth_url);
  assert.match((await browser.submit(await browser.open(link))).text, /unknown client/);
  assert.match((await browser.submit(await browser.open(link))).text, /is connected/);
});

test('18.15 a session that expired at a server that forgot us does not strand the next one', async (t) => {
  const clock = handClock(Date.now());
  const w = await startProtectedWorld(t, { clock });
  const known = rememberClients(w.as, { status: 401, body: { error: 'invalid_client' } });
  await connect(w.app);
  known.clear();
  await agree(String((await open(w.app)).body.auth_url));
  clock.advance(3_600_000);
  await connect(w.app);
});

test('18.15 a client that its server knows is checked now and then, and kept', async (t) => {
  const clock = handClock(Date.now());
  const w = await startProtectedWorld(t, { clock });
  const known = rememberClients(w.as, { status: 401, body: { error: 'invalid_client' } });
  await connect(w.app);
  // Somebody who closes the window at the consent.
  const { createBrowser } = await import('../support/browser.ts');
  const browser = createBrowser();
  const left = await browser.open(String((await open(w.app, 's', 'bob')).body.auth_url));
  const csrf = /name="csrf" value="([^"]+)"/.exec(left.text)?.[1] ?? '';
  assert.equal((await browser.open(left.url, { csrf })).status, 303);
  const before = w.as.at('/token').length;
  for (let i = 0; i < 5; i++) await open(w.app, 's', 'cas');
  assert.equal(w.as.at('/token').length, before + 1);
  assert.deepEqual([...known], ['remembered-1']);
  // An answer that says nothing about the client changes nothing.
  clock.advance(20_000);
  w.as.token = () => ({ status: 503, body: '' });
  await open(w.app, 's', 'cas');
  assert.equal(w.as.at('/register').length, 1);
});

for (const status of [500, 502]) {
  test(`22 a server that answers ${status} to a dead token: renewed once, and else the user is asked to connect again`, async (t) => {
    const w = await startProtectedWorld(t);
    w.server.refusal = status;
    await connect(w.app);
    const token = textOf(await call(w));
    w.server.refused.add(token);
    const again = textOf(await call(w));
    assert.notEqual(again, token);
    w.server.refused.add(again);
    w.as.token = () => ({ status: 400, body: { error: 'invalid_grant' } });
    invitationOf(await call(w));
  });
}

test('22 a token without a renewal that a server answers 500 to leads to connect again', async (t) => {
  const w = await startProtectedWorld(t);
  w.server.refusal = 500;
  w.as.token = () => {
    w.as.tokens.set('only', ['read']);
    return { body: { access_token: 'only', token_type: 'Bearer' } };
  };
  await connect(w.app);
  assert.equal(textOf(await call(w)), 'only');
  w.server.refused.add('only');
  invitationOf(await call(w));
});

test('22 a server that fails for another reason keeps the connection, and its call is sent once', async (t) => {
  const w = await startProtectedWorld(t);
  await connect(w.app);
  assert.equal((await call(w)).status, 200);
  w.server.broken = new Set(['tools/call']);
  const before = w.server.at('/mcp').filter(({ body }) => body.includes('tools/call')).length;
  const failed = await call(w);
  assert.match(String(failed.body.detail), /The server failed \(500\)/);
  assert.equal(w.server.at('/mcp').filter(({ body }) => body.includes('tools/call')).length, before + 1);
  assert.equal(w.as.at('/token').length, 1);
  w.server.broken = new Set();
  assert.equal((await call(w)).status, 200);
});

test('19 a dead grant in its server’s own words leads to a session at every door', async (t) => {
  const clock = handClock(Date.now());
  const w = await startProtectedWorld(t, { clock });
  const doors: Readonly<Record<string, (headers: Record<string, string>) => Promise<TestReply>>> = {
    'POST /v1/mcp/tools/call': (headers) => w.app.tool('s', 'whoami', {}, { headers }),
    'POST /v1/mcp/tools/list': (headers) =>
      w.app.call('POST', '/v1/mcp/tools/list', { body: { server_id: 's' }, headers }),
    'POST /v1/mcp/call': (headers) =>
      w.app.call('POST', '/v1/mcp/call', { body: { server_id: 's', method: 'tools/list' }, headers }),
    'POST /mcp/servers/s': (headers) =>
      w.app.call('POST', '/mcp/servers/s', {
        headers: { ...headers, accept: 'application/json, text/event-stream' },
        body: {
          jsonrpc: '2.0',
          id: 1,
          method: 'initialize',
          params: {
            protocolVersion: '2025-11-25',
            capabilities: {},
            clientInfo: { name: 't', version: '1' },
          },
        },
      }),
  };
  const words = [
    asJson(200, { error: 'bad_refresh_token' }),
    asJson(200, { ok: false, error: 'token_revoked' }),
    asJson(403, { error: 'unauthorized_client', error_description: 'refresh_token is invalid' }),
    asJson(400, '{"error":"invalid_grant"}', 'text/plain'),
  ];
  for (const [i, [door, call]] of Object.entries(doors).entries()) {
    await connect(w.app);
    clock.advance(3_601_000);
    w.as.token = ({ form }) => (form.get('grant_type') === 'refresh_token' ? words[i] : undefined);
    const reply = await call(await mitOf(w.app, 'ann'));
    assert.match(invitationOf(reply).auth_url, /connect/, door);
    w.as.token = null;
  }
});
