import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  Client,
  ClientCredentialsProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { bootApp, type TestApp } from '../support/app.ts';
import { ping, post, register } from '../support/sign-in.ts';

type Made = { client_id: string; client_secret: string; auth_method: string };

async function newMachine(app: TestApp, fields: object = {}, key?: object) {
  const made = await app.call('POST', '/v1/admin/keys', {
    body: { developer: 'acme', name: 'agent', tier: 'pro', scopes: ['search', 'mcp'], ...key },
  });
  const key_id = String(made.body.key_id);
  const reply = await app.call('POST', '/v1/admin/machine-clients', {
    body: { name: 'nightly', key_id, ...fields },
  });
  return { reply, made: reply.body as Made, key_id };
}
const tokenFor = (app: TestApp, { client_id, client_secret }: Made, fields: Record<string, string> = {}) =>
  post(app, '/token', { grant_type: 'client_credentials', client_id, client_secret, ...fields });

async function newKeys() {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { publicJwk: await exportJWK(publicKey), privateJwk: await exportJWK(privateKey), privateKey };
}

/** The SDK's own client, which finds everything from the door's URL. */
async function connect(
  t: TestContext,
  app: TestApp,
  authProvider: ClientCredentialsProvider | PrivateKeyJwtProvider,
) {
  const client = new Client({ name: 'machine', version: '1' });
  t.after(() => client.close());
  await client.connect(new StreamableHTTPClientTransport(new URL(`${app.url}/mcp`), { authProvider }));
  return client;
}

test('the SDK’s machine clients sign themselves in, by a secret and by a key, and act with the rights of the bound key', async (t) => {
  const app = await bootApp(t);
  const { reply, made } = await newMachine(app);
  assert.deepEqual([reply.status, made.auth_method], [201, 'client_secret_basic'], reply.text);
  const bySecret = new ClientCredentialsProvider({
    clientId: made.client_id,
    clientSecret: made.client_secret,
    expectedIssuer: app.url,
  });
  const server = { id: 's', name: 's', remote_url: 'https://s.example/mcp', tools: [{ name: 'do' }] };
  await app.call('POST', '/v1/admin/servers', { body: server });
  const tools = (await (await connect(t, app, bySecret)).listTools()).tools;
  assert.ok(tools.length > 0);
  const { publicJwk, privateJwk } = await newKeys();
  const keyed = await newMachine(app, { jwks: { keys: [publicJwk] } });
  assert.deepEqual([keyed.made.auth_method, keyed.made.client_secret], ['private_key_jwt', undefined]);
  const byKey = new PrivateKeyJwtProvider({
    clientId: keyed.made.client_id,
    privateKey: { ...privateJwk },
    algorithm: 'ES256',
    expectedIssuer: app.url,
  });
  assert.ok((await (await connect(t, app, byKey)).listTools()).tools.length > 0);
  const metadata = await app.call('GET', '/.well-known/oauth-authorization-server', { key: null });
  assert.ok((metadata.body.grant_types_supported as string[]).includes('client_credentials'));
});

test('P1 P16 a machine’s token is of one door, and without a refresh token; what is bound to the client counts', async (t) => {
  const app = await bootApp(t);
  const { made } = await newMachine(app);
  const { status, body, headers } = await tokenFor(app, made);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.token_type, body.expires_in, body.refresh_token], ['Bearer', 3_600, undefined]);
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal((await ping(app, String(body.access_token))).status, 200);
  assert.equal((await ping(app, String(body.access_token), '/mcp/servers/a')).status, 401);
  assert.equal(
    (
      await app.call('GET', '/v1/servers', {
        headers: { authorization: `Bearer ${String(body.access_token)}` },
        key: null,
      })
    ).status,
    401,
  );
  const ofOne = await tokenFor(app, made, { resource: `${app.url}/mcp/servers/a` });
  assert.equal((await ping(app, String(ofOne.body.access_token), '/mcp/servers/a')).status, 404);
  for (const resource of ['https://elsewhere.example/mcp', `${app.url}/v1/search`]) {
    const refused = await tokenFor(app, made, { resource });
    assert.deepEqual([refused.status, refused.body.error], [400, 'invalid_target'], resource);
  }
  const basic = Buffer.from(`${made.client_id}:${made.client_secret}`).toString('base64');
  const inHeader = await post(
    app,
    '/token',
    { grant_type: 'client_credentials' },
    { authorization: `Basic ${basic}` },
  );
  assert.equal(inHeader.status, 200);
});

test('P16 nobody but whom the operator named signs in without a person', async (t) => {
  const app = await bootApp(t);
  const { made } = await newMachine(app);
  const wrong = await tokenFor(app, { ...made, client_secret: `${made.client_secret}x` });
  assert.deepEqual([wrong.status, wrong.body.error], [401, 'invalid_client']);
  const { body: stranger } = await register(app, {
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  });
  assert.deepEqual(stranger.grant_types, ['authorization_code', 'refresh_token']);
  const refused = await tokenFor(app, stranger as Made);
  assert.deepEqual([refused.status, refused.body.error], [400, 'unauthorized_client']);
  // Nor by the other ways: it has no consent to ask for.
  const visited = await fetch(
    `${app.url}/authorize?${new URLSearchParams({ response_type: 'code', client_id: made.client_id, redirect_uri: 'http://127.0.0.1:1/cb', code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' })}`,
    { redirect: 'manual' },
  );
  assert.ok(visited.status >= 400, String(visited.status));
});

