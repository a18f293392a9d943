import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import type { Env } from '../../src/config.ts';
import { bootApp, handClock, type TestApp, type TestReply } from '../support/app.ts';
import { engines } from '../support/stores.ts';

const quiet = { MCPRANK_STARTER: 'off' };

type TokenSet = { access_token: string; refresh_token: string };

async function issue(app: TestApp, key: string, user = 'ann'): Promise<TokenSet> {
  const reply = await app.call('POST', '/v1/identity/token', { key, body: { user_id: user } });
  assert.equal(reply.status, 200, reply.text);
  return reply.body as TokenSet;
}

const refresh = (app: TestApp, key: string, refresh_token: string) =>
  app.call('POST', '/v1/identity/refresh', { key, body: { refresh_token } });

/** A call that takes a MIT: 404 for the server once the token has passed. */
const use = (app: TestApp, key: string, token: string, headers: Record<string, string> = {}) =>
  app.call('GET', '/v1/mcp/server?server_id=nowhere', {
    key,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });

function assertDead(reply: TestReply): void {
  assert.equal(reply.status, 403, reply.text);
  assert.equal((reply.body.detail as { code: string }).code, 'invalid_token');
  assert.match(reply.headers.get('www-authenticate') ?? '', /^Bearer error="invalid_token"$/);
}

function assertDeadGrant(reply: TestReply): void {
  assert.equal(reply.status, 400, reply.text);
  assert.deepEqual(reply.body, { detail: 'Invalid or expired refresh token', code: 'invalid_grant' });
}

