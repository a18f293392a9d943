import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { decodeJwt, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { bootApp, handClock } from '../support/app.ts';

const grant_type = 'urn:ietf:params:oauth:grant-type:token-exchange';
const subject_token_type = 'urn:ietf:params:oauth:token-type:id_token';

/** An identity provider as an app has one: a key set behind a URL, and the tokens it signs. */
async function startProvider(t: TestContext, alg = 'ES256') {
  let pair = await generateKeyPair(alg, { extractable: true });
  let kid = 'one';
  let mode: 'well' | 'down' | 'junk' = 'well';
  let fetched = 0;
  const server = createServer(async (_request, reply) => {
    fetched++;
    if (mode === 'down') return void reply.writeHead(503).end();
    if (mode === 'junk') return void reply.end('<html>');
    reply.end(JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid, alg }] }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  return {
    issuer,
    host: `127.0.0.1:${port}`,
    fetched: () => fetched,
    become(next: typeof mode) {
      mode = next;
    },
    async turnKey() {
      pair = await generateKeyPair(alg, { extractable: true });
      kid = 'two';
    },
    token: (claims: JWTPayload, now: number) =>
      new SignJWT({ iss: issuer, aud: 'our-app', sub: 'ann', ...claims })
        .setProtectedHeader({ alg, kid })
        .setIssuedAt(Math.floor(now / 1000))
        .setExpirationTime(Math.floor(now / 1000) + 300)
        .sign(pair.privateKey),
  };
}

async function stage(t: TestContext) {
  const provider = await startProvider(t);
  const ours = handClock();
  // The library that keeps the provider's keys has no clock but the machine's.
  t.mock.timers.enable({ apis: ['Date'], now: ours.now() });
  const clock = {
    ...ours,
    advance(ms: number) {
      ours.advance(ms);
      t.mock.timers.tick(ms);
    },
  };
  const env = { MCPRANK_STARTER: 'off', MCPRANK_ALLOW_UPSTREAMS: provider.host };
  const app = await bootApp(t, env, { clock });
  const key = await app.newKey();
  const registration = { issuer: provider.issuer, audience: 'our-app', jwks_uri: `${provider.issuer}/jwks` };
  const register = (fields: object = {}, as = key) =>
    app.call('POST', '/v1/identity/issuers', { key: as, body: { ...registration, ...fields } });
  const exchange = async (claims: JWTPayload = {}, as = key) =>
    app.call('POST', '/v1/identity/token', {
      key: as,
      body: { grant_type, subject_token_type, subject_token: await provider.token(claims, clock.now()) },
    });
  return { provider, clock, app, key, register, exchange };
}

test("an app presents its own provider's token in place of a user_id (RFC 8693)", async (t) => {
  const { app, key, register, exchange, provider } = await stage(t);
  const registered = await register();
  assert.equal(registered.status, 201, registered.text);
  const reply = await exchange();
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.body.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token');
  assert.equal(decodeJwt(String(reply.body.access_token)).sub, 'ann');
  const refreshed = await app.call('POST', '/v1/identity/refresh', {
    key,
    body: { refresh_token: reply.body.refresh_token },
  });
  assert.equal(refreshed.status, 200);
  await exchange();
  assert.equal(provider.fetched(), 1, 'keys are kept');
});

test('a subject token that is not right in every part is refused by name', async (t) => {
  const { app, key, clock, register, exchange, provider } = await stage(t);
  const refused = async (reply: ReturnType<typeof exchange>, detail: RegExp) => {
    const { status, body } = await reply;
    assert.deepEqual([status, body.code], [400, 'invalid_request'], JSON.stringify(body));
    assert.match(String(body.detail), detail);
  };
  await refused(exchange(), /^subject_token: its issuer is not registered/);
  await register();
  await refused(exchange({ aud: 'another-app' }), /^subject_token: /);
  await refused(
    exchange({ iss: 'https://elsewhere.example' }),
    /^subject_token: its issuer is not registered/,
  );
  await refused(exchange({ sub: undefined as never }), /^subject_token: /);
  await refused(exchange({ nbf: Math.floor(clock.now() / 1000) + 60 }), /^subject_token: /);
  await refused(exchange({}, await app.newKey()), /^subject_token: its issuer is not registered/);
  await refused(exchange({ sub: 'a\nb' }), /^user_id: /);
  const token = await provider.token({}, clock.now());
  clock.advance(306_000);
  const ask = (body: object) => app.call('POST', '/v1/identity/token', { key, body });
  await refused(
    ask({ grant_type, subject_token_type, subject_token: token }),
    /^subject_token: does not verify/,
  );
  await refused(
    ask({ grant_type, subject_token_type, subject_token: 'x' }),
    /^subject_token: expected a JWT/,
  );
  await refused(ask({ grant_type, subject_token_type }), /^subject_token: required/);
  await refused(ask({ grant_type, subject_token: token }), /^subject_token_type: required/);
  await refused(ask({ subject_token: token, user_id: 'ann' }), /^grant_type: required/);
  await refused(
    ask({ grant_type, subject_token_type, subject_token: token, user_id: 'bob' }),
    /^user_id: not/,
  );
});

test("the provider's keys may turn, and it may be away: its last keys go on, and without any it is 502", async (t) => {
  const { clock, register, exchange, provider } = await stage(t);
  await register();
  provider.become('down');
  const away = await exchange();
  assert.deepEqual([away.status, away.body.code], [502, 'upstream_error']);
  provider.become('junk');
  assert.equal((await exchange()).status, 502);
  provider.become('well');
  assert.equal((await exchange()).status, 200);
  await provider.turnKey();
  assert.equal((await exchange()).status, 400, 'not asked again at once');
  clock.advance(30_000);
  assert.equal((await exchange()).status, 200);
  const before = provider.fetched();
  provider.become('down');
  clock.advance(600_000);
  assert.equal((await exchange()).status, 200, 'checked with the last keys');
  assert.equal(provider.fetched(), before + 1);
});

test('issuers belong to their developer, once each, and two of them never share user names', async (t) => {
  const { app, key, register, exchange } = await stage(t);
  const other = await app.newKey();
  const { issuer_id } = (await register()).body;
  assert.equal((await register()).status, 409);
  assert.equal((await register({ issuer: 'https://two.example' })).status, 409, 'the same empty prefix');
  assert.equal((await register({ issuer: 'https://two.example', user_prefix: 'two:' })).status, 201);
  for (const fields of [
    { issuer: 'x' },
    { jwks_uri: 'file:///etc/passwd' },
    { issuer: 'https://u@x.example' },
  ])
    assert.equal((await register(fields)).status, 400, JSON.stringify(fields));
  assert.equal((await app.call('DELETE', `/v1/identity/issuers/${issuer_id}`, { key: other })).status, 404);
  const list = async (as: string) =>
    ((await app.call('GET', '/v1/identity/issuers', { key: as })).body.issuers as unknown[]).length;
  assert.deepEqual([await list(key), await list(other)], [2, 0]);
  assert.equal((await exchange()).status, 200);
  assert.equal((await app.call('DELETE', `/v1/identity/issuers/${issuer_id}`, { key })).status, 200);
  assert.equal((await exchange()).status, 400);
});
