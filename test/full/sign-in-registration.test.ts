import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { generateKeyPair, SignJWT } from 'jose';
import { systemClock } from '../../src/base/clock.ts';
import { createClientDocuments } from '../../src/sign-in/clients/client-documents.ts';
import { registrantDigest } from '../../src/sign-in/clients/registration.ts';
import { bootApp, type TestApp } from '../support/app.ts';
import { callback, decide, exchange, ping, post, register, signIn, visit } from '../support/sign-in.ts';

const claude = 'https://claude.ai/api/mcp/auth_callback';

/** What a client registers, and where it then wants the browser back. */
const clients: readonly (readonly [name: string, metadata: Record<string, unknown>, asked: string])[] = [
  [
    'Claude Code: another port at authorize',
    { application_type: 'native', redirect_uris: ['http://localhost:3118/callback'] },
    'http://localhost:49152/callback',
  ],
  [
    'Codex: an ephemeral port',
    { application_type: 'native', redirect_uris: ['http://127.0.0.1:37819/callback/x'] },
    'http://127.0.0.1:41111/callback/x',
  ],
  [
    'IPv6 loopback',
    { application_type: 'native', redirect_uris: ['http://[::1]:1234/callback'] },
    'http://[::1]:4321/callback',
  ],
  [
    'VS Code: a page and a port in one registration',
    {
      application_type: 'native',
      redirect_uris: ['https://vscode.dev/redirect', 'http://127.0.0.1:33418/', 'http://127.0.0.1/'],
    },
    'http://127.0.0.1:33499/',
  ],
  [
    'VS Code: its page',
    { application_type: 'native', redirect_uris: ['https://vscode.dev/redirect', 'http://127.0.0.1:33418/'] },
    'https://vscode.dev/redirect',
  ],
  ['OpenCode: no application type', { redirect_uris: ['http://127.0.0.1:19876/x'] }, 'http://127.0.0.1:1/x'],
  [
    'one that calls itself a web app and is none',
    { application_type: 'web', redirect_uris: ['http://localhost:1/x'] },
    'http://localhost:2/x',
  ],
  [
    'Cursor: a scheme of its own',
    { redirect_uris: ['cursor://anysphere.cursor-mcp/oauth/callback'] },
    'cursor://anysphere.cursor-mcp/oauth/callback',
  ],
  [
    'Copilot Studio',
    { redirect_uris: ['https://global.consent.azure-apim.net/redirect/x-5f7'] },
    'https://global.consent.azure-apim.net/redirect/x-5f7',
  ],
  ['a scope that nobody knows', { redirect_uris: [claude], scope: 'mcp:tools openid email' }, claude],
];

test('what clients register is accepted at authorize, with any port of the loopback', async (t) => {
  const app = await bootApp(t);
  for (const [name, metadata, asked] of clients) {
    const made = await register(app, metadata);
    assert.equal(made.status, 201, `${name}: ${JSON.stringify(made.body)}`);
    assert.deepEqual(made.body.redirect_uris, metadata.redirect_uris, name);
    assert.match(made.headers.get('cache-control') ?? '', /no-store/);
    const { page } = await visit(app, String(made.body.client_id), { redirect_uri: asked });
    assert.equal(page.status, 200, `${name}: ${page.text}`);
  }
});

test('threats P4: a redirect to anything but https, the loopback or a scheme of the app is not registered', async (t) => {
  const app = await bootApp(t);
  const bad = [
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'ftp://example.com/x',
    'ws://example.com/x',
    'wss://example.com/x',
    'mailto:a@example.com',
    'intent://x#Intent;end',
    'blob:https://example.com/x',
    'about:blank',
    'vbscript:x',
    'http://example.com/callback',
    'http://127.0.0.1.example.com/callback',
    'http://localhost.example.com/callback',
    'http://0.0.0.0/callback',
    'http://192.168.0.2/callback',
    'https://user:secret@example.com/x',
    'https://@example.com/x',
    'https://example.com/x#fragment',
    ' https://example.com/x',
    'https://example.com/\u0000x',
    'https://exam\nple.com/x',
    'https:\\\\example.com\\x',
    '/callback',
    'https:// example.com',
    '',
  ];
  for (const uri of bad) {
    // Beside a good one, too.
    for (const uris of [[uri], [claude, uri]]) {
      const { status, body } = await register(app, { redirect_uris: uris });
      assert.deepEqual(
        [status, body.error],
        [400, 'invalid_redirect_uri'],
        `${uri}: ${JSON.stringify(body)}`,
      );
    }
  }
  for (const metadata of [{ redirect_uris: [] }, { redirect_uris: 'x' }, { redirect_uris: [7] }]) {
    const { status, body } = await register(app, metadata);
    assert.deepEqual([status, body.error], [400, 'invalid_redirect_uri'], JSON.stringify(metadata));
  }
});

