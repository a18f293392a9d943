import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../../src/base/problem.ts';
import { bootApp, type TestApp } from '../support/app.ts';
import { runsOf } from '../support/full-run.ts';
import { connectUser, providerSettings, startIdp } from '../support/oidc.ts';
import { engines } from '../support/stores.ts';

const developerOf = async (app: TestApp, name: string) => {
  const { body } = await app.call('GET', '/v1/admin/keys');
  const keys = body.keys as { developer: string; developer_id: string }[];
  return keys.find(({ developer }) => developer === name)?.developer_id ?? '';
};

test("G1 G2 another developer's session is 404, word for word like one that never was", async (t) => {
  const idp = await startIdp(t);
  const app = await bootApp(t, providerSettings(t, { idp: idp.row() }, idp));
  const stranger = await app.newKey();
  const { sessionId } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  assert.match(sessionId, /^sess_[0-9a-f]{32}$/);
  const confirm = { user_id: 'u1', completion_code: 'BBBB-BBBB' };
  for (const [method, suffix, body] of [
    ['GET', '', undefined],
    ['GET', '?wait=1', undefined],
    ['POST', '/confirm', confirm],
  ] as const) {
    const ask = (id: string) =>
      app.call(method, `/v1/identity/sessions/${id}${suffix}`, { key: stranger, body });
    const [foreign, unknown] = [await ask(sessionId), await ask(`sess_${'0'.repeat(32)}`)];
    assert.deepEqual([foreign.status, foreign.text], [404, unknown.text]);
    assert.deepEqual([...foreign.headers.keys()], [...unknown.headers.keys()]);
  }
  const own = await app.call('GET', `/v1/identity/sessions/${sessionId}`);
  assert.doesNotMatch(own.text, /token|verifier|state"/);
});

test('G3 polls cost nothing, guessing does', async (t) => {
  const idp = await startIdp(t);
  const app = await bootApp(t, {
    ...providerSettings(t, { idp: idp.row() }, idp),
    MCPRANK_TIERS: 'free=5,enterprise=100000',
  });
  const key = await app.newKey({ tier: 'free' });
  const body = { user_id: 'u1', provider: 'idp' };
  const { session_id } = (await app.call('POST', '/v1/identity/sessions', { key, body })).body;
  for (let n = 0; n < 20; n++)
    assert.equal((await app.call('GET', `/v1/identity/sessions/${session_id}`, { key })).status, 200);
  const guesses = await Promise.all(
    Array.from({ length: 20 }, () => app.call('GET', '/v1/identity/sessions/sess_guess', { key })),
  );
  assert.ok(guesses.some(({ status }) => status === 429));
});

test('G4 G5 no token for any other developer, user, provider or account than the one who consented', async (t) => {
  const idp = await startIdp(t);
  const app = await bootApp(t, providerSettings(t, { idp: idp.row(), two: idp.row() }, idp));
  const key = await app.newKey({ developer: 'second' });
  idp.conduct.account = 'alice';
  await connectUser(app, { userId: 'u1', provider: 'idp' });
  idp.conduct.account = 'bob';
  await connectUser(app, { userId: 'u2', provider: 'two' }, { key });
  const [one, two] = [await developerOf(app, 'admin'), await developerOf(app, 'second')];
  const consents = [
    { developerId: one, userId: 'u1', provider: 'idp', account: 'alice' },
    { developerId: two, userId: 'u2', provider: 'two', account: 'bob' },
  ];
  const any = fc.record({
    developerId: fc.constantFrom(one, two, 'dev_x'),
    userId: fc.constantFrom('u1', 'u2', 'U1', 'u1 ', "u1' or '1'='1"),
    provider: fc.constantFrom('idp', 'two', 'google'),
    account: fc.constantFrom('alice', 'bob', '', '%', undefined),
  });
  await fc.assert(
    fc.asyncProperty(any, async ({ developerId, userId, provider, account }) => {
      const consent = consents.find(
        (each) =>
          each.developerId === developerId &&
          each.userId === userId &&
          each.provider === provider &&
          (account === undefined || each.account === account),
      );
      const request = {
        owner: { developerId, userId },
        provider,
        ...(account === undefined ? {} : { account }),
      };
      const got = await app.services.connections.tokens.fresh(request).catch((error: unknown) => error);
      if (consent === undefined) {
        assert.ok(got instanceof Problem);
        assert.equal(got.kind, account === undefined ? 'provider_not_connected' : 'not_found');
        return;
      }
      const { sub } = await idp.introspect((got as { accessToken: string }).accessToken);
      assert.equal(sub, consent.account);
    }),
    { numRuns: runsOf(200) },
  );
});

for (const engine of engines)
  test(`G6 ${engine.name}: a waiting poll hears within a second of a consent that came in elsewhere, and waits no longer than it said`, {
    skip: engine.skip,
  }, async (t) => {
    const idp = await startIdp(t);
    const env = {
      ...(await engine.environment(t)),
      ...providerSettings(t, { idp: idp.row() }, idp),
      MCPRANK_VAULT_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    };
    const [here, elsewhere] = [await bootApp(t, env), await bootApp(t, env)];
    const short = await here.call('POST', '/v1/identity/sessions', {
      body: { user_id: 'u1', provider: 'idp' },
    });
    const waited = await here.call('GET', `/v1/identity/sessions/${short.body.session_id}?wait=1`);
    assert.equal(waited.body.status, 'pending');
    assert.equal(
      (await here.call('GET', `/v1/identity/sessions/${short.body.session_id}?wait=61`)).status,
      400,
    );
    let waiting: Promise<unknown> | undefined;
    const { sessionId } = await connectUser(
      {
        call: async (method, path, options) => {
          const opened = await elsewhere.call(method, path, options);
          waiting = here.call('GET', `/v1/identity/sessions/${opened.body.session_id}?wait=20`);
          return opened;
        },
      },
      { userId: 'u1', provider: 'idp' },
    );
    const heard = (await waiting) as { body: Record<string, unknown> };
    assert.deepEqual([heard.body.session_id, heard.body.status], [sessionId, 'complete']);
  });
