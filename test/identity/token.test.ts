import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { calculateJwkThumbprint, decodeJwt, exportJWK, type JWTPayload, SignJWT } from 'jose';
import { bootApp, handClock, type TestApp } from '../support/app.ts';

type Pair = { readonly kid: string; readonly privateKey: KeyObject; readonly publicKey: KeyObject };

/** Made once: a key costs a tenth of a second. */
const [ours, second, foreign] = await Promise.all([newPair('ours'), newPair('second'), newPair('foreign')]);

async function newPair(kid: string): Promise<Pair> {
  return { kid, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
}

async function keySet(...pairs: readonly Pair[]): Promise<string> {
  const jwks = pairs.map(async ({ kid, privateKey }) => ({ ...(await exportJWK(privateKey)), kid }));
  return JSON.stringify(await Promise.all(jwks));
}

type Stage = {
  readonly app: TestApp;
  readonly key: string;
  readonly clock: ReturnType<typeof handClock>;
  readonly token: string;
  /** The claims of a good token. */
  readonly claims: JWTPayload;
  /** The status a token meets on a route that takes one: 404 is past the check, 403 is refused. */
  use(token: string): Promise<number>;
  sign(claims: JWTPayload, header?: Readonly<Record<string, unknown>>, pair?: Pair): Promise<string>;
};

async function stage(t: TestContext, keys?: string): Promise<Stage> {
  const clock = handClock();
  const env = { MCPRANK_STARTER: 'off', MCPRANK_SIGNING_KEYS: keys ?? (await keySet(ours, second)) };
  const app = await bootApp(t, env, { clock });
  const key = await app.newKey();
  const { body } = await app.call('POST', '/v1/identity/token', { key, body: { user_id: 'ann' } });
  const token = String(body.access_token);
  const use: Stage['use'] = async (text) =>
    (
      await app.call('GET', '/v1/mcp/server?server_id=nowhere', {
        key,
        headers: { authorization: `Bearer ${text}` },
      })
    ).status;
  const sign: Stage['sign'] = (claims, header = {}, pair = ours) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'ours', typ: 'at+jwt', ...header })
      .sign(pair.privateKey, { crit: { b64: false, exp: true } });
  return { app, key, clock, token, claims: decodeJwt(token), use, sign };
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('what these tests sign passes as long as nothing is wrong with it', async (t) => {
  const { token, claims, use, sign } = await stage(t);
  assert.deepEqual([await use(token), await use(await sign(claims))], [404, 404]);
});

test('H1 no algorithm, another one, or the public key as a shared secret: refused', async (t) => {
  const { claims, use } = await stage(t);
  for (const alg of ['none', 'nOnE', 'None', 'RS384', 'PS256'])
    assert.equal(await use(`${part({ alg, kid: 'ours', typ: 'at+jwt' })}.${part(claims)}.AAAA`), 403, alg);
  assert.equal(await use(`${part({ alg: 'none', kid: 'ours', typ: 'at+jwt' })}.${part(claims)}.`), 403);
  const head = `${part({ alg: 'HS256', kid: 'ours', typ: 'at+jwt' })}.${part(claims)}`;
  for (const secret of [
    ours.publicKey.export({ type: 'spki', format: 'pem' }),
    ours.publicKey.export({ type: 'pkcs1', format: 'der' }),
    JSON.stringify(await exportJWK(ours.publicKey)),
  ])
    assert.equal(await use(`${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`), 403);
});

test('H2 an unknown, missing, swapped or path-like key id: refused', async (t) => {
  const { claims, use, sign } = await stage(t);
  for (const kid of ['unknown', '../../dev/null', "x' or 1=1", '', undefined, 7])
    assert.equal(await use(await sign(claims, { kid })), 403, String(kid));
  assert.equal(await use(await sign(claims, { kid: 'second' })), 403, 'signed with the other key');
  assert.equal(await use(await sign(claims, {}, foreign)), 403);
});

test('H3 H4 a token that brings a key, names a place of one, or has critical extensions: refused, nothing is fetched', async (t) => {
  const { app, claims, use, sign } = await stage(t);
  const jwk = await exportJWK(foreign.publicKey);
  const place = `${app.url}/.well-known/jwks.json`;
  for (const header of [
    { jwk },
    { jku: place },
    { x5u: place },
    { x5c: ['MIIB'] },
    { crit: ['exp'], exp: 1 },
  ]) {
    assert.equal(await use(await sign(claims, header)), 403, JSON.stringify(header));
    assert.equal(await use(await sign(claims, { ...header, kid: 'foreign' }, foreign)), 403);
  }
  assert.equal(
    app.lines.some((line) => line.includes('/.well-known/jwks.json')),
    false,
  );
});