test('threats P4: a redirect that was not registered is refused on our page, which says both, and leads nowhere', async (t) => {
  const app = await bootApp(t);
  const made = await register(app, { redirect_uris: ['http://127.0.0.1/callback', claude] });
  for (const asked of [
    'http://127.0.0.1:19876/mcp/oauth/callback',
    'http://localhost:19876/callback',
    'http://127.0.0.1/callback/../x',
    'http://127.0.0.1/callback?x=1',
    `${claude}/x`,
    'https://evil.example/callback',
    'javascript:alert(1)',
  ]) {
    const { page } = await visit(app, String(made.body.client_id), { redirect_uri: asked });
    assert.equal(page.status, 400, asked);
    assert.equal(page.headers.get('location'), null);
    assert.ok(page.text.includes(`<code>${asked.replaceAll('&', '&#38;')}</code>`), `${asked}: ${page.text}`);
    assert.ok(page.text.includes('<code>http://127.0.0.1/callback</code>'));
  }
});

test('a client with a secret shows it either way, whatever it registered; a wrong one and none are invalid_client', async (t) => {
  const app = await bootApp(t);
  for (const method of ['client_secret_basic', 'client_secret_post', undefined]) {
    const made = await register(app, { token_endpoint_auth_method: method });
    const clientId = String(made.body.client_id);
    const secret = String(made.body.client_secret);
    assert.match(secret, /^[\w-]{40,}$/);
    const basic = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
    const ways: readonly (readonly [string, number, Record<string, string>, Record<string, string>])[] = [
      ['in a header', 200, {}, { authorization: basic }],
      ['in the form', 200, { client_id: clientId, client_secret: secret }, {}],
      ['a wrong one', 401, { client_id: clientId, client_secret: `${secret}x` }, {}],
      ['none', 401, { client_id: clientId }, {}],
    ];
    for (const [way, status, shown, headers] of ways) {
      const visited = await visit(app, clientId);
      const code = (await decide(app, visited)).get('code') ?? '';
      const { verifier: code_verifier } = visited;
      const grant = { grant_type: 'authorization_code', code, code_verifier, redirect_uri: callback };
      const reply = await post(app, '/token', { ...grant, ...shown }, headers);
      const { error } = reply.body;
      assert.deepEqual([reply.status, error], [status, status === 200 ? undefined : 'invalid_client'], way);
      assert.match(reply.headers.get('cache-control') ?? '', /no-store/);
    }
  }
});

test('one client registers twice within a second: both work', async (t) => {
  const app = await bootApp(t);
  const made = await Promise.all([register(app), register(app)]);
  for (const { status, body } of made) {
    assert.equal(status, 201);
    const { access } = await signIn(app, { clientId: String(body.client_id) });
    assert.equal((await ping(app, access)).status, 200);
  }
});

test('threats P9: so many registrations of one address in a day; those that nobody signs in with go after a day', async (t) => {
  const app = await bootApp(t);
  const first = await register(app);
  for (let i = 1; i < 100; i++) assert.equal((await register(app)).status, 201);
  const refused = await register(app);
  assert.deepEqual([refused.status, refused.body.error], [429, 'temporarily_unavailable']);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  const { access, clientId } = await signIn(app, { clientId: String(first.body.client_id) });
  const db = app.services.storage.tables<{
    sign_in_clients: { id: string; created_at: number; used_at: number | null };
  }>();
  await db
    .updateTable('sign_in_clients')
    .set({ created_at: Date.now() - 86_400_001 })
    .execute();
  await app.services.signIn.runMaintenance();
  const left = await db.selectFrom('sign_in_clients').select('id').execute();
  assert.deepEqual(
    left.map((row) => row.id),
    [clientId],
  );
  assert.equal((await ping(app, access)).status, 200);
  assert.equal((await register(app)).status, 201);
});

test('threats P9: all addresses of one IPv6 network are one, however they are written', () => {
  const of = (...addresses: string[]) => new Set(addresses.map(registrantDigest)).size;
  assert.equal(of('2001:db8:1:2::1', '2001:db8:1:2:aaaa:bbbb:cccc:dddd', '2001:db8:1:2::2:3'), 1);
  assert.equal(of('2001:db8::1', '2001:db8::2', '2001:db8:0:0:5:6:7:8'), 1);
  assert.equal(of('2001:db8:1:2::1', '2001:db8:1:3::1', '192.0.2.1', '192.0.2.2', '::ffff:192.0.2.3'), 5);
});

