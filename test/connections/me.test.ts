import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';
import { type Browser, createBrowser, type Page } from '../support/browser.ts';
import { startCompany } from '../support/company.ts';
import { connectUser, providerSettings, startIdp } from '../support/oidc.ts';

async function boot(t: TestContext, env: Record<string, string> = {}) {
  const idp = await startIdp(t);
  const app = await bootApp(t, { ...providerSettings(t, { idp: idp.row() }, idp), ...env });
  return { app, idp };
}

async function enter(app: { url: string }, userId: string, key = adminKey) {
  const browser = createBrowser();
  return { browser, page: await browser.follow(`${app.url}/me/sign-in`, { key, user_id: userId }) };
}

/** The hidden fields of the form that leads there. */
function fieldsOf({ text }: Page, action: string): Record<string, string> {
  const form = text.split('<form').find((each) => each.includes(`action="${action}"`)) ?? '';
  const fields = [...form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
  return Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value]));
}

const press = (browser: Browser, page: Page, action: string, changed: Record<string, string> = {}) =>
  browser.follow(new URL(action, page.url).href, { ...fieldsOf(page, action), ...changed });

/** Whose pages were signed in to, by the audit trail. */
async function signedIn(app: TestApp, action: string) {
  const { body } = await app.call('GET', '/v1/admin/audit');
  const entries = body.entries as { action: string; user_id: string | null }[];
  return entries.flatMap((entry) => (entry.action === action ? [entry.user_id] : [])).sort();
}

test('O2 a user sees what is connected, disconnects it, and adds an account; nothing of others', async (t) => {
  const { app, idp } = await boot(t);
  await connectUser(app, { userId: 'ann', provider: 'idp' });
  idp.conduct.account = 'bob';
  await connectUser(app, { userId: 'bob', provider: 'idp' });
  const ann = await enter(app, 'ann');
  assert.equal(ann.page.status, 200);
  assert.match(ann.page.text, /<h2>Test Suite<\/h2>[\s\S]*alice@example\.test/);
  assert.doesNotMatch(ann.page.text, /bob@example/);
  assert.equal(ann.page.headers.get('cache-control'), 'no-store');
  const bob = await enter(app, 'bob');
  const others = { id: fieldsOf(bob.page, '/me/disconnect').id ?? '' };
  assert.equal((await press(ann.browser, ann.page, '/me/disconnect', others)).status, 404);
  assert.equal((await press(ann.browser, ann.page, '/me/disconnect', { csrf: 'x' })).status, 400);
  const asked = await press(ann.browser, ann.page, '/me/connect');
  assert.match(asked.url, /\/v1\/identity\/connect\//);
  assert.match(asked.text, /<strong>ann<\/strong>/);
  const after = await press(ann.browser, ann.page, '/me/disconnect');
  assert.match(after.text, /Nothing is connected for you/);
  assert.match((await bob.browser.follow(`${app.url}/me`)).text, /bob@example/);
  const out = await press(bob.browser, bob.page, '/me/sign-out');
  assert.match(out.text, /API key/);
  assert.deepEqual(await signedIn(app, 'key.sign_in'), ['ann', 'bob']);
});

test('the page of a key that is none, lacks the scope or was revoked is the sign-in', async (t) => {
  const { app } = await boot(t);
  for (const key of [`sk_mcp_rank_${'0'.repeat(32)}`, await app.newKey({ scopes: ['search'] })])
    assert.equal((await enter(app, 'ann', key)).page.status, 403);
  const key = await app.newKey();
  const { browser } = await enter(app, 'ann', key);
  assert.match((await browser.follow(`${app.url}/me`)).text, /Nothing is connected/);
  const { body } = await app.call('GET', '/v1/admin/keys');
  const keys = body.keys as { key_id: string; developer: string }[];
  for (const { key_id: id, developer } of keys)
    if (developer !== 'admin') await app.call('DELETE', `/v1/admin/keys/${id}`);
  assert.match((await browser.follow(`${app.url}/me`)).text, /API key/);
});

test('L2 the page of a key that may be used from one network is none from another', async (t) => {
  const { app } = await boot(t, { MCPRANK_TRUSTED_PROXIES: '127.0.0.1' });
  const key = await app.newKey({ addresses: ['203.0.113.0/24'] });
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const body = new URLSearchParams({ key, user_id: 'ann' });
  const signedIn = await fetch(`${app.url}/me/sign-in`, {
    method: 'POST',
    body,
    headers: from('203.0.113.7'),
    redirect: 'manual',
  });
  const cookie = String(signedIn.headers.get('set-cookie')).split(';', 1)[0] ?? '';
  const page = async (address: string) =>
    (await fetch(`${app.url}/me`, { headers: { ...from(address), cookie } })).text();
  assert.match(await page('203.0.113.8'), /For <strong>ann/);
  assert.match(await page('198.51.100.7'), /API key/);
});

test('F8 a page of elsewhere signs nobody in to a page of its own choice', async (t) => {
  const { app } = await boot(t);
  const send = async (site: string) => {
    const body = new URLSearchParams({ key: adminKey, user_id: 'mallory' });
    const headers = { 'sec-fetch-site': site };
    return fetch(`${app.url}/me/sign-in`, { method: 'POST', body, headers, redirect: 'manual' });
  };
  for (const [site, status] of [
    ['cross-site', 403],
    ['same-site', 403],
    ['same-origin', 303],
  ] as const) {
    const reply = await send(site);
    assert.deepEqual([reply.status, reply.headers.has('set-cookie')], [status, status === 303], site);
  }
});

test('people of a company come to their own page by its provider', async (t) => {
  const company = await startCompany(t);
  const { app } = await boot(t, company.env());
  const browser = createBrowser();
  const left = await browser.follow(`${app.url}/me/sign-in`);
  const kept = new Map(browser.cookies);
  assert.match((await press(browser, left, '/me/sign-out')).text, /Sign in at/);
  for (const [name, value] of kept) browser.cookies.set(name, value);
  assert.match((await browser.follow(`${app.url}/me`)).text, /Sign in at/, 'signed out is signed out');
  const page = await browser.follow(`${app.url}/me/sign-in`);
  assert.match(page.text, /For <strong>ann<\/strong>/);
  assert.equal(await company.logOut(app, 'ann'), 200);
  assert.match((await createBrowser().follow(`${app.url}/me/sign-in`)).text, /For <strong>ann/);
  assert.match((await browser.follow(`${app.url}/me`)).text, /Sign in at/, 'in the old browser it is over');
  assert.equal((await enter(app, 'bob')).page.status, 404, 'and not by naming somebody');
  assert.deepEqual(await signedIn(app, 'account.sign_in'), ['ann', 'ann', 'ann']);
});

test('Cancel on the consent page: nothing was asked of the provider, and the app is told', async (t) => {
  const { app, idp } = await boot(t);
  const opened = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'ann', provider: 'idp' },
  });
  const browser = createBrowser();
  const page = await browser.open(String(opened.body.auth_url));
  assert.match(page.text, /href="\/me"/);
  const fields = { ...fieldsOf(page, new URL(page.url).pathname), decision: 'cancel' };
  const done = await browser.follow(page.url, fields);
  assert.match(done.text, /was not connected[\s\S]*User denied access/);
  const state = await app.call('GET', `/v1/identity/sessions/${String(opened.body.session_id)}`);
  assert.deepEqual([state.body.status, state.body.error], ['error', 'User denied access']);
  assert.equal(idp.counts.codes, 0);
  // Of another browser it is no cancel.
  const again = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'ann', provider: 'idp' },
  });
  assert.equal((await createBrowser().open(String(again.body.auth_url), fields)).status, 400);
});