test('H5 five seconds of skew and not six; no exp, or issued in the future: refused', async (t) => {
  const { claims, clock, use, sign } = await stage(t);
  const now = Math.floor(clock.now() / 1000);
  const { exp: _, ...endless } = claims;
  const cases: readonly (readonly [string, JWTPayload, number])[] = [
    ['expired 3 s ago', { exp: now - 3 }, 404],
    ['expired 6 s ago', { exp: now - 6 }, 403],
    ['not before in 4 s', { nbf: now + 4 }, 404],
    ['not before in 60 s', { nbf: now + 60 }, 403],
    ['issued in 4 s', { iat: now + 4 }, 404],
    ['issued in 60 s', { iat: now + 60 }, 403],
    ['issued two hours ago', { iat: now - 7_200 }, 403],
  ];
  for (const [what, change, status] of cases)
    assert.equal(await use(await sign({ ...claims, ...change })), status, what);
  assert.equal(await use(await sign(endless)), 403, 'no exp');
});

test('H5 a token that was let in from memory ends at its time', async (t) => {
  const { clock, token, use } = await stage(t);
  assert.equal(await use(token), 404);
  clock.advance(3_604_000);
  assert.equal(await use(token), 404);
  clock.advance(1_000);
  assert.equal(await use(token), 403);
});

test('H6 another issuer, audience or type, or a claim left out: refused', async (t) => {
  const { claims, use, sign } = await stage(t);
  const changes: JWTPayload[] = [
    { iss: `${claims.iss}/` },
    { iss: 'https://elsewhere.example' },
    { aud: 'others' },
    { aud: [] },
    { developer_id: 'dev_x' },
    { sid: 'fam_x' },
    { sub: 'bob' },
  ];
  for (const change of changes)
    assert.equal(await use(await sign({ ...claims, ...change })), 403, JSON.stringify(change));
  for (const typ of ['JWT', 'id_token', undefined])
    assert.equal(await use(await sign(claims, { typ })), 403, String(typ));
  for (const name of ['iss', 'sub', 'aud', 'iat', 'jti', 'sid', 'developer_id', 'api_key_id']) {
    const { [name]: _, ...rest } = claims;
    assert.equal(await use(await sign(rest)), 403, `without ${name}`);
  }
});

test('H7 changed, cut, padded or huge: refused', async (t) => {
  const { claims, token, use, sign } = await stage(t);
  const [head = '', body = '', signature = ''] = token.split('.');
  const changed = part({ ...claims, sub: 'bob', user_id: 'bob' });
  for (const text of [
    `${head}.${changed}.${signature}`,
    `${head}.${body}`,
    `${head}.${body}.`,
    `${token}.`,
    `${token}=`,
    `.${body}.${signature}`,
    'a.b.c',
    await sign({ ...claims, filler: 'x'.repeat(4_096) }),
  ])
    assert.equal(await use(text), 403, text.slice(-40));
  // Headers of more than 16 KiB are refused before anything else.
  assert.ok((await use('x'.repeat(100_000))) >= 400);
});

test('H8 the same token spelled another way is not another token for a revocation', async (t) => {
  const { app, key, token, use } = await stage(t);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  // The last character of 256 bytes in base64url has four bits that say nothing.
  const last = alphabet.indexOf(token.at(-1) ?? '');
  const twin = token.slice(0, -1) + alphabet[last ^ 1];
  assert.equal(await use(token), 404);
  const before = await use(twin);
  assert.ok([403, 404].includes(before));
  await app.call('POST', '/v1/identity/revoke', { key, body: { user_id: 'ann' } });
  assert.deepEqual([await use(token), await use(twin)], [403, 403]);
});

test('configured keys: the first signs, all are published, a key without an id is named by its thumbprint', async (t) => {
  const [first] = JSON.parse(await keySet(ours)) as Record<string, unknown>[];
  const { kid: _, ...nameless } = first ?? {};
  const [other] = JSON.parse(await keySet(second)) as object[];
  const { app, token, use } = await stage(t, JSON.stringify({ keys: [nameless, other] }));
  const { body } = await app.call('GET', '/.well-known/jwks.json', { key: null });
  const thumbprint = await calculateJwkThumbprint(await exportJWK(ours.publicKey));
  assert.deepEqual(
    (body.keys as { kid: string }[]).map(({ kid }) => kid),
    [thumbprint, 'second'],
  );
  assert.equal(JSON.stringify(body).includes('"d"'), false);
  assert.equal(await use(token), 404);
});
