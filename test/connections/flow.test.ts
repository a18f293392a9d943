import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Problem } from '../../src/base/problem.ts';
import { adminKey, bootApp, handClock, type TestApp } from '../support/app.ts';
import { type Browser, createBrowser, type Page } from '../support/browser.ts';
import { connectUser, type Idp, keyClient, providerSettings, startIdp } from '../support/oidc.ts';

type Flow = { readonly idp: Idp; readonly app: TestApp };

async function boot(t: TestContext, row: Record<string, unknown> = {}, options = {}): Promise<Flow> {
  const idp = await startIdp(t);
  const app = await bootApp(t, providerSettings(t, { idp: idp.row(row), other: idp.row() }, idp), options);
  return { idp, app };
}

async function open(app: TestApp, fields: Record<string, unknown> = {}, key = adminKey) {
  const reply = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'u1', provider: 'idp', ...fields },
    key,
  });
  assert.equal(reply.status, 200, reply.text);
  return { id: String(reply.body.session_id), url: String(reply.body.auth_url), body: reply.body };
}

const poll = async (app: TestApp, id: string, key = adminKey) =>
  (await app.call('GET', `/v1/identity/sessions/${id}`, { key })).body;

async function adminDeveloper(app: TestApp): Promise<string> {
  const { body } = await app.call('GET', '/v1/admin/keys');
  return String((body.keys as { developer_id: string }[])[0]?.developer_id);
}

async function token(app: TestApp, userId = 'u1', account?: string) {
  const owner = { developerId: await adminDeveloper(app), userId };
  return app.services.connections.tokens.fresh({
    owner,
    provider: 'idp',
    ...(account === undefined ? {} : { account }),
  });
}

/** As far as the provider's redirect back to us, which is not followed. */
async function upToCallback(browser: Browser, url: string): Promise<string> {
  const landing = await browser.open(url);
  const csrf = /name="csrf" value="([^"]+)"/.exec(landing.text)?.[1] ?? '';
  let page = await browser.open(url, { csrf });
  for (;;) {
    const location = new URL(page.headers.get('location') ?? '', page.url);
    assert.ok(page.status >= 300 && page.status < 400, page.text);
    if (location.pathname.startsWith('/v1/identity/callback/')) return location.href;
    page = await browser.open(location.href);
  }
}

const isKind = (kind: string) => (error: unknown) => error instanceof Problem && error.kind === kind;

test('a user connects in a browser, and the app can use the token', async (t) => {
  const { idp, app } = await boot(t);
  const { sessionId, page } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  assert.equal(page.status, 200, page.text);
  assert.match(page.text, /Test Suite is connected/);
  const seen = await poll(app, sessionId);
  assert.deepEqual(
    [seen.status, seen.account, seen.is_default, seen.missing_scopes],
    ['complete', 'alice', true, []],
  );
  const { accessToken } = await token(app);
  assert.deepEqual((await idp.introspect(accessToken)).sub, 'alice');
  const developerId = await adminDeveloper(app);
  assert.deepEqual(
    await app.services.connections.tokens.providerStatus({ developerId, userId: 'u1' }, 'idp'),
    {
      provider: 'idp',
      isConnected: true,
      status: 'active',
      canAccess: true,
    },
  );
  const listed = await app.call('GET', '/v1/admin/connections?user_id=u1');
  assert.equal((listed.body.connections as { label: string }[])[0]?.label, 'alice@example.test');
  assert.ok(!listed.text.includes(accessToken));
});

test('contract: a session is pending for five minutes, then an error that says it expired', async (t) => {
  const clock = handClock(Date.now());
  const { app } = await boot(t, {}, { clock });
  const { id, url, body } = await open(app);
  assert.match(id, /^sess_/);
  assert.equal(Date.parse(String(body.expires_at)), clock.now() + 300_000);
  assert.deepEqual(await poll(app, id), { session_id: id, status: 'pending' });
  clock.advance(300_001);
  assert.deepEqual(await poll(app, id), { session_id: id, status: 'error', error: 'Session expired' });
  const page = await createBrowser().open(url);
  assert.match(page.text, /expired/);
  assert.equal(page.status, 409);
});

