import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { SignInTables } from '../../src/sign-in/sign-in-store.ts';
import { bootApp } from '../support/app.ts';
import { createBrowser } from '../support/browser.ts';
import { type Company, enter, logoutEvent, startCompany, turnedClock } from '../support/company.ts';
import { ping, refresh, register, through, tokensOf, visit } from '../support/sign-in.ts';

async function boot(t: TestContext, style: 'plain' | 'keycloak' = 'plain', env: Record<string, string> = {}) {
  const company = await startCompany(t, style);
  const clock = turnedClock();
  const app = await bootApp(t, company.env(env), { clock });
  return { app, company, clock };
}

for (const style of ['plain', 'keycloak'] as const)
  test(`people of a company sign in without a key; their groups bind toolsets (${style})`, async (t) => {
    const { app, company } = await boot(t, style);
    await app.call('PUT', '/v1/admin/toolsets/readers', {
      body: { rules: [{ effect: 'allow', tool: 'read' }], default: 'deny' },
    });
    await app.call('PUT', '/v1/admin/toolsets/readers/bindings', { body: { groups: ['readers'] } });
    await app.call('POST', '/v1/admin/servers', {
      body: {
        id: 'files',
        name: 'Files',
        description: 'd',
        remote_url: 'https://f.example/mcp',
        tools: ['read', 'write'].map((name) => ({ name, description: name, inputSchema: {} })),
      },
    });
    const listed = async (token: string) => {
      const reply = await app.call('POST', '/mcp', {
        key: null,
        headers: { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream' },
        body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
      });
      return reply.text;
    };
    const ann = await tokensOf(app);
    assert.match(await listed(ann.access), /files__read/);
    assert.doesNotMatch(await listed(ann.access), /files__write/);
    company.visitor = 'bob';
    const bob = await tokensOf(app);
    assert.match(await listed(bob.access), /files__write/);
    const users = await app.call('GET', '/v1/admin/users');
    assert.match(users.text, /"user_id":"ann"/);
    const keys = await app.call('GET', '/v1/admin/keys');
    assert.doesNotMatch(keys.text, /company/, 'no key was made');
    assert.equal((await refresh(app, ann)).status, 200);
  });

test('with a company, nobody signs in with a key; a page says whom to sign in at', async (t) => {
  const { app, company } = await boot(t);
  const { page } = await visit(app, String((await register(app)).body.client_id));
  assert.doesNotMatch(page.text, /API key/);
  assert.ok(page.text.includes(new URL(company.issuer).host));
});

test('who is removed at the provider is out within a minute: at the next call, and at the next refresh', async (t) => {
  const { app, company, clock } = await boot(t);
  const ann = await tokensOf(app);
  const asked = company.tokenRequests();
  for (let i = 0; i < 5; i++) assert.equal((await ping(app, ann.access)).status, 200);
  assert.equal(company.tokenRequests(), asked, 'it is not asked at each call');
  clock.forward(31_000);
  assert.equal((await ping(app, ann.access)).status, 200);
  assert.equal(company.tokenRequests(), asked + 1);
  company.people.delete('ann');
  clock.forward(31_000);
  assert.equal((await ping(app, ann.access)).status, 401);
  assert.equal((await refresh(app, ann)).body.error, 'invalid_grant');
  company.visitor = 'bob';
  const bob = await tokensOf(app);
  company.people.delete('bob');
  assert.equal((await refresh(app, bob)).body.error, 'invalid_grant', 'a refresh asks at once');
  assert.equal((await ping(app, bob.access)).status, 401);
});

test('of a provider that gives no refresh tokens, too: it is asked by the access token', async (t) => {
  const { app, company, clock } = await boot(t);
  company.givesRefreshTokens = false;
  const ann = await tokensOf(app);
  clock.forward(31_000);
  assert.equal((await ping(app, ann.access)).status, 200);
  assert.equal((await refresh(app, ann)).status, 200);
  company.people.delete('ann');
  clock.forward(31_000);
  assert.equal((await ping(app, ann.access)).status, 401);
});

test('somebody in a thousand groups of long names comes in, and each of them counts', async (t) => {
  const { app, company } = await boot(t);
  const groups = Array.from(
    { length: 1_000 },
    (_, n) => `cn=${'unit '.repeat(16)}${String(n).padStart(4, '0')}`,
  );
  company.people.set('ann', { email: 'ann@example.com', groups });
  await app.call('PUT', '/v1/admin/toolsets/none', { body: { rules: [], default: 'deny' } });
  const server = { id: 's', name: 's', remote_url: 'https://s.example/mcp', tools: [{ name: 'do' }] };
  await app.call('POST', '/v1/admin/servers', { body: server });
  const listed = async (token: string) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream' };
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    return (await app.call('POST', '/mcp', { key: null, headers, body })).text;
  };
  const { access } = await tokensOf(app);
  assert.match(await listed(access), /s__do/);
  await app.call('PUT', '/v1/admin/toolsets/none/bindings', { body: { groups: [groups.at(-1)] } });
  assert.doesNotMatch(await listed(access), /s__do/);
});

