import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createRequestStats } from '../../src/http/console/request-stats.ts';
import { createConsoleFiles } from '../../src/http/console/static-files.ts';
import type { Route } from '../../src/http/route.ts';
import { adminKey, bootApp, handClock, type TestApp, temporaryFolder } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';
import { engines } from '../support/stores.ts';

type Browser = { readonly cookie: string; readonly csrf: string };

async function signIn(app: TestApp, key = adminKey, headers = {}): Promise<Browser> {
  const reply = await app.call('POST', '/console/session', { key: null, body: { key }, headers });
  assert.equal(reply.status, 200, reply.text);
  return {
    cookie: reply.headers.get('set-cookie')?.split(';')[0] ?? '',
    csrf: String(reply.body.csrf),
  };
}

const server = { id: 'added-by-cookie', name: 'Added', tools: [] };

test('a key becomes a cookie that no script can read, and the cookie stands in for the key', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const reply = await app.call('POST', '/console/session', { key: null, body: { key: adminKey } });
  const cookie = reply.headers.get('set-cookie') ?? '';
  assert.match(cookie, /^mcprank-console=t1\.[^;]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
  assert.equal(reply.headers.get('cache-control'), 'no-store');
  assert.ok(!reply.text.includes(adminKey) && !cookie.includes(adminKey));
  const browser = await signIn(app);
  const seen = await app.call('GET', '/v1/servers', { key: null, headers: { cookie: browser.cookie } });
  assert.equal(seen.status, 200);
  const who = await app.call('GET', '/console/session', { key: null, headers: { cookie: browser.cookie } });
  assert.deepEqual([who.body.signed_in, who.body.developer, who.body.csrf], [true, 'admin', browser.csrf]);
  const { body } = await app.call('GET', '/v1/admin/audit');
  const actions = (body.entries as { action: string }[]).map(({ action }) => action);
  assert.ok(actions.includes('key.sign_in'));
  assert.ok(!app.lines.join('').includes(adminKey));
});

test('on https the cookie is Secure and bound to this very host', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off', MCPRANK_PUBLIC_URL: 'https://rank.example.com' });
  const reply = await app.call('POST', '/console/session', {
    key: null,
    body: { key: adminKey },
    headers: { origin: 'https://rank.example.com' },
  });
  assert.match(
    reply.headers.get('set-cookie') ?? '',
    /^__Host-mcprank-console=.*; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/,
  );
});

test('a bad key opens no session', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  for (const key of ['x', `sk_mcp_rank_${'0'.repeat(32)}`]) {
    const reply = await app.call('POST', '/console/session', { key: null, body: { key } });
    assert.deepEqual([reply.status, reply.headers.get('set-cookie')], [401, null]);
  }
});

test('L2 a key that may be used from elsewhere only opens no session here', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const key = await app.newKey({ addresses: ['203.0.113.0/24'] });
  const reply = await app.call('POST', '/console/session', { key: null, body: { key } });
  assert.deepEqual([reply.status, reply.headers.get('set-cookie')], [401, null]);
});

test('F8 CSRF: what changes something needs the token of this very session', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const { cookie, csrf } = await signIn(app);
  const other = await signIn(app);
  const post = (headers: Record<string, string>) =>
    app.call('POST', '/v1/admin/servers', { key: null, body: server, headers: { cookie, ...headers } });
  for (const token of [undefined, '', 'x', other.csrf, csrf.toUpperCase()]) {
    const reply = await post(token === undefined ? {} : { 'x-csrf-token': token });
    assert.equal(reply.status, 403, String(token));
    assert.equal((reply.body.detail as { code: string }).code, 'cross_site');
  }
  assert.equal((await app.call('GET', '/v1/servers/added-by-cookie')).status, 404);
  assert.equal((await post({ 'x-csrf-token': csrf })).status, 200);
});

test('a console behind a proxy that hides the host is told which setting says where it is', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const { status, text } = await app.call('POST', '/console/session', {
    key: null,
    body: { key: adminKey },
    headers: { origin: 'https://rank.example.com' },
  });
  assert.equal(status, 403);
  assert.ok(text.includes(`is of https://rank.example.com, and MCPRANK_PUBLIC_URL is ${app.url}`), text);
});