test('F1 a state that is missing, unknown, replayed or expired is a 400 page, and no token call is made', async (t) => {
  const clock = handClock(Date.now());
  const { idp, app } = await boot(t, {}, { clock });
  const browser = createBrowser();
  const callback = await upToCallback(browser, (await open(app)).url);
  const without = new URL(callback);
  without.searchParams.delete('state');
  const unknown = new URL(callback);
  unknown.searchParams.set('state', 'A'.repeat(43));
  for (const url of [without, unknown]) assert.equal((await browser.open(url.href)).status, 400);
  assert.equal(idp.counts.codes, 0);
  assert.equal((await browser.open(callback)).status, 200);
  assert.equal((await browser.open(callback)).status, 400);
  assert.equal(idp.counts.codes, 1);
  const late = await upToCallback(browser, (await open(app)).url);
  clock.advance(300_001);
  assert.equal((await browser.open(late)).status, 400);
  assert.equal(idp.counts.codes, 1);
});

test('F2 PKCE S256 always; neither verifier nor state stands in the store; a server without S256 is refused', async (t) => {
  const { app, idp } = await boot(t);
  const browser = createBrowser();
  const { url } = await open(app);
  const landing = await browser.open(url);
  const csrf = /name="csrf" value="([^"]+)"/.exec(landing.text)?.[1] ?? '';
  const sent = new URL((await browser.open(url, { csrf })).headers.get('location') ?? '').searchParams;
  assert.deepEqual([sent.get('code_challenge_method'), sent.get('response_type')], ['S256', 'code']);
  assert.match(sent.get('state') ?? '', /^[A-Za-z0-9_-]{43}$/);
  assert.match(sent.get('nonce') ?? '', /^[A-Za-z0-9_-]{43}$/);
  const stored = JSON.stringify(
    await app.services.storage
      .tables<Record<string, object>>()
      .selectFrom('oauth_sessions')
      .selectAll()
      .execute(),
  );
  for (const secret of [sent.get('state'), sent.get('nonce'), new URL(url).pathname.split('/').at(-1)])
    assert.ok(!stored.includes(secret ?? '?'));
  assert.ok(!stored.includes('verifier'));

  const { createServer } = await import('node:http');
  const old = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ issuer: oldUrl, authorization_endpoint: oldUrl, token_endpoint: oldUrl }));
  });
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
  t.after(() => old.close());
  const oldUrl = `http://127.0.0.1:${(old.address() as { port: number }).port}`;
  const settings = providerSettings(t, { old: idp.row({ issuer: oldUrl }) }, idp);
  const other = await bootApp(t, { ...settings, MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' });
  const page = await createBrowser().open((await open(other, { provider: 'old' })).url);
  assert.equal(page.status, 502);
});

test('F3 the issuer of a callback is compared before any token call, for errors too; one that is promised must come', async (t) => {
  const { idp, app } = await boot(t);
  const browser = createBrowser();
  for (const change of [
    (url: URL) => url.searchParams.set('iss', `${idp.issuer}/`),
    (url: URL) => url.searchParams.delete('iss'),
    (url: URL) => {
      url.searchParams.set('iss', 'https://evil.example');
      url.searchParams.delete('code');
      url.searchParams.set('error', 'access_denied');
    },
  ]) {
    const { id, url } = await open(app);
    const callback = new URL(await upToCallback(browser, url));
    change(callback);
    await browser.open(callback.href);
    const seen = await poll(app, id);
    assert.equal(seen.status, 'error');
    assert.notEqual(seen.error, 'User denied access');
  }
  assert.equal(idp.counts.codes, 0);
});

test('F4 an answer at the callback of another provider is refused', async (t) => {
  const { idp, app } = await boot(t);
  const browser = createBrowser();
  const { id, url } = await open(app);
  const callback = await upToCallback(browser, url);
  assert.equal((await browser.open(callback.replace('/callback/idp', '/callback/other'))).status, 400);
  assert.equal(idp.counts.codes, 0);
  assert.equal((await poll(app, id)).status, 'pending');
});