test('P16 an assertion of a machine’s key counts once, from its own key alone', async (t) => {
  const app = await bootApp(t);
  const { publicJwk, privateKey } = await newKeys();
  const { made } = await newMachine(app, { jwks: { keys: [publicJwk] } });
  const sign = (key: Awaited<ReturnType<typeof newKeys>>['privateKey'], jti: string, audience = app.url) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(made.client_id)
      .setSubject(made.client_id)
      .setAudience(audience)
      .setJti(jti)
      .setIssuedAt()
      .setExpirationTime('60s')
      .sign(key);
  const send = (client_assertion: string) =>
    post(app, '/token', {
      grant_type: 'client_credentials',
      client_assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    });
  const assertion = await sign(privateKey, 'one');
  assert.equal((await send(assertion)).status, 200);
  const foreign = (await newKeys()).privateKey;
  for (const bad of [
    assertion,
    await sign(foreign, 'two'),
    await sign(privateKey, 'three', 'https://other.example'),
  ])
    assert.deepEqual((await send(bad)).body.error, 'invalid_client');
  const secret = await tokenFor(app, { ...made, client_secret: 'x' });
  assert.equal(secret.body.error, 'invalid_client');
  const once = await sign(privateKey, 'four');
  const uses = await Promise.all(Array.from({ length: 8 }, () => send(once)));
  assert.deepEqual(uses.map(({ status }) => status).sort(), [200, ...Array<number>(7).fill(401)]);
});

test('P10 P16 its tokens end with the key and with the client; the list shows no secret', async (t) => {
  const app = await bootApp(t);
  const [one, other] = [await newMachine(app), await newMachine(app)];
  const tokens = await Promise.all(
    [one, other].map(async ({ made }) => String((await tokenFor(app, made)).body.access_token)),
  );
  for (const token of tokens) assert.equal((await ping(app, token)).status, 200);
  const listed = await app.call('GET', '/v1/admin/machine-clients');
  assert.equal((listed.body.clients as unknown[]).length, 2);
  assert.ok(!listed.text.includes(one.made.client_secret));
  assert.equal((await app.call('DELETE', `/v1/admin/machine-clients/${one.made.client_id}`)).status, 200);
  assert.equal((await app.call('DELETE', `/v1/admin/machine-clients/${one.made.client_id}`)).status, 404);
  await app.call('DELETE', `/v1/admin/keys/${other.key_id}`);
  for (const token of tokens) assert.equal((await ping(app, token)).status, 401);
  assert.equal((await tokenFor(app, one.made)).body.error, 'invalid_client');
  assert.equal((await tokenFor(app, other.made)).body.error, 'unauthorized_client');
  const trail = (await app.call('GET', '/v1/admin/audit')).text;
  assert.match(trail, /machine_client\.put/);
  assert.match(trail, /machine_client\.remove/);
  assert.ok(![...app.lines, trail].join('\n').includes(one.made.client_secret));
});

test('what is no machine client is refused by field', async (t) => {
  const app = await bootApp(t);
  const { publicJwk, privateJwk } = await newKeys();
  for (const [fields, detail] of [
    [{ key_id: 'key_nothing' }, /^key_id: expected a key that there is/],
    [{ jwks: { keys: [privateJwk] } }, /^jwks\.keys\[0\]: expected a public key/],
    [{ jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }, /^jwks\.keys\[0\]/],
    [{ jwks: { keys: [publicJwk, { kty: 'EC', crv: 'P-256' }] } }, /^jwks\.keys\[1\]: .*whole/],
    [{ jwks: { keys: [{ ...publicJwk, y: publicJwk.x }] } }, /^jwks\.keys\[0\]: .*P-256/],
    [{ jwks: { keys: [{ ...publicJwk, crv: 'P-384' }] } }, /^jwks\.keys\[0\]/],
    [{ jwks: { keys: [{ ...publicJwk, use: 'enc' }] } }, /^jwks\.keys\[0\]/],
    [{ jwks: { keys: [{ kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) }] } }, /^jwks\.keys\[0\]/],
    [{ jwks: { keys: [{ kty: 'RSA', n: 'w'.repeat(171), e: 'AQAB' }] } }, /^jwks\.keys\[0\]: .*2048/],
    [{ jwks: { keys: [{ kty: 'RSA', n: 5, e: {} }] } }, /^jwks\.keys\[0\]: .*whole/],
    [{ jwks: { keys: [] } }, /^jwks: expected/],
    [{ jwks_uri: 'http://keys.example/jwks' }, /^jwks_uri: expected an https URL/],
    [{ jwks_uri: 'https://10.0.0.7/jwks' }, /^jwks_uri: expected a public host/],
    [{ jwks_uri: 'https://127.1/jwks' }, /^jwks_uri: expected a public host/],
    [{ jwks_uri: 'https://localhost/jwks' }, /^jwks_uri: expected a public host/],
    [{ jwks_uri: 'https://metadata.google.internal/jwks' }, /^jwks_uri: expected a public host/],
    [{ jwks_uri: 'https://me:secret@keys.example/jwks' }, /^jwks_uri: /],
    [
      { jwks: { keys: [publicJwk] }, jwks_uri: 'https://keys.example/jwks' },
      /^jwks: expected this or jwks_uri/,
    ],
    [{ name: '' }, /^name/],
    [{ name: ' \t\u00a0' }, /^name: expected one that can be read/],
  ] as const) {
    const { reply } = await newMachine(app, fields);
    assert.equal(reply.status, 400);
    assert.match(String(reply.body.detail), detail);
  }
  const { reply } = await newMachine(app, {}, { scopes: ['search'] });
  assert.match(String(reply.body.detail), /^key_id: expected a key with the scope mcp/);
  const stranger = await app.newKey({ scopes: ['search', 'mcp'] });
  assert.equal((await app.call('GET', '/v1/admin/machine-clients', { key: stranger })).status, 403);
});
