import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Problem } from '../../src/base/problem.ts';
import type { FreshToken, Owner } from '../../src/connections/connections.ts';
import { bootApp, handClock, type TestApp } from '../support/app.ts';
import { connectUser, type Idp, providerSettings, startIdp } from '../support/oidc.ts';

type Stage = {
  readonly idp: Idp;
  readonly app: TestApp;
  readonly owner: Owner;
  readonly clock: ReturnType<typeof handClock>;
  token(refused?: number): Promise<FreshToken>;
};

async function stage(t: TestContext, conduct: Partial<Idp['conduct']> = {}): Promise<Stage> {
  const idp = await startIdp(t);
  Object.assign(idp.conduct, conduct);
  const clock = handClock(Date.now());
  const app = await bootApp(t, providerSettings(t, { idp: idp.row() }, idp), { clock });
  await connectUser(app, { userId: 'u1', provider: 'idp' });
  const [connection] = await app.services.connections.admin.list({ limit: 1 });
  const owner = { developerId: connection?.developerId ?? '', userId: 'u1' };
  const token: Stage['token'] = (refused) =>
    app.services.connections.tokens.fresh({
      owner,
      provider: 'idp',
      ...(refused === undefined ? {} : { refused }),
    });
  return { idp, app, owner, clock, token };
}

const isKind = (kind: string) => (error: unknown) => error instanceof Problem && error.kind === kind;
const actions = async (app: TestApp) =>
  (await app.services.storage.audit.read({ limit: 100 })).map(({ action }) => action);

test('J1 fifty calls in one process on an expired token make one request', async (t) => {
  const { idp, clock, token } = await stage(t);
  clock.advance(3_600_000);
  const tokens = await Promise.all(Array.from({ length: 50 }, () => token()));
  assert.deepEqual([...new Set(tokens.map(({ version }) => version))], [2]);
  assert.equal(idp.counts.refreshes, 1);
});

test('J5 a dead grant is needs_reauth at once, told as token_expired, and the provider is asked no more', async (t) => {
  const { idp, app, owner, clock, token } = await stage(t);
  clock.advance(3_600_000);
  idp.conduct.refuse = { status: 400, body: { error: 'invalid_grant', error_description: 'secret words' } };
  await assert.rejects(token(), isKind('token_expired'));
  await assert.rejects(token(), isKind('token_expired'));
  assert.equal(idp.counts.refreshes, 1);
  assert.deepEqual(await app.services.connections.tokens.providerStatus(owner, 'idp'), {
    provider: 'idp',
    isConnected: true,
    status: 'needs_reauth',
    canAccess: false,
  });
  assert.ok((await actions(app)).includes('grant.expire'));
  assert.ok(!app.lines.join('').includes('secret words'));
  idp.conduct.refuse = null;
  await connectUser(app, { userId: 'u1', provider: 'idp' });
  assert.equal((await token()).version, 2);
});

const passing: readonly Idp['conduct']['refuse'][] = [
  { status: 500, body: 'oops' },
  { status: 503, body: { error: 'temporarily_unavailable' } },
  { status: 429, body: { error: 'slow_down' }, headers: { 'retry-after': '7' } },
  { status: 200, body: '<html>' },
];
for (const refuse of passing)
  test(`J6 ${refuse?.status} at the token endpoint keeps the grant: the good token serves, then 503 with a time to wait`, async (t) => {
    const { idp, app, clock, token } = await stage(t);
    clock.advance(3_500_000);
    idp.conduct.refuse = refuse;
    assert.equal((await token()).version, 1, 'still good');
    await app.services.connections.close();
    assert.equal(idp.counts.refreshes, 1);
    clock.advance(60_000);
    clock.advance(60_000);
    await assert.rejects(
      token(),
      (error) => isKind('unavailable')(error) && ((error as Problem).retryAfterMs ?? 0) > 0,
    );
    await assert.rejects(token(), isKind('unavailable'));
    assert.equal(idp.counts.refreshes, 2, 'backed off: the second call did not ask');
    idp.conduct.refuse = null;
    clock.advance(600_000);
    assert.equal((await token()).version, 2);
  });

test('J6 a provider that refuses us as a client is an alarm for the operator; no grant is touched', async (t) => {
  const { idp, app, clock, token } = await stage(t);
  clock.advance(3_600_000);
  idp.conduct.refuse = {
    status: 401,
    body: { error: 'invalid_client' },
    headers: { 'www-authenticate': 'Basic realm="x"' },
  };
  await assert.rejects(token(), isKind('unavailable'));
  assert.equal(app.services.connections.admin.countMisconfigured(), 1);
  assert.equal((await app.services.connections.admin.list({ limit: 1 }))[0]?.status, 'active');
  assert.match(app.lines.join(''), /connections\.provider\.misconfigured/);
  idp.conduct.refuse = null;
  clock.advance(31_000);
  assert.equal((await token()).version, 2);
  assert.equal(app.services.connections.admin.countMisconfigured(), 0);
});

test('J7 a token is renewed before it ends, behind the calls that go on with it', async (t) => {
  const { idp, app, clock, token } = await stage(t);
  clock.advance(3_000_000);
  await token();
  await app.services.connections.close();
  assert.equal(idp.counts.refreshes, 0, 'ten minutes before its end nothing happens');
  clock.advance(450_000);
  idp.conduct.delayMs = 200;
  assert.equal((await token()).version, 1, 'the call does not wait');
  await app.services.connections.close();
  assert.equal(idp.counts.refreshes, 1);
  assert.equal((await token()).version, 2);
});