test('F8 a page of another origin can neither read, act, sign in nor sign out, token or not', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const { cookie, csrf } = await signIn(app);
  const foreign = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: app.url.replace('http:', 'https:').replace(/\d+$/, '1') },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
  ];
  for (const from of foreign) {
    const headers = { cookie, 'x-csrf-token': csrf, ...from } as Record<string, string>;
    const tries = [
      app.call('GET', '/v1/servers', { key: null, headers }),
      app.call('POST', '/v1/admin/servers', { key: null, body: server, headers }),
      app.call('POST', '/console/session', { key: null, body: { key: adminKey }, headers }),
      app.call('DELETE', '/console/session', { key: null, headers }),
    ];
    for (const reply of await Promise.all(tries)) assert.equal(reply.status, 403, JSON.stringify(from));
  }
  const own = { cookie, 'x-csrf-token': csrf, origin: app.url, 'sec-fetch-site': 'same-origin' };
  const reply = await app.call('POST', '/v1/admin/servers', { key: null, body: server, headers: own });
  assert.equal(reply.status, 200, reply.text);
});

test('a cookie never beats a key that was sent, good or bad, and opens nothing beside /v1', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const { cookie, csrf } = await signIn(app);
  const headers = { cookie, 'x-csrf-token': csrf };
  const small = await app.newKey({ scopes: ['search'] });
  assert.equal((await app.call('GET', '/v1/admin/keys', { key: small, headers })).status, 403);
  assert.equal((await app.call('GET', '/v1/admin/keys', { key: 'x', headers })).status, 401);
  const bearer = { ...headers, authorization: 'Bearer x' };
  assert.equal((await app.call('GET', '/v1/admin/keys', { key: null, headers: bearer })).status, 401);
  const rpc = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  const mcp = await app.call('POST', '/mcp', {
    key: null,
    body: rpc,
    headers: { ...headers, accept: 'application/json, text/event-stream' },
  });
  assert.equal(mcp.status, 401);
});

test('a session ends with its key, after twelve hours, and when it is signed out or tampered with', async (t) => {
  const clock = handClock(Date.now());
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' }, { clock });
  const made = await app.call('POST', '/v1/admin/keys', {
    body: { developer: 'd', name: 'n', tier: 'free' },
  });
  const revoked = await signIn(app, String(made.body.key));
  const asked = (cookie: string) =>
    app.call('GET', '/v1/servers', { key: null, headers: { cookie } }).then(({ status }) => status);
  assert.equal(await asked(revoked.cookie), 200);
  await app.call('DELETE', `/v1/admin/keys/${made.body.key_id}`);
  assert.equal(await asked(revoked.cookie), 401);
  const after = await app.call('GET', '/console/session', { key: null, headers: { cookie: revoked.cookie } });
  assert.equal(after.body.signed_in, false);
  assert.match(after.headers.get('set-cookie') ?? '', /Max-Age=0/);

  const { cookie } = await signIn(app);
  assert.equal(await asked(`${cookie.slice(0, -2)}xx`), 401);
  assert.equal(await asked(`${cookie}; ${cookie}`), 401);
  assert.equal(await asked(cookie), 200);
  clock.advance(12 * 3_600_000 + 1);
  assert.equal(await asked(cookie), 401);
  const out = await app.call('DELETE', '/console/session', { key: null, headers: { cookie } });
  assert.match(out.headers.get('set-cookie') ?? '', /Max-Age=0/);
});