test('F5 a code that comes again links nothing again', async (t) => {
  const { idp, app } = await boot(t);
  const browser = createBrowser();
  const first = await open(app);
  const callback = await upToCallback(browser, first.url);
  await browser.open(callback);
  const before = await token(app);
  // The old code under the state of a new session: the provider refuses it, and so do we.
  const second = await open(app);
  const next = new URL(await upToCallback(browser, second.url));
  next.searchParams.set('code', new URL(callback).searchParams.get('code') ?? '');
  await browser.open(next.href);
  assert.equal((await poll(app, second.id)).status, 'error');
  assert.equal((await token(app)).version, before.version);
  assert.equal(idp.counts.codes, 2);
});

test('F6 a user who says no is an error in words of ours; the description of the provider goes nowhere', async (t) => {
  const { idp, app } = await boot(t);
  idp.conduct.deny = true;
  const { sessionId, page } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  assert.equal((await poll(app, sessionId)).error, 'User denied access');
  assert.match(page.text, /User denied access/);
  assert.ok(!page.text.includes('<script') && !page.text.includes('alert(1)'));
  const browser = createBrowser();
  const { id, url } = await open(app);
  const callback = new URL(await upToCallback(browser, url));
  callback.searchParams.set('error', '<img src=x>');
  callback.searchParams.set('error_description', 'x'.repeat(3_000));
  const shown = await browser.open(callback.href);
  assert.equal((await poll(app, id)).error, 'The provider refused: an unknown error');
  assert.ok(!shown.text.includes('<img') && !shown.text.includes('xxxx'));
});

test('F7 only a registered return_url is taken, exactly; it is given the session and its status, nothing else', async (t) => {
  const { app } = await boot(t);
  const developerId = await adminDeveloper(app);
  const register = (urls: string[]) =>
    app.call('PUT', `/v1/admin/apps/${developerId}`, { body: { return_urls: urls } });
  for (const bad of [
    'http://app.example.com/done',
    'https://*.example.com/done',
    'https://user@app.example.com/done',
    'https://app.example.com/done#x',
    'https://app.example.com/done?x=1',
    'https://app.example.com/a/../done',
    'javascript:alert(1)',
    '/done',
  ])
    assert.equal((await register([bad])).status, 400, bad);
  assert.equal((await register(['https://app.example.com/done', 'http://127.0.0.1:9/done'])).status, 200);
  for (const unknown of [
    'https://app.example.com/done/',
    'https://app.example.com/don',
    'https://app.example.com/done?x',
    'https://app.example.com:8443/done',
    'https://APP.example.com/done',
  ]) {
    const body = { user_id: 'u1', provider: 'idp', return_url: unknown };
    const refused = await app.call('POST', '/v1/identity/sessions', { body });
    assert.equal(refused.status, 400, unknown);
    assert.match(String(refused.body.detail), /^return_url: /);
  }
  const browser = createBrowser();
  const { id, url } = await open(app, { return_url: 'https://app.example.com/done' });
  const end = await browser.open(await upToCallback(browser, url));
  assert.equal(end.status, 303);
  assert.equal(end.headers.get('location'), `https://app.example.com/done?session_id=${id}&status=complete`);
  assert.equal(end.headers.get('referrer-policy'), 'no-referrer');
  const other = await app.newKey();
  const body = { user_id: 'u1', provider: 'idp', return_url: 'https://app.example.com/done' };
  assert.equal((await app.call('POST', '/v1/identity/sessions', { body, key: other })).status, 400);
});