test('of all replicas one asks the provider: a refresh token that turns is used once', async (t) => {
  const { app, company, clock } = await boot(t);
  const { dataDir } = app;
  const keys = { MCPRANK_DATA_DIR: dataDir, MCPRANK_PUBLIC_URL: app.url };
  const replica = await bootApp(t, company.env(keys), { clock });
  const ann = await tokensOf(app);
  assert.equal((await ping(replica, ann.access)).status, 200);
  const asked = company.tokenRequests();
  for (let turn = 1; turn <= 3; turn++) {
    clock.forward(31_000);
    const replies = await Promise.all([app, replica, app, replica].map((at) => ping(at, ann.access)));
    for (const { status } of replies) assert.equal(status, 200);
    assert.equal(company.tokenRequests(), asked + turn);
  }
});

test('two clients of a person refresh at once: the provider is asked once, and nobody is signed out', async (t) => {
  const { app, company } = await boot(t);
  const [one, two] = [await tokensOf(app), await tokensOf(app)];
  const asked = company.tokenRequests();
  const { promise, resolve } = Promise.withResolvers<void>();
  company.tokensWait = promise;
  const first = refresh(app, one);
  while (company.tokenRequests() === asked) await delay(5);
  const second = refresh(app, two);
  let isAnswered = false;
  second.then(() => {
    isAnswered = true;
  });
  while (!isAnswered && company.tokenRequests() === asked + 1) await delay(5);
  resolve();
  assert.deepEqual([(await first).status, (await second).status], [200, 200]);
  assert.equal(company.tokenRequests(), asked + 1);
  assert.equal((await ping(app, two.access)).status, 200);
});