test('files come from memory with ETag and a policy; only hashed ones are kept; nothing beside the build is served', (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><p>console');
  writeFileSync(join(folder, 'assets/main-abc.js'), 'export {};');
  writeFileSync(join(folder, 'secret.key'), 'x');
  const files = createConsoleFiles(folder);
  for (const path of ['/', '/catalogue', '/catalogue/a%2Fb', '/docs/search', '/keys']) {
    const page = files.find(path, {});
    assert.match(String(page?.body), /console/, path);
    assert.match(
      page?.headers?.['content-security-policy'] as string,
      /^default-src 'none'; script-src 'self'/,
    );
    assert.doesNotMatch(page?.headers?.['content-security-policy'] as string, /unsafe|https?:|\*/);
    assert.equal(page?.headers?.['cache-control'], 'no-cache');
    assert.equal(files.find(path, { 'if-none-match': page?.headers?.etag as string })?.status, 304);
  }
  const asset = files.find('/assets/main-abc.js', {});
  assert.match(asset?.headers?.['cache-control'] as string, /immutable/);
  const packed = files.find('/', { 'accept-encoding': 'br, gzip' });
  assert.equal(packed?.headers?.['content-encoding'], 'gzip');
  assert.match(gunzipSync(packed?.body as Buffer).toString(), /console/);
  assert.notEqual(packed?.headers?.etag, files.find('/', {})?.headers?.etag);
  assert.equal(files.find('/', { 'accept-encoding': 'gzip;q=0' })?.headers?.['content-encoding'], undefined);
  const lost = [
    '/secret.key',
    '/assets/../../etc/passwd',
    '/assets/nothing.js',
    '/nothing',
    '/v1/nothing',
    '/a/b/c',
  ];
  for (const path of lost) assert.equal(files.find(path, {}), null, path);
  const unbuilt = createConsoleFiles(join(folder, 'nowhere'));
  assert.match(String(unbuilt.find('/', {})?.body), /npm run console/);
});

test('requests and percentiles are counted by the minute for a day, and the admin’s own do not count', () => {
  const clock = handClock(1_000 * 60_000);
  const routes = [
    { url: '/v1/search', scope: 'search' },
    { url: '/v1/admin/keys', scope: 'admin' },
  ] as unknown as Route[];
  const activity = createRequestStats(routes, clock);
  for (let i = 1; i <= 100; i++)
    activity.observe('/v1/search', i > 99 ? 502 : i > 98 ? 500 : i > 95 ? 400 : 200, i);
  activity.observe('/v1/admin/keys', 200, 5_000);
  activity.observe(undefined, 404, 1);
  const { total, steps, kinds } = activity.read(3_600_000);
  const { requests, clientErrors, serverErrors, upstreamErrors } = total;
  assert.deepEqual([requests, clientErrors, serverErrors, upstreamErrors], [100, 3, 1, 1]);
  for (const [told, right] of [
    [total.p50, 50],
    [total.p95, 95],
    [total.p99, 99],
  ])
    assert.ok(Math.abs((told ?? 0) / (right ?? 1) - 1) < 0.17, `${told} for ${right}`);
  assert.equal(steps.length, 60);
  assert.equal(steps.at(-1)?.requests, 100);
  assert.equal(kinds.find(({ kind }) => kind === 'search')?.requests, 100);
  clock.advance(59 * 60_000);
  assert.equal(activity.read(3_600_000).steps[0]?.requests, 100);
  clock.advance(60_000);
  assert.equal(activity.read(3_600_000).total.requests, 0);
  assert.equal(activity.read(86_400_000).total.requests, 100);
  // The same slot, a day later: what was counted there is forgotten.
  clock.advance(1_380 * 60_000);
  activity.observe('/v1/search', 200, 1);
  assert.equal(activity.read(86_400_000).total.requests, 1);
});