test('scopes in words where there are some, each as it is behind a fold; the app by its own name and picture', async (t) => {
  const { app } = await boot(t, { GOOGLE_CLIENT_ID: 'id', GOOGLE_CLIENT_SECRET: 'secret' });
  const { body } = await app.call('GET', '/v1/admin/keys');
  const [{ developer_id: id = '' } = {}] = body.keys as { developer_id?: string }[];
  const logo = 'data:image/png;base64,iVBORw0KGgo=';
  const settings = { return_urls: [], display_name: 'Orders & more', logo };
  assert.equal((await app.call('PUT', `/v1/admin/apps/${id}`, { body: settings })).status, 200);
  const opened = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'ann', provider: 'google' },
  });
  const { text, headers } = await createBrowser().open(String(opened.body.auth_url));
  assert.match(text, /<strong>Orders &#38; more<\/strong> wants to act/);
  assert.ok(text.includes(`src="${logo}"`));
  assert.match(headers.get('content-security-policy') ?? '', /img-src data:/);
  assert.match(text, /<li>See your calendars<\/li>/);
  const [before = '', fold = ''] = text.split('<details>');
  assert.doesNotMatch(before, /googleapis\.com\/auth/);
  assert.match(fold, /https:\/\/www\.googleapis\.com\/auth\/calendar\.readonly/);
  for (const bad of [
    'https://evil.example/x.png',
    'data:image/svg+xml;base64,AAAA',
    'data:text/html;base64,AAAA',
  ])
    assert.equal(
      (await app.call('PUT', `/v1/admin/apps/${id}`, { body: { ...settings, logo: bad } })).status,
      400,
    );
});