test('J8 a reply without expires_in or refresh_token keeps what was known', async (t) => {
  const { idp, clock, token } = await stage(t, { rotate: false });
  idp.conduct.edit = ({ expires_in: _e, refresh_token: _r, ...rest }) => rest;
  for (const version of [2, 3]) {
    clock.advance(3_600_000);
    assert.equal((await token()).version, version);
    assert.equal((await token()).version, version);
  }
  assert.equal(idp.counts.refreshes, 2);
});

test('J8 tokens of unknown life are used until the provider refuses one', async (t) => {
  const { idp, clock, token } = await stage(t, { edit: ({ expires_in: _, ...rest }) => rest });
  clock.advance(30 * 86_400_000);
  assert.equal((await token()).version, 1);
  assert.equal(idp.counts.refreshes, 0);
  assert.equal((await token(1)).version, 2);
});

test('J9 a refused token is renewed once; a call that was refused with an older one gets the newer', async (t) => {
  const { idp, clock, token } = await stage(t);
  await token();
  const refused = await Promise.all([token(1), token(1), token(1)]);
  assert.deepEqual(
    refused.map(({ version }) => version),
    [2, 2, 2],
  );
  assert.equal((await token(1)).version, 2);
  assert.equal(idp.counts.refreshes, 1);
  assert.equal((await token(2)).version, 2, 'a provider that refuses every token gets no flood of requests');
  assert.equal(idp.counts.refreshes, 1);
  clock.advance(31_000);
  assert.equal((await token(2)).version, 3);
});

for (const minutes of [-5, 5])
  test(`J10 a provider whose clock is ${minutes} minutes off: a token lives as long as it said, by our clock`, async (t) => {
    const idp = await startIdp(t);
    // The other clock stays; ours is moved.
    const clock = handClock(Date.now() + minutes * 60_000);
    const app = await bootApp(t, providerSettings(t, { idp: idp.row() }, idp), { clock });
    await connectUser(app, { userId: 'u1', provider: 'idp' });
    const [connection] = await app.services.connections.admin.list({ limit: 1 });
    assert.equal(connection?.expiresAt, clock.now() + 3_600_000);
  });

test('K8 disconnecting is at once here; a provider that is down is told later', async (t) => {
  const { idp, app, clock, token } = await stage(t);
  const { accessToken } = await token();
  idp.conduct.refuse = { status: 503, body: {} };
  const [connection] = await app.services.connections.admin.list({ limit: 1 });
  const gone = await app.call('DELETE', `/v1/admin/connections/${connection?.id}`);
  assert.equal(gone.status, 200);
  await assert.rejects(token(), isKind('provider_not_connected'));
  await app.services.connections.close();
  assert.equal((await idp.introspect(accessToken)).active, true);
  idp.conduct.refuse = null;
  clock.advance(60_000);
  await app.services.connections.runMaintenance(AbortSignal.timeout(5_000));
  assert.equal((await idp.introspect(accessToken)).active, false);
  const done = await actions(app);
  for (const action of ['connection.revoke', 'token.revoke']) assert.ok(done.includes(action), action);
  assert.equal((await app.call('DELETE', `/v1/admin/connections/${connection?.id}`)).status, 404);
});

test('revoking a user ends connections and sessions under way, also one whose code is just being exchanged', async (t) => {
  const { idp, app, token } = await stage(t);
  await token();
  idp.conduct.delayMs = 400;
  const late = connectUser(app, { userId: 'u1', provider: 'idp' });
  for (let n = 0; n < 100 && idp.counts.codes < 2; n++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  await app.call('POST', '/v1/identity/revoke', { body: { user_id: 'u1' } });
  const { sessionId } = await late;
  const seen = await app.call('GET', `/v1/identity/sessions/${sessionId}`);
  assert.deepEqual([seen.body.status, seen.body.error], ['error', 'Access was revoked']);
  await assert.rejects(token(), isKind('provider_not_connected'));
  idp.conduct.delayMs = 0;
  await app.services.connections.runMaintenance(AbortSignal.timeout(5_000));
  assert.equal(idp.counts.revocations, 2, 'the old tokens and those that came too late');
});

test('O2 the trail has consent, issue, use, refresh and revocation; one use for each issue', async (t) => {
  const { app, token } = await stage(t);
  await Promise.all([token(), token(), token()]);
  await token(1);
  await token();
  await app.call('POST', '/v1/identity/revoke', { body: { user_id: 'u1' } });
  const done = await actions(app);
  for (const [action, count] of Object.entries({
    'session.open': 1,
    'consent.grant': 1,
    'token.issue': 1,
    'token.use': 2,
    'grant.refresh': 1,
    'connection.revoke': 1,
  }))
    assert.equal(done.filter((each) => each === action).length, count, action);
});

test('M1 no token, verifier or secret is in the store, the log, the metrics or the audit trail', async (t) => {
  const { app, idp, token } = await stage(t);
  const secrets: string[] = [];
  idp.conduct.edit = (body) => {
    secrets.push(String(body.access_token), String(body.refresh_token), String(body.id_token));
    return body;
  };
  secrets.push((await token()).accessToken, (await token(1)).accessToken);
  idp.conduct.refuse = { status: 400, body: { error: 'invalid_grant' } };
  await app.call('POST', '/v1/identity/revoke', { body: { user_id: 'u1' } });
  await app.services.connections.close();
  const { readdirSync, readFileSync } = await import('node:fs');
  const { join } = await import('node:path');
  const files = readdirSync(app.dataDir).map((name) =>
    readFileSync(join(app.dataDir, name)).toString('latin1'),
  );
  const everything = [
    ...files,
    ...app.lines,
    (await app.call('GET', '/metrics')).text,
    JSON.stringify(await app.services.storage.audit.read({ limit: 100 })),
  ].join('\n');
  assert.ok(secrets.length >= 5);
  for (const secret of [...secrets, 'idp-client-secret-for-tests'])
    assert.ok(!everything.includes(secret), secret.slice(0, 6));
});