test('F8 the page names app, user, provider and scopes, and only its button goes on', async (t) => {
  const { app } = await boot(t);
  const key = await app.newKey({ developer: 'Acme <Agents>' });
  const { url } = await open(app, { user_id: 'ann & bob' }, key);
  const browser = createBrowser();
  const page = await browser.open(url);
  assert.equal(page.status, 200);
  for (const named of ['Acme &#60;Agents&#62;', 'ann &#38; bob', 'Test Suite', 'calendar.read'])
    assert.ok(page.text.includes(named), named);
  assert.match(
    page.headers.get('set-cookie') ?? '',
    /^mcprank-browser=.{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=900$/,
  );
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
  assert.equal((await createBrowser().open(url, { csrf })).status, 400, 'without the cookie');
  assert.equal((await browser.open(url, { csrf: 'x' })).status, 400, 'with another token');
  const location = (await browser.open(url, { csrf })).headers.get('location') ?? '';
  assert.ok(location !== '');
  assert.equal((await createBrowser().open(url)).status, 409, 'a second browser is turned away');
  assert.equal((await browser.open(url)).status, 200, 'the first one may go back');
});

test('F8 over https the cookie is __Host- and Secure', async (t) => {
  const idp = await startIdp(t);
  const app = await bootApp(t, {
    ...providerSettings(t, { idp: idp.row() }, idp),
    MCPRANK_PUBLIC_URL: 'https://rank.example.com',
  });
  const { url } = await open(app);
  assert.ok(url.startsWith('https://rank.example.com/v1/identity/connect/'));
  const page = await createBrowser().open(url.replace('https://rank.example.com', app.url));
  assert.match(
    page.headers.get('set-cookie') ?? '',
    /^__Host-mcprank=.{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=900; Secure$/,
  );
});

test('F8 the callback is taken from the browser that began, and from no other', async (t) => {
  const { idp, app } = await boot(t);
  const browser = createBrowser();
  const { id, url } = await open(app);
  const callback = await upToCallback(browser, url);
  const victim = createBrowser();
  await victim.open((await open(app)).url);
  for (const stranger of [createBrowser(), victim]) assert.equal((await stranger.open(callback)).status, 400);
  assert.equal(idp.counts.codes, 0);
  assert.equal((await browser.open(callback)).status, 200);
  assert.equal((await poll(app, id)).status, 'complete');
});

const codeOf = (page: Page) => /class="code">([^<]+)</.exec(page.text)?.[1] ?? '';

test('F8 with require_confirmation nothing is usable until the app confirms code and user', async (t) => {
  const { app } = await boot(t);
  const { sessionId, page } = await connectUser(app, {
    userId: 'u1',
    provider: 'idp',
    require_confirmation: true,
  });
  const code = codeOf(page);
  assert.match(code, /^[A-Z2-9]{4}-[A-Z2-9]{4}$/);
  assert.deepEqual(await poll(app, sessionId), {
    session_id: sessionId,
    status: 'pending',
    awaiting: 'confirmation',
  });
  await assert.rejects(token(app), isKind('provider_not_connected'));
  const confirm = (user_id: string, completion_code: string) =>
    app.call('POST', `/v1/identity/sessions/${sessionId}/confirm`, { body: { user_id, completion_code } });
  assert.equal((await confirm('u2', code)).status, 400);
  assert.match(String((await confirm('u1', 'BBBB-BBBB')).body.detail), /3 tries left/);
  const done = await confirm('u1', code.toLowerCase().replace('-', ''));
  assert.deepEqual([done.status, done.body.status], [200, 'complete'], done.text);
  assert.ok((await token(app)).accessToken);
  assert.equal((await confirm('u1', code)).status, 409);
});

test('F8 five wrong confirmations end the session, and the tokens are revoked at the provider', async (t) => {
  const { idp, app } = await boot(t);
  const { sessionId, page } = await connectUser(app, {
    userId: 'u1',
    provider: 'idp',
    require_confirmation: true,
  });
  const confirm = (completion_code: string) =>
    app.call('POST', `/v1/identity/sessions/${sessionId}/confirm`, {
      body: { user_id: 'u1', completion_code },
    });
  for (let n = 0; n < 5; n++) assert.equal((await confirm('BBBB-BBBB')).status, 400);
  assert.equal((await confirm(codeOf(page))).status, 409);
  assert.equal((await poll(app, sessionId)).status, 'error');
  await app.services.connections.runMaintenance(AbortSignal.timeout(5_000));
  assert.equal(idp.counts.revocations, 1);
  await assert.rejects(token(app), isKind('provider_not_connected'));
});

test('F8 a confirmation can be the default of an app; one that never comes revokes the tokens', async (t) => {
  const clock = handClock(Date.now());
  const { idp, app } = await boot(t, {}, { clock });
  const developerId = await adminDeveloper(app);
  await app.call('PUT', `/v1/admin/apps/${developerId}`, {
    body: { return_urls: [], require_confirmation: true },
  });
  const { sessionId, page } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  clock.advance(300_001);
  const body = { user_id: 'u1', completion_code: codeOf(page) };
  assert.equal((await app.call('POST', `/v1/identity/sessions/${sessionId}/confirm`, { body })).status, 409);
  await app.services.connections.runMaintenance(AbortSignal.timeout(5_000));
  assert.equal(idp.counts.revocations, 1);
  assert.equal((await poll(app, sessionId)).error, 'Session expired');
});

test('F8 another account than the expected one fails, and its tokens are revoked', async (t) => {
  const { idp, app } = await boot(t);
  for (const expected_account of ['alice', 'ALICE@example.test']) {
    const { sessionId } = await connectUser(app, { userId: 'u1', provider: 'idp', expected_account });
    assert.equal((await poll(app, sessionId)).status, 'complete', expected_account);
  }
  idp.conduct.account = 'mallory';
  const { sessionId } = await connectUser(app, { userId: 'u2', provider: 'idp', expected_account: 'alice' });
  assert.equal((await poll(app, sessionId)).error, 'Another account was connected than the app expects');
  await app.services.connections.runMaintenance(AbortSignal.timeout(5_000));
  assert.equal(idp.counts.revocations, 1);
  await assert.rejects(token(app, 'u2'), isKind('provider_not_connected'));
});

test('F9 every app asks for itself: the consent given to one is not the consent of another', async (t) => {
  const { app } = await boot(t);
  await connectUser(app, { userId: 'u1', provider: 'idp' });
  const key = await app.newKey();
  const { developer_id: developerId } = (
    (await app.call('GET', '/v1/admin/keys')).body.keys as { developer_id: string; developer: string }[]
  ).find(({ developer }) => developer !== 'admin') as { developer_id: string };
  const owner = { developerId, userId: 'u1' };
  await assert.rejects(
    app.services.connections.tokens.fresh({ owner, provider: 'idp' }),
    isKind('provider_not_connected'),
  );
  const { id } = await open(app, {}, key);
  assert.equal((await poll(app, id, key)).status, 'pending');
});

test('F10 every page has a policy that lets nothing in, frames nothing, tells nobody and is kept nowhere', async (t) => {
  const { app } = await boot(t);
  const { page } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  const landing = await createBrowser().open((await open(app)).url);
  const lost = await createBrowser().open(`${app.url}/v1/identity/connect/${'A'.repeat(43)}`);
  const stray = await createBrowser().open(`${app.url}/v1/identity/callback/idp?code=x`);
  assert.deepEqual([lost.status, stray.status], [404, 400]);
  for (const { headers, text } of [page, landing, lost, stray]) {
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none'; style-src 'sha256-/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.doesNotMatch(text, /<script|<link|<img|https?:\/\/(?!127)/);
    assert.match(text, /<html lang="en">.*<meta name="viewport"/s);
  }
});

test('F11 fewer scopes than asked for are told, not hidden; no scope in the reply means all', async (t) => {
  const { idp, app } = await boot(t);
  idp.conduct.tick = ['openid', 'email'];
  const { sessionId } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  const seen = await poll(app, sessionId);
  assert.deepEqual([seen.granted_scopes, seen.missing_scopes], [['openid', 'email'], ['calendar.read']]);
  assert.deepEqual((await token(app)).scopes, ['openid', 'email']);
  idp.conduct.tick = null;
  idp.conduct.edit = ({ scope: _, ...rest }) => rest;
  const all = await connectUser(app, { userId: 'u2', provider: 'idp', scopes: ['mail.send'] });
  assert.deepEqual((await poll(app, all.sessionId)).granted_scopes, ['openid', 'email', 'mail.send']);
});

test('F12 a consent that brings no refresh token keeps the one that is held', async (t) => {
  const { idp, app } = await boot(t);
  await connectUser(app, { userId: 'u1', provider: 'idp' });
  idp.conduct.refreshTokens = false;
  const { sessionId } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  assert.equal((await poll(app, sessionId)).status, 'complete');
  const { version } = await token(app);
  assert.equal(version, 2);
  const developerId = await adminDeveloper(app);
  const owner = { developerId, userId: 'u1' };
  assert.equal(
    (await app.services.connections.tokens.fresh({ owner, provider: 'idp', refused: version })).version,
    3,
  );
});

test('F13 another account is another connection: it never takes the place of the first', async (t) => {
  const { idp, app } = await boot(t);
  await connectUser(app, { userId: 'u1', provider: 'idp' });
  idp.conduct.account = 'bob';
  const { sessionId } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  const seen = await poll(app, sessionId);
  assert.deepEqual([seen.account, seen.is_default], ['bob', false]);
  assert.equal((await idp.introspect((await token(app)).accessToken)).sub, 'alice');
  assert.equal((await idp.introspect((await token(app, 'u1', 'bob')).accessToken)).sub, 'bob');
});

test('F15 an ID token for another nonce, audience or issuer, or with a broken signature, is refused', async (t) => {
  const { idp, app } = await boot(t);
  const changes: ((claims: Record<string, unknown>) => Record<string, unknown>)[] = [
    (claims) => ({ ...claims, nonce: 'x'.repeat(43) }),
    (claims) => ({ ...claims, aud: 'somebody-else' }),
    (claims) => ({ ...claims, iss: 'https://evil.example' }),
    (claims) => ({ ...claims, sub: 'mallory' }),
  ];
  for (const change of changes) {
    idp.conduct.edit = (body) => {
      const [head = '', payload = '', mark = ''] = String(body.id_token).split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
      const changed = Buffer.from(JSON.stringify(change(claims))).toString('base64url');
      return { ...body, id_token: [head, changed, mark].join('.') };
    };
    const { sessionId } = await connectUser(app, { userId: 'u1', provider: 'idp' });
    assert.equal((await poll(app, sessionId)).status, 'error');
  }
  idp.conduct.edit = ({ id_token: _, ...rest }) => rest;
  const { sessionId } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  assert.equal((await poll(app, sessionId)).status, 'error', 'without any');
});

test('F16 the client secret goes to the token endpoint only, never into a URL or the log', async (t) => {
  for (const client_auth of ['client_secret_basic', 'client_secret_post']) {
    const { app } = await boot(t, { client_auth });
    const browser = createBrowser();
    const callback = await upToCallback(browser, (await open(app)).url);
    const page = await browser.open(callback);
    assert.ok(!callback.includes('idp-client-secret'));
    assert.ok(!page.text.includes('idp-client-secret'));
    assert.ok(!app.lines.join('').includes('idp-client-secret'));
  }
});

test('F16 a client with a private key instead of a secret signs in, refreshes, and its key goes nowhere', async (t) => {
  const { app, idp } = await boot(t, {
    client_id: keyClient.id,
    client_secret: undefined,
    client_auth: 'private_key_jwt',
    client_key: keyClient.privateJwk,
  });
  const { sessionId } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  assert.equal((await poll(app, sessionId)).status, 'complete');
  const first = await token(app);
  const owner = { developerId: await adminDeveloper(app), userId: 'u1' };
  const next = await app.services.connections.tokens.fresh({
    owner,
    provider: 'idp',
    refused: first.version,
  });
  assert.notEqual(next.accessToken, first.accessToken);
  assert.deepEqual([idp.counts.codes, idp.counts.refreshes], [1, 1]);
  assert.ok(!app.lines.join('').includes(String(keyClient.privateJwk.d)));
});