for (const engine of engines) {
  test(`${engine.name}: the operator sees use by server, by key and day, and what was searched in vain`, {
    skip: engine.skip,
  }, async (t) => {
    const app = await bootApp(t, { ...(await engine.environment(t)), MCPRANK_STARTER: 'off' });
    await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
    await app.services.search.settled();
    for (const query of ['send mail', 'qqxyzzy', 'qqxyzzy'])
      await app.call('POST', '/v1/search', { body: { query } });
    for (const success of [true, true, false])
      await app.call('POST', '/v1/invocations', {
        body: { server_id: 'com.example/mail', tool_name: 'send_email', success, latency_ms: 40 },
      });
    await app.services.queryLog.flush();
    const { body } = await app.call('GET', '/v1/admin/activity?window=1h');
    assert.deepEqual(body.servers, [
      { server_id: 'com.example/mail', calls: 3, successes: 2, caller_faults: 0, latency_ms: 40 },
    ]);
    const success = body.success as {
      server_id: string;
      steps: { at: string; calls: number; successes: number }[];
    }[];
    assert.deepEqual(
      success.map(({ server_id, steps }) => [server_id, steps.length]),
      [['com.example/mail', 12]],
    );
    // The calls may lie on either side of a step's beginning.
    const latest = success[0]?.steps.slice(-2) ?? [];
    const sum = (field: 'calls' | 'successes') => latest.reduce((all, step) => all + step[field], 0);
    assert.deepEqual([sum('calls'), sum('successes')], [3, 2]);
    const nothing = body.found_nothing as { query: string; times: number }[];
    assert.deepEqual(
      nothing.map(({ query, times }) => [query, times]),
      [['qqxyzzy', 2]],
    );
    assert.equal((body.searches as { count: number }).count, 3);
    assert.equal((body.total as { requests: number }).requests, 6);
    const keys = (await app.call('GET', '/v1/admin/keys')).body.keys as { key_id: string }[];
    const usage = await app.call('GET', `/v1/admin/keys/${keys[0]?.key_id}/usage?days=7`);
    const days = usage.body.days as Record<string, unknown>[];
    assert.equal(days.length, 7);
    assert.deepEqual([days.at(-1)?.searches, days.at(-1)?.calls, days.at(-1)?.failures], [3, 3, 1]);
  });

  test(`${engine.name}: the catalogue is browsed by text and facets`, { skip: engine.skip }, async (t) => {
    const app = await bootApp(t, { ...(await engine.environment(t)), MCPRANK_STARTER: 'off' });
    await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
    const ids = async (query: string) =>
      ((await app.call('GET', `/v1/servers?${query}`)).body.servers as { id: string }[]).map(({ id }) => id);
    assert.deepEqual(await ids('text=CALENDAR'), ['com.example/calendar']);
    assert.deepEqual(await ids('text=100%25'), []);
    assert.deepEqual(await ids('auth=oauth2'), ['com.example/mail']);
    assert.deepEqual(await ids('auth=none&category=databases'), ['local-database']);
    assert.deepEqual(await ids('transport=stdio'), ['local-database']);
    const { body } = await app.call('GET', '/v1/catalogue');
    assert.deepEqual([body.servers, body.tools], [4, 4]);
    assert.deepEqual(
      (body.transport as { name: string; servers: number }[]).map(({ name, servers }) => [name, servers]),
      [
        ['streamable-http', 3],
        ['stdio', 1],
      ],
    );
  });
}

for (const engine of engines) {
  test(`${engine.name}: the operator sees users of all developers and can revoke one`, {
    skip: engine.skip,
  }, async (t) => {
    const app = await bootApp(t, { ...(await engine.environment(t)), MCPRANK_STARTER: 'off' });
    const key = await app.newKey();
    for (const user_id of ['ann', 'ann', 'bob'])
      await app.call('POST', '/v1/identity/token', { key, body: { user_id } });
    const users = async (query = '') =>
      (await app.call('GET', `/v1/admin/users${query}`)).body.users as Record<string, unknown>[];
    const seen = (list: Record<string, unknown>[]) =>
      list.map(({ user_id, sessions }) => [user_id, sessions]).sort();
    assert.deepEqual(seen(await users()), [
      ['ann', 2],
      ['bob', 1],
    ]);
    assert.deepEqual(seen(await users('?text=AN')), [['ann', 2]]);
    const [ann] = await users('?text=ann');
    const body = { developer_id: ann?.developer_id, user_id: 'ann' };
    assert.equal((await app.call('POST', '/v1/admin/users/revoke', { body })).status, 200);
    assert.deepEqual(seen(await users('?text=ann')), [['ann', 0]]);
    assert.deepEqual(await users('?developer_id=dev_nobody'), []);
  });
}

test('settings are told with secrets masked, and with what doctor finds', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  await app.services.search.settled();
  const reply = await app.call('GET', '/v1/admin/settings');
  assert.ok(!reply.text.includes(adminKey));
  const { settings, findings } = reply.body as {
    settings: { name: string; value: string }[];
    findings: { check: string; level: string }[];
  };
  assert.equal(settings.find(({ name }) => name === 'MCPRANK_ADMIN_KEY')?.value, '[secret]');
  assert.deepEqual(
    findings.map(({ check, level }) => [check, level]),
    [
      ['store', 'ok'],
      ['limits', 'ok'],
      ['catalogue', 'ok'],
      ['search', 'ok'],
    ],
  );
});