test('a registration that is no JSON object, too large, or asks for what there is not is refused by its registered name', async (t) => {
  const app = await bootApp(t);
  const send = (body: string, type = 'application/json') =>
    fetch(`${app.url}/register`, { method: 'POST', headers: { 'content-type': type }, body });
  for (const body of ['[]', '7', 'null', '{', '"x"']) assert.equal((await send(body)).status, 400, body);
  assert.equal((await send('x'.repeat(70_000))).status, 400);
  assert.equal((await send('a=b', 'application/x-www-form-urlencoded')).status, 400);
  for (const metadata of [
    { token_endpoint_auth_method: 'client_secret_jwt' },
    { grant_types: ['password'] },
    { response_types: ['token'] },
    { grant_types: ['implicit'], response_types: ['id_token'] },
    { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] }, token_endpoint_auth_method: 'private_key_jwt' },
  ]) {
    const { status, body } = await register(app, metadata);
    assert.deepEqual(
      [status, body.error],
      [400, 'invalid_client_metadata'],
      JSON.stringify([metadata, body]),
    );
  }
});

/** A host with metadata documents on the loopback, reached under an https name that only the app knows. */
async function documentHost(t: TestContext) {
  const documents = new Map<string, { status?: number; body: string; headers?: Record<string, string> }>();
  let fetched = 0;
  const server = createServer((request, response) => {
    fetched++;
    const { status = 200, body = '', headers = {} } = documents.get(request.url ?? '') ?? { status: 404 };
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { documents, fetched: () => fetched, port: (server.address() as AddressInfo).port };
}

/** The app's way out leads to the host, past names and certificates, which are not what is tested. */
async function appWithDocuments(t: TestContext) {
  const host = await documentHost(t);
  const app = await bootApp(t);
  const { providerOutbound: outbound } = app.services;
  const { request } = outbound;
  (outbound as { request: typeof request }).request = (asked) =>
    asked.url.startsWith('https://client.example/')
      ? fetch(asked.url.replace('https://client.example', `http://127.0.0.1:${host.port}`), {
          redirect: 'manual',
        }).then(async (reply) => {
          const body = Buffer.from(await reply.arrayBuffer());
          if (body.length > (asked.maxBytes ?? Infinity)) throw new Error('larger than allowed');
          return { status: reply.status, headers: Object.fromEntries(reply.headers), body } as never;
        })
      : request(asked);
  return { app, host };
}

const id = 'https://client.example/client.json';
/** As editors have them: with a grant that nobody here gives, and with what only a shop window reads. */
const document = (fields: Record<string, unknown> = {}) =>
  JSON.stringify({
    client_id: id,
    client_name: 'Example',
    client_uri: 'https://client.example/product',
    logo_uri: '',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    redirect_uris: [callback],
    ...fields,
  });

test('a client that is a metadata document signs in, at any port; the document is fetched once', async (t) => {
  const { app, host } = await appWithDocuments(t);
  host.documents.set('/client.json', { body: document(), headers: { 'cache-control': 'max-age=600' } });
  const asked = callback.replace('33418', '50000');
  const visited = await visit(app, id, { redirect_uri: asked });
  assert.equal(visited.page.status, 200, visited.page.text);
  assert.match(visited.page.text, /<strong>Example<\/strong>[\s\S]*<strong>client\.example<\/strong>/);
  const got = await decide(app, visited);
  const code = { clientId: id, code: got.get('code') ?? '', verifier: visited.verifier };
  const reply = await exchange(app, code, { redirect_uri: asked });
  assert.equal(reply.status, 200, JSON.stringify(reply.body));
  assert.equal((await ping(app, String(reply.body.access_token))).status, 200);
  // OpenCode: another path than its document has.
  const elsewhere = 'http://127.0.0.1:19876/mcp/oauth/callback';
  const { page } = await visit(app, id, { redirect_uri: elsewhere });
  assert.deepEqual([page.status, page.headers.get('location')], [400, null]);
  for (const shown of [elsewhere, callback])
    assert.ok(page.text.includes(`<code>${shown}</code>`), page.text);
  assert.equal(host.fetched(), 1);
});

test('a metadata document that is none: an error page at authorize, invalid_client at the token endpoint, asked for once a minute', async (t) => {
  const { app, host } = await appWithDocuments(t);
  const bad: readonly (readonly [
    string,
    { status?: number; body: string; headers?: Record<string, string> },
  ])[] = [
    ['/no-json', { body: '<html>' }],
    ['/array', { body: '[]' }],
    ['/other', { body: document() }],
    [
      '/secret',
      {
        body: document({
          client_id: 'https://client.example/secret',
          token_endpoint_auth_method: 'client_secret_basic',
        }),
      },
    ],
    [
      '/has-secret',
      { body: document({ client_id: 'https://client.example/has-secret', client_secret: 'x' }) },
    ],
    ['/large', { body: document({ client_id: 'https://client.example/large', x: 'x'.repeat(66_000) }) }],
    ['/missing', { status: 404, body: '' }],
    ['/moved', { status: 302, body: '', headers: { location: '/client.json' } }],
    [
      '/script',
      {
        body: document({
          client_id: 'https://client.example/script',
          redirect_uris: ['javascript:alert(1)'],
        }),
      },
    ],
    ['/', { body: document({ client_id: 'https://client.example/' }) }],
  ];
  for (const [path, reply] of bad) {
    host.documents.set(path, reply);
    const before = host.fetched();
    for (let i = 0; i < 2; i++) {
      const { page } = await visit(app, `https://client.example${path}`);
      assert.equal(page.status, 400, path);
      assert.equal(page.headers.get('location'), null);
      assert.match(page.text, /^<!doctype html>/);
    }
    const token = await exchange(app, {
      clientId: `https://client.example${path}`,
      code: 'x',
      verifier: 'x'.repeat(43),
    });
    assert.deepEqual(
      [token.status, token.body.error],
      [400, 'invalid_client'],
      `${path} ${JSON.stringify(token.body)}`,
    );
    assert.ok(host.fetched() - before <= 1, `${path} was fetched ${host.fetched() - before} times`);
  }
});

test('threats P3: no document is fetched from a private address, over http, or by another spelling of one', async (t) => {
  const app = await bootApp(t);
  const { port } = await documentHost(t);
  let reached = 0;
  const own = createServer((_request, response) => {
    reached++;
    response.end('{}');
  });
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
  t.after(() => own.close());
  const inner = (own.address() as AddressInfo).port;
  for (const client of [
    `https://127.0.0.1:${inner}/client.json`,
    `https://localhost:${inner}/client.json`,
    `https://[::1]:${inner}/client.json`,
    `https://2130706433:${inner}/client.json`,
    'https://169.254.169.254/latest/meta-data',
    `http://127.0.0.1:${port}/client.json`,
    'https://user@client.example/x',
    'https://client.example/a/../client.json',
    'https://client.example/client.json#x',
    'file:///etc/passwd',
  ]) {
    const { page } = await visit(app, client);
    assert.equal(page.status, 400, client);
    assert.match(page.text, /invalid_client/);
  }
  assert.equal(reached, 0);
});

test('threats P3: a host that a setting vouches for is none that a stranger may have us ask', async (t) => {
  const host = await documentHost(t);
  const inner = `http://127.0.0.1:${host.port}`;
  const app = await bootApp(t, { MCPRANK_SSO_ISSUER: inner, MCPRANK_SSO_CLIENT_ID: 'x' });
  const asked = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: `${inner}/keys` };
  const { body } = await register(app, { ...asked, token_endpoint_auth_signing_alg: 'ES256' });
  const clientId = String(body.client_id);
  const { privateKey } = await generateKeyPair('ES256');
  const assertion = await new SignJWT({ jti: 'x' })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(app.url)
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(privateKey);
  const reply = await post(app, '/token', {
    grant_type: 'authorization_code',
    code: 'x',
    client_id: clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
  assert.equal(reply.body.error, 'invalid_client', JSON.stringify(reply.body));
  assert.equal(host.fetched(), 0);
});

test('who names documents without end stands in nobody else’s way', async (t) => {
  const { access } = (await bootApp(t)).services;
  let fetched = 0;
  const request = async () => {
    fetched++;
    return { status: 200, headers: {}, body: Buffer.from('{}') };
  };
  const fetchDocument = createClientDocuments({
    outbound: { request },
    clock: systemClock,
    access,
    servedGrants: [],
  });
  const names = Array.from({ length: 200 }, (_, n) => `https://client.example/${n}`);
  const asked = await Promise.allSettled(names.map((name) => fetchDocument(name, '203.0.113.5')));
  assert.deepEqual([asked.filter(({ status }) => status === 'fulfilled').length, fetched], [30, 30]);
  const last = names.at(-1) ?? '';
  assert.equal((await fetchDocument(last, '198.51.100.7')).status, 200, 'nor is the refusal kept for others');
});

/** The words on the page of a client that says it is somebody else. */
test('threats P2: a client that calls itself another is told of as what it is, and asks each time', async (t) => {
  const app: TestApp = await bootApp(t);
  const made = await register(app, {
    client_name: 'Claude <script>alert(1)</script>',
    redirect_uris: ['https://evil.example/callback'],
  });
  const redirect = { redirect_uri: 'https://evil.example/callback' };
  for (let i = 0; i < 2; i++) {
    const visited = await visit(app, String(made.body.client_id), redirect);
    assert.equal(visited.page.status, 200);
    assert.ok(!visited.page.text.includes('<script>'));
    assert.match(visited.page.text, /nobody has checked it[\s\S]*<strong>evil\.example<\/strong>/);
    const got = await decide(app, visited);
    assert.ok(got.has('code'));
  }
});