test('a MIT has the documented claims, verifies with the published keys, and is kept by no cache (I12)', async (t) => {
  const app = await bootApp(t, quiet);
  const key = await app.newKey();
  const reply = await app.call('POST', '/v1/identity/token', { key, body: { user_id: 'ann' } });
  assert.equal(reply.headers.get('cache-control'), 'no-store');
  const { access_token, refresh_token, expires_in, token_type, ...rest } = reply.body;
  assert.deepEqual([expires_in, token_type, rest], [3600, 'Bearer', {}]);
  assert.match(String(refresh_token), /^rt_[\w-]{70}$/);

  const jwks = createRemoteJWKSet(new URL(`${app.url}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await jwtVerify(String(access_token), jwks);
  assert.equal(protectedHeader.alg, 'RS256');
  const { exp = 0, iat = 0, jti, api_key_id, developer_id, sid, client_id, ...claims } = payload;
  assert.deepEqual(claims, {
    iss: app.url,
    sub: 'ann',
    aud: 'mcp-servers',
    connected_services: [],
    user_id: 'ann',
  });
  assert.equal(exp - iat, 3600);
  assert.match(String(jti), /^tok_[0-9a-f]{32}$/);
  assert.match(String(api_key_id), /^key_/);
  assert.match(String(developer_id), /^dev_/);
  assert.equal(client_id, api_key_id);
  assert.match(String(sid), /^fam_/);
  for (const path of ['refresh', 'revoke', 'introspect']) {
    const body = { refresh: { refresh_token }, revoke: { user_id: 'x' }, introspect: { token: 'x' } }[path];
    const other = await app.call('POST', `/v1/identity/${path}`, { key, body });
    assert.equal(other.headers.get('cache-control'), 'no-store', path);
  }
});

test('H9 the key set may be cached for five minutes, has an ETag, and holds no private part', async (t) => {
  const app = await bootApp(t, quiet);
  const reply = await app.call('GET', '/.well-known/jwks.json', { key: null });
  assert.equal(reply.headers.get('cache-control'), 'public, max-age=300');
  const etag = reply.headers.get('etag') ?? '';
  assert.match(etag, /^"[0-9a-f]{32}"$/);
  const again = await app.call('GET', '/.well-known/jwks.json', {
    key: null,
    headers: { 'if-none-match': etag },
  });
  assert.deepEqual([again.status, again.text], [304, '']);
  for (const key of reply.body.keys as object[])
    assert.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
});

test('user_id: what cannot be printed, nothing, or too much is refused by name', async (t) => {
  const app = await bootApp(t, quiet);
  const key = await app.newKey();
  for (const user_id of ['', '  ', 'a\nb', 'a\u202eb', 'x'.repeat(257), '\u0007', 7, null]) {
    const reply = await app.call('POST', '/v1/identity/token', { key, body: { user_id } });
    assert.equal(reply.status, 400, JSON.stringify(user_id));
    assert.match(String(reply.body.detail), /^user_id: /);
  }
  const missing = await app.call('POST', '/v1/identity/token', { key, body: {} });
  assert.equal(missing.body.detail, 'user_id: required');
  for (const user_id of ['é'.repeat(256), 'a b', '😀', '../x', '%2F']) {
    const { access_token } = await issue(app, key, user_id);
    assert.equal(decodeJwt(access_token).sub, user_id);
  }
});

/** As if all families had been turned so much longer ago, by the store's clock. */
async function age(app: TestApp, ms: number): Promise<void> {
  await app.services.storage
    .tables<{ refresh_families: { rotated_at: number } }>()
    .updateTable('refresh_families')
    .set((is) => ({ rotated_at: is('rotated_at', '-', ms) }))
    .execute();
}

for (const engine of engines) {
  const options = { skip: engine.skip };
  const boot = async (t: Parameters<typeof bootApp>[0], clock = handClock(), more: Env = {}) => {
    const own = { ...quiet, MCPRANK_PUBLIC_URL: 'http://rank.test', ...(await engine.environment(t)) };
    const env = { ...own, ...more };
    return { env, clock, app: await bootApp(t, env, { clock }) };
  };

  test(`${engine.name}: I2 a refresh token works once and its successor after it`, options, async (t) => {
    const { app, clock } = await boot(t);
    const key = await app.newKey();
    let { refresh_token } = await issue(app, key);
    for (let turn = 0; turn < 3; turn++) {
      clock.advance(60_000);
      const reply = await refresh(app, key, refresh_token);
      assert.equal(reply.status, 200, reply.text);
      assert.equal(reply.headers.get('cache-control'), 'no-store');
      assert.notEqual(reply.body.refresh_token, refresh_token);
      ({ refresh_token } = reply.body as TokenSet);
      assert.equal((await use(app, key, String(reply.body.access_token))).status, 404);
    }
  });

  test(
    `${engine.name}: I3 I6 a token just used gives the same successor for thirty seconds`,
    options,
    async (t) => {
      const { app } = await boot(t);
      const key = await app.newKey();
      const { refresh_token } = await issue(app, key);
      const first = await refresh(app, key, refresh_token);
      await age(app, 25_000);
      const again = await refresh(app, key, refresh_token);
      assert.deepEqual([again.status, again.body.refresh_token], [200, first.body.refresh_token]);
      assert.equal((await use(app, key, String(again.body.access_token))).status, 404);
    },
  );

  test(
    `${engine.name}: I4 a token used again too late, or after its successor, ends the family and its MITs`,
    options,
    async (t) => {
      const { app } = await boot(t);
      const key = await app.newKey();
      const late = await issue(app, key);
      const lateNext = (await refresh(app, key, late.refresh_token)).body as TokenSet;
      await age(app, 30_001);
      assertDeadGrant(await refresh(app, key, late.refresh_token));
      assertDeadGrant(await refresh(app, key, lateNext.refresh_token));
      assertDead(await use(app, key, lateNext.access_token));

      const stolen = await issue(app, key);
      const next = (await refresh(app, key, stolen.refresh_token)).body as TokenSet;
      const newest = (await refresh(app, key, next.refresh_token)).body as TokenSet;
      assert.equal((await use(app, key, newest.access_token)).status, 404);
      assertDeadGrant(await refresh(app, key, stolen.refresh_token));
      assertDeadGrant(await refresh(app, key, newest.refresh_token));
      assertDead(await use(app, key, newest.access_token));
      const trail = await app.call('GET', '/v1/admin/audit?user=ann');
      const actions = (trail.body.entries as { action: string }[]).map(({ action }) => action);
      assert.equal(actions.filter((action) => action === 'token.reuse').length, 2);
      // Another family of the same user goes on.
      assert.equal((await use(app, key, (await issue(app, key)).access_token)).status, 404);
    },
  );

  test(
    `${engine.name}: I7 H10 a revocation is effective here at once, elsewhere within a second, and after a restart`,
    options,
    async (t) => {
      const { app, env, clock } = await boot(t);
      const other = await bootApp(t, env, { clock });
      const key = await app.newKey();
      const before = await issue(app, key);
      for (const each of [app, other]) assert.equal((await use(each, key, before.access_token)).status, 404);
      const revoked = await app.call('POST', '/v1/identity/revoke', { key, body: { user_id: 'ann' } });
      assert.deepEqual(revoked.body, { success: true });
      assertDead(await use(app, key, before.access_token));
      assertDeadGrant(await refresh(app, key, before.refresh_token));
      // A new token in the very same millisecond is good.
      const after = await issue(app, key);
      assert.equal((await use(app, key, after.access_token)).status, 404);
      assert.equal((await refresh(app, key, after.refresh_token)).status, 200);
      const since = performance.now();
      while ((await use(other, key, before.access_token)).status !== 403) {
        // A second is promised; a busy machine's timers come late.
        assert.ok(performance.now() - since < 5_000, 'not heard elsewhere');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      t.diagnostic(`heard elsewhere after ${Math.round(performance.now() - since)} ms`);
      assertDead(await use(other, key, before.access_token));
      // One after the other: two stores of one process cannot wait for each other's locks.
      await other.close();
      await app.close();
      const later = await bootApp(t, env, { clock });
      assertDead(await use(later, key, before.access_token));
      assert.equal((await use(later, key, after.access_token)).status, 404);
    },
  );

  test(
    `${engine.name}: I8 unused for thirty days, or ninety days old, a family is over`,
    options,
    async (t) => {
      const { app, clock } = await boot(t);
      const key = await app.newKey();
      const day = 86_400_000;
      const idle = await issue(app, key);
      clock.advance(30 * day);
      assertDeadGrant(await refresh(app, key, idle.refresh_token));
      let { refresh_token } = await issue(app, key);
      for (const days of [29, 29, 29]) {
        clock.advance(days * day);
        const reply = await refresh(app, key, refresh_token);
        assert.equal(reply.status, 200, reply.text);
        ({ refresh_token } = reply.body as TokenSet);
      }
      clock.advance(3 * day);
      assertDeadGrant(await refresh(app, key, refresh_token));
    },
  );

  test(
    `${engine.name}: I10 guesses and other developers' attempts are refused and end nobody's family`,
    options,
    async (t) => {
      const { app } = await boot(t);
      const [mine, theirs] = [await app.newKey(), await app.newKey()];
      const { access_token, refresh_token } = await issue(app, mine);
      await refresh(app, mine, refresh_token);
      const forged = `${refresh_token.slice(0, -4)}AAAA`;
      const older = Buffer.from(refresh_token.slice(3), 'base64url');
      older.writeUInt32BE(0, 16);
      for (const [key, text] of [
        [theirs, refresh_token],
        [mine, forged],
        [mine, `rt_${older.toString('base64url')}`],
        [mine, 'rt_'],
        [mine, 'x'],
      ] as const)
        assertDeadGrant(await refresh(app, key, text));
      assert.equal((await use(app, mine, access_token)).status, 404, 'the family lives');
    },
  );

  test(
    `${engine.name}: H9 keys turn over without one refused token, and an old key's tokens end with it`,
    options,
    async (t) => {
      const { app, clock } = await boot(t, handClock(), { MCPRANK_SIGNING_KEYS: undefined });
      const key = await app.newKey();
      const { identity } = app.services;
      const kidsPublished = async () =>
        ((await app.call('GET', '/.well-known/jwks.json', { key: null })).body.keys as { kid: string }[]).map(
          ({ kid }) => kid,
        );
      const kidOf = (token: string) => decodeProtectedHeader(token).kid;
      const [first = ''] = await kidsPublished();
      clock.advance(30 * 86_400_000 - 600_000);
      await identity.runMaintenance();
      const next = (await kidsPublished()).find((kid) => kid !== first) ?? '';
      assert.notEqual(next, '', 'the next key is published');
      let { access_token, refresh_token } = await issue(app, key);
      assert.equal(kidOf(access_token), first, 'and does not sign yet');
      const signed = new Set<string | undefined>();
      // Five minutes a step, over the change and until the old key is gone: whoever holds a live token is let in.
      for (let step = 0; step < 20; step++) {
        clock.advance(300_000);
        await identity.runMaintenance();
        assert.equal((await use(app, key, access_token)).status, 404, `step ${step}`);
        const reply = await refresh(app, key, refresh_token);
        assert.equal(reply.status, 200);
        const fresh = reply.body as TokenSet;
        // The oldest token that is still alive is the hardest case.
        signed.add(kidOf(fresh.access_token));
        if ((decodeJwt(access_token).exp ?? 0) * 1000 - clock.now() < 300_000) ({ access_token } = fresh);
        ({ refresh_token } = fresh);
        assert.ok((await kidsPublished()).includes(kidOf(fresh.access_token) ?? ''));
      }
      assert.deepEqual(signed, new Set([first, next]));
      assert.deepEqual(await kidsPublished(), [next], 'the old key is retired');
    },
  );

  test(
    `${engine.name}: a deleted user is gone, and the trail no longer says about whom it was`,
    options,
    async (t) => {
      const { app } = await boot(t);
      const key = await app.newKey();
      const { access_token, refresh_token } = await issue(app, key, 'ann/1');
      assert.equal((await use(app, key, access_token)).status, 404);
      const before = (await app.call('GET', '/v1/admin/audit?user=ann%2F1')).body.entries as unknown[];
      assert.equal(before.length, 1);
      const other = await app.newKey();
      const path = '/v1/identity/users/ann%2F1';
      assert.equal((await app.call('DELETE', path, { key: other })).status, 404, "another developer's user");
      assert.equal((await use(app, key, access_token)).status, 404);
      assert.deepEqual((await app.call('DELETE', path, { key })).body, { user_id: 'ann/1', deleted: true });
      assertDead(await use(app, key, access_token));
      assertDeadGrant(await refresh(app, key, refresh_token));
      assert.deepEqual((await app.call('GET', '/v1/admin/audit?user=ann%2F1')).body.entries, []);
      const trail = (await app.call('GET', '/v1/admin/audit')).body.entries as Record<string, unknown>[];
      assert.ok(trail.some(({ action, user_id }) => action === 'token.issue' && user_id === null));
      assert.equal((await app.call('DELETE', path, { key })).status, 404);
      // The same name later is a new user: nothing of the old one lives.
      await issue(app, key, 'ann/1');
      assertDead(await use(app, key, access_token));
    },
  );
}

test("H11 a MIT with another developer's key is invalid_token, and revoking the same name elsewhere does nothing", async (t) => {
  const app = await bootApp(t, quiet);
  const [mine, theirs] = [await app.newKey(), await app.newKey()];
  const { access_token } = await issue(app, mine);
  assertDead(await use(app, theirs, access_token));
  assert.equal((await use(app, mine, access_token)).status, 404);
  assertDead(await use(app, theirs, access_token));
  await app.call('POST', '/v1/identity/revoke', { key: theirs, body: { user_id: 'ann' } });
  assert.equal((await use(app, mine, access_token)).status, 404);
});

test('introspection tells the owner what a token says, and everybody else that it is not active (RFC 7662)', async (t) => {
  const app = await bootApp(t, quiet);
  const [mine, theirs] = [await app.newKey(), await app.newKey()];
  const { access_token, refresh_token } = await issue(app, mine);
  const ask = async (key: string, token: string) =>
    (await app.call('POST', '/v1/identity/introspect', { key, body: { token } })).body;
  const claims = decodeJwt(access_token);
  const told = await ask(mine, access_token);
  assert.deepEqual([told.active, told.sub, told.jti, told.exp], [true, 'ann', claims.jti, claims.exp]);
  const form = await app.call('POST', '/v1/identity/introspect', {
    key: mine,
    body: new URLSearchParams({ token: access_token, token_type_hint: 'access_token' }).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.deepEqual(form.body, told);
  const grant = await ask(mine, refresh_token);
  assert.deepEqual([grant.active, grant.token_type, grant.sub], [true, 'refresh_token', 'ann']);
  for (const [key, token] of [
    [theirs, access_token],
    [theirs, refresh_token],
    [mine, 'x'],
    [mine, 'rt_x'],
    [mine, `${access_token.slice(0, -5)}AAAAA`],
  ] as const)
    assert.deepEqual(await ask(key, token), { active: false });
  await app.call('POST', '/v1/identity/revoke', { key: mine, body: { user_id: 'ann' } });
  assert.deepEqual(await ask(mine, access_token), { active: false });
  assert.deepEqual(await ask(mine, refresh_token), { active: false });
});

test('the MIT and the key: which header is whose', async (t) => {
  const app = await bootApp(t, quiet);
  const key = await app.newKey();
  const { access_token } = await issue(app, key);
  const path = '/v1/mcp/server?server_id=nowhere';
  const as = (headers: Record<string, string>) => app.call('GET', path, { key: null, headers });
  assert.equal((await as({ authorization: `Bearer ${key}` })).status, 404, 'a key alone, as Bearer');
  assert.equal((await as({ 'x-api-key': key })).status, 404, 'no MIT where one is optional');
  assert.equal((await as({ authorization: `Bearer ${access_token}` })).status, 401, 'a MIT is no key');
  const lowerCase = { 'x-api-key': key, authorization: `bearer ${access_token}` };
  assert.equal((await as(lowerCase)).status, 404, 'the scheme in any case (RFC 9110 section 11.1)');
  for (const authorization of [
    `Bearer  ${access_token}`,
    `Bearer ${access_token} x`,
    `Bearer ${access_token},x`,
    `Basic ${access_token}`,
    'Bearer',
    `Bearer ${key}`,
    `Bearer ${access_token}.`,
    `Bearer ${access_token}=`,
    `Bearer ${'a'.repeat(5_000)}`,
  ])
    assertDead(await as({ 'x-api-key': key, authorization }));
});

test('I1 I9 I11 a refresh token is 256 opaque bits, only its digest is kept, it carries no scope to widen, and revoking nobody is no error', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const issue = async () =>
    (await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' } })).body as Record<
      string,
      string
    >;
  const [first, second] = [await issue(), await issue()];
  for (const { refresh_token = '', access_token = '' } of [first, second]) {
    assert.match(refresh_token, /^rt_[A-Za-z0-9_-]{40,}$/);
    const claims = JSON.parse(
      Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString(),
    ) as object;
    assert.ok(!('scope' in claims));
  }
  assert.notEqual(first.refresh_token, second.refresh_token);
  const body = { refresh_token: first.refresh_token, scope: 'everything' };
  assert.equal(
    (await app.call('POST', '/v1/identity/refresh', { body })).status,
    400,
    'there is no such field',
  );
  const families = await app.services.storage
    .tables<{ refresh_families: Record<string, unknown> }>()
    .selectFrom('refresh_families')
    .selectAll()
    .execute();
  const kept = JSON.stringify(families);
  for (const { refresh_token = '' } of [first, second]) assert.ok(!kept.includes(refresh_token.slice(3)));
  const nobody = await app.call('POST', '/v1/identity/revoke', { body: { user_id: 'never seen' } });
  assert.deepEqual([nobody.status, nobody.body], [200, { success: true }]);
});