test('groups that change at the provider change here within a minute', async (t) => {
  const { app, company, clock } = await boot(t);
  await app.call('PUT', '/v1/admin/toolsets/none', { body: { rules: [], default: 'deny' } });
  await app.call('PUT', '/v1/admin/toolsets/none/bindings', { body: { groups: ['closed'] } });
  await app.call('POST', '/v1/admin/servers', {
    body: {
      id: 's',
      name: 's',
      description: 'd',
      remote_url: 'https://f.example/mcp',
      tools: [{ name: 'read', description: 'r', inputSchema: {} }],
    },
  });
  const list = async (token: string) =>
    (
      await app.call('POST', '/mcp', {
        key: null,
        headers: { authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream' },
        body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
      })
    ).text;
  const { access } = await tokensOf(app);
  assert.match(await list(access), /s__read/);
  company.people.set('ann', { email: 'ann@example.com', groups: ['closed'] });
  clock.forward(31_000);
  assert.doesNotMatch(await list(access), /s__read/);
});

test('while the provider is away, who is at work goes on; a refresh waits for it', async (t) => {
  const { app, company, clock } = await boot(t);
  const ann = await tokensOf(app);
  company.isUp = false;
  clock.forward(31_000);
  assert.equal((await ping(app, ann.access)).status, 200);
  clock.forward(31_000);
  const late = await refresh(app, ann);
  assert.deepEqual([late.status, late.body.error], [503, 'temporarily_unavailable']);
  company.isUp = true;
  clock.forward(31_000);
  assert.equal((await refresh(app, ann)).status, 200, 'and nothing was lost by it');
});

test('who comes while the provider is away reads so in words; why stands in the log', async (t) => {
  const { app, company } = await boot(t);
  company.isUp = false;
  const visited = await visit(app, String((await register(app)).body.client_id));
  for (const page of [
    await visited.browser.open(visited.page.url, { decision: 'allow' }),
    await createBrowser().open(`${app.url}/console/sign-in`),
  ]) {
    assert.equal(page.status, 502);
    assert.match(page.text, /company&#39;s sign-in cannot be reached: try again/);
  }
  assert.match(app.lines.join(''), /broke the connection/);
});

test('only addresses of the allowed domains come in, and only those that the provider has verified', async (t) => {
  const { app, company } = await boot(t, 'plain', { MCPRANK_SSO_DOMAINS: 'example.com' });
  await tokensOf(app);
  for (const [name, email, verified] of [
    ['eve', 'eve@elsewhere.example', true],
    ['u1', 'u1@sub.example.com', true],
    ['u2', 'u2@example.com.evil.example', true],
    ['u3', 'u3@example.com@evil.example', true],
    ['u4', 'u4@notexample.com', true],
    ['u5', 'u5@example.com', false],
  ] as const) {
    company.people.set(name, { email, groups: [], verified });
    company.visitor = name;
    const { last } = await through(app);
    assert.equal(last.status, 403, `${email}: ${last.text}`);
    assert.match(last.text, /no e-mail domain that may sign in here/);
  }
});

test('who cancels at the provider reads so on a page, and the app is asked again', async (t) => {
  const { app, company } = await boot(t);
  company.visitor = null;
  const { last } = await through(app);
  assert.equal(last.status, 400);
  assert.match(last.text, /not finished \(access_denied\)/);
});

test('threats P12: the way back from the provider belongs to the browser that went there, once', async (t) => {
  const { app } = await boot(t);
  const visited = await visit(app, String((await register(app)).body.client_id));
  let page = await visited.browser.open(visited.page.url, { decision: 'allow' });
  while (!(page.headers.get('location') ?? '').includes('/sign-in/callback'))
    page = await visited.browser.open(new URL(page.headers.get('location') ?? '', page.url).href);
  const back = page.headers.get('location') ?? '';
  const stranger = createBrowser();
  assert.equal((await stranger.open(back)).status, 400);
  // Nor to one that went there itself, with a cookie of its own.
  const other = await visit(app, String((await register(app)).body.client_id));
  await other.browser.open(other.page.url, { decision: 'allow' });
  assert.equal((await other.browser.open(back)).status, 400);
  const changed = new URL(back);
  changed.searchParams.set('state', 'x');
  assert.equal((await visited.browser.open(changed.href)).status, 400);
  const foreign = new URL(back);
  foreign.searchParams.set('iss', 'https://evil.example');
  assert.equal((await visited.browser.open(foreign.href)).status, 400, 'of another issuer (mix-up)');
  assert.equal((await visited.browser.open(back)).status, 303);
  assert.equal((await visited.browser.open(back)).status, 400, 'a second time');
});

test('threats P12: back-channel logout: signs the person out at once; what is no logout token of the provider does nothing', async (t) => {
  const { app, company } = await boot(t);
  const ann = await tokensOf(app);
  company.visitor = 'bob';
  const bob = await tokensOf(app);
  const send = async (token: string) => {
    const body = new URLSearchParams({ logout_token: token });
    const reply = await fetch(`${app.url}/sign-in/backchannel-logout`, { method: 'POST', body });
    const text = await reply.text();
    if (reply.status === 400) assert.match(text, /"detail":"logout_token: /);
    return reply.status;
  };
  const good = { sub: 'ann', jti: 'j', events: { [logoutEvent]: {} } };
  const other: Company = await startCompany(t);
  for (const token of [
    'nonsense',
    await company.logoutToken({ ...good, events: {} }),
    await company.logoutToken({ ...good, nonce: 'n' }),
    await other.logoutToken(good),
  ])
    assert.equal(await send(token), 400);
  assert.equal((await ping(app, ann.access)).status, 200);
  assert.equal(await company.logOut(app, 'ann'), 200);
  assert.equal((await ping(app, ann.access)).status, 401);
  assert.equal((await refresh(app, ann)).body.error, 'invalid_grant');
  assert.equal((await ping(app, bob.access)).status, 200);
  company.visitor = 'ann';
  assert.equal((await ping(app, (await tokensOf(app)).access)).status, 200, 'and in again');
});

test('a logout of a session that is not the last one of that person signs them out, too; of nobody, nobody', async (t) => {
  const { app, company } = await boot(t);
  const ann = await tokensOf(app);
  const send = async (claims: Record<string, unknown>) => {
    const logout_token = await company.logoutToken({ events: { [logoutEvent]: {} }, ...claims });
    const body = new URLSearchParams({ logout_token });
    return (await fetch(`${app.url}/sign-in/backchannel-logout`, { method: 'POST', body })).status;
  };
  assert.equal(await send({ sub: 'bob', sid: 'former', jti: '1' }), 200);
  assert.equal(await send({ sid: 'former', jti: '2' }), 200);
  assert.equal((await ping(app, ann.access)).status, 200);
  assert.equal(await send({ sub: 'ann', sid: 'former', jti: '3' }), 200);
  assert.equal((await ping(app, ann.access)).status, 401);
});

test('threats P12: a logout that names an earlier session ends what was signed in by it, and that alone; the last one’s ends all', async (t) => {
  const { app, company } = await boot(t, 'plain', { MCPRANK_SSO_ROLES: '*=viewer' });
  const accounts = app.services.storage.tables<SignInTables>();
  const sidNow = async () => {
    const row = await accounts.selectFrom('sign_in_accounts').select('sid').executeTakeFirstOrThrow();
    assert.ok(row.sid !== null, 'the provider names its sessions');
    return row.sid;
  };
  const isIn = async (headers: Record<string, string>) =>
    (await app.call('GET', '/console/session', { key: null, headers })).body.signed_in;
  const send = async (sid: string) => {
    const logout_token = await company.logoutToken({
      events: { [logoutEvent]: {} },
      sid,
      jti: crypto.randomUUID(),
    });
    const body = new URLSearchParams({ logout_token });
    return (await fetch(`${app.url}/sign-in/backchannel-logout`, { method: 'POST', body })).status;
  };
  const first = await tokensOf(app);
  const firstSid = await sidNow();
  const { headers } = await enter(app, company, 'ann');
  const consoleSid = await sidNow();
  const last = await tokensOf(app);
  const lastSid = await sidNow();
  assert.equal(new Set([firstSid, consoleSid, lastSid]).size, 3);
  assert.equal(await send(firstSid), 200);
  assert.equal((await ping(app, first.access)).status, 401);
  assert.equal((await refresh(app, first)).body.error, 'invalid_grant');
  assert.deepEqual([await isIn(headers), (await ping(app, last.access)).status], [true, 200]);
  assert.equal(await send(consoleSid), 200);
  assert.deepEqual([await isIn(headers), (await ping(app, last.access)).status], [false, 200]);
  const again = await enter(app, company, 'ann');
  assert.equal(await isIn(again.headers), true);
  assert.equal(await send(await sidNow()), 200);
  assert.deepEqual([await isIn(again.headers), (await ping(app, last.access)).status], [false, 401]);
  const { body } = await app.call('GET', '/v1/admin/audit');
  const ends = (body.entries as { action: string; user_id: string }[]).filter(
    ({ action, user_id }) => action === 'sign_in.end' && user_id === 'ann',
  );
  assert.equal(ends.length, 3);
});

test('threats P12: a logout token counts once, and not for ever where it says no end', async (t) => {
  const { app, company, clock } = await boot(t);
  const send = async (token: string) => {
    const body = new URLSearchParams({ logout_token: token });
    return (await fetch(`${app.url}/sign-in/backchannel-logout`, { method: 'POST', body })).status;
  };
  const iat = Math.floor(clock.now() / 1_000);
  const claims = { sub: 'ann', aud: 'mcprank', events: { [logoutEvent]: {} }, iat };
  const endless = await company.assertion(claims, 'logout+jwt', null);
  const first = await tokensOf(app);
  assert.equal(await send(endless), 200);
  assert.equal((await ping(app, first.access)).status, 401);
  const again = await tokensOf(app);
  assert.equal(await send(endless), 400, 'a second time');
  const old = await company.assertion({ ...claims, iat: iat - 600 }, 'logout+jwt', null);
  assert.equal(await send(old), 400, 'long ago, and no end');
  assert.equal((await ping(app, again.access)).status, 200);
  // Of a provider whose clock is four minutes behind.
  const claimsThen = { ...claims, iat: iat - 240, jti: 'behind' };
  const behind = await company.assertion({ ...claimsThen, exp: iat - 120 }, 'logout+jwt', null);
  assert.equal(await send(behind), 200);
  assert.equal((await ping(app, again.access)).status, 401);
  clock.forward(120_000);
  assert.equal(await send(behind), 400, 'a second time, while it would be good');
});

test('a company’s developer has no key, and settings and connections like any other', async (t) => {
  const { app } = await boot(t);
  await tokensOf(app);
  const { body } = await app.call('GET', '/v1/admin/users');
  const [{ developer_id: id = '' } = {}] = body.users as { developer_id?: string }[];
  const put = await app.call('PUT', `/v1/admin/apps/${id}`, { body: { return_urls: [] } });
  assert.equal(put.status, 200, put.text);
  const tokens = { developer_id: id, user_id: 'ann', account: 'a', access_token: 't' };
  const taken = await app.call('POST', '/v1/admin/connections', { body: { ...tokens, provider: 'nobody' } });
  assert.doesNotMatch(taken.text, /Developer not found/);
});

test('the provider’s own host is trusted for signing in, and for nothing that others name', async (t) => {
  const { app, company } = await boot(t);
  await tokensOf(app);
  const probed = await app.call('POST', '/v1/admin/probe', { body: { remote_url: `${company.issuer}/x` } });
  assert.equal(probed.status, 400, probed.text);
  await assert.rejects(app.services.outbound.request({ method: 'GET', url: `${company.issuer}/jwks` }));
});

test('a provider without its client id is a fault of the start', async (t) => {
  await assert.rejects(
    bootApp(t, { MCPRANK_SSO_ISSUER: 'https://login.example.com' }),
    /MCPRANK_SSO_ISSUER, MCPRANK_SSO_CLIENT_ID/,
  );
});

test('M1 K6 what the provider gave rests sealed, and nothing of it is in the log', async (t) => {
  const { app, company } = await boot(t);
  await tokensOf(app);
  const rows = await app.services.storage
    .tables<{ sign_in_accounts: { sealed: string; subject: string } }>()
    .selectFrom('sign_in_accounts')
    .selectAll()
    .execute();
  assert.deepEqual(
    rows.map(({ subject }) => subject),
    ['ann'],
  );
  assert.match(rows[0]?.sealed ?? '', /^v1\./);
  const kept = JSON.stringify(rows) + app.lines.join('');
  for (const secret of [company.env().MCPRANK_SSO_CLIENT_SECRET ?? '', 'code_verifier', 'id_token'])
    assert.equal(kept.includes(secret), false, secret);
});
