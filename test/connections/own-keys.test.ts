import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createTryKey } from '../../src/app/try-key.ts';
import { createBrowser, type Page } from '../support/browser.ts';
import { bootMcp, type McpTestApp, textOf } from '../support/mcp-app.ts';
import { invitationOf, mitOf } from '../support/mcp-oauth.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';

const keys = { ann: 'key-of-ann-5d1f', bob: 'key-of-bob-77ab' };
const other = 'key-of-nobody-31';

/** A server that takes these keys, says whose one was, and is at a place of its own for each user. */
async function startKeyed(
  t: TestContext,
  conduct: { broken?: boolean; taken?: readonly string[]; hangs?: () => void } = {},
) {
  return startRaw(t, ({ body, headers, path }, reply) => {
    if (conduct.hangs !== undefined) return conduct.hangs();
    if (conduct.broken) return sendJson(reply, 500, {});
    const key = String(headers['x-api-key'] ?? headers.authorization);
    if (!(conduct.taken ?? Object.values(keys)).includes(key.replace('Bearer ', '')))
      return sendJson(reply, 401, { error: `no such key: ${key}` });
    const result = {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      content: [{ type: 'text', text: `${key} at ${path}` }],
      tools: [{ name: 'whoami', inputSchema: { type: 'object' } }],
    };
    sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result });
  });
}

const asked = {
  user_credentials: {
    headers: { 'X-Api-Key': '{key}' },
    variables: { key: { description: 'From your settings' } },
  },
};

async function boot(t: TestContext, conduct: Parameters<typeof startKeyed>[1] = {}) {
  const server = await startKeyed(t, conduct);
  const app = await bootMcp(t);
  await app.add('keyed', server.url, asked);
  return { app, server };
}

const give = (app: McpTestApp, user_id: string, values: object, fields: object = {}, key?: string) =>
  app.call('POST', '/v1/identity/credentials', {
    body: { user_id, server_id: 'keyed', values, ...fields },
    ...(key !== undefined && { key }),
  });
const connectionsOf = async (app: McpTestApp, user: string, key?: string) => {
  const path = `/v1/identity/connections?user_id=${user}`;
  const { body } = await app.call('GET', path, key === undefined ? {} : { key });
  return body.connections as { id: string; kind: string; server_id: string; status: string }[];
};
const states = async (app: McpTestApp, headers: Record<string, string> = {}) => {
  const { body } = await app.call('POST', '/v1/search', { body: { query: 'keyed' }, headers });
  const [hit] = body.servers as { connection: string; connect?: string }[];
  return [hit?.connection, hit?.connect ?? ''] as const;
};
/** Types into the page's form and presses its first button. */
const type = (
  browser: ReturnType<typeof createBrowser>,
  { text, url }: Page,
  values: Record<string, string>,
) => {
  const [, csrf = ''] = /name="csrf" value="([^"]+)"/.exec(text) ?? [];
  return browser.follow(url, { csrf, decision: 'connect', ...values });
};

test('each user’s own key goes with that user’s calls and with no others; search says how each stands', async (t) => {
  const { app, server } = await boot(t);
  await app.services.search.settled();
  const [ann, bob] = [await mitOf(app, 'ann'), await mitOf(app, 'bob')];
  const [before, connect] = await states(app, ann);
  assert.equal(before, 'needs_key');
  assert.match(connect, /POST \/v1\/identity\/sessions/);
  for (const user of ['ann', 'bob'] as const) {
    const given = await give(app, user, { key: keys[user] });
    assert.deepEqual([given.status, given.body.kind, given.body.server_id], [201, 'key', 'keyed']);
  }
  await give(app, 'cleo', { key: keys.ann });
  assert.match((await app.call('GET', '/v1/admin/users')).text, /"cleo"/, 'also who was no user before');
  assert.deepEqual([(await states(app, ann))[0], (await states(app))[0]], ['ready', 'needs_key']);
  const calls = [ann, bob, ann].map((headers) => app.tool('keyed', 'whoami', {}, { headers }));
  const texts = (await Promise.all(calls)).map(textOf);
  assert.deepEqual(texts, [`${keys.ann} at /mcp`, `${keys.bob} at /mcp`, `${keys.ann} at /mcp`]);
  const door = await app.call('POST', '/mcp/servers/keyed', {
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {} } },
    headers: { ...bob, accept: 'application/json, text/event-stream' },
  });
  assert.match(door.text, new RegExp(keys.bob));
  // Nobody in particular, and somebody of another developer, have none.
  const seen = server.seen.length;
  assert.equal((await app.tool('keyed', 'whoami')).status, 502);
  const stranger = await app.newKey();
  assert.equal((await app.tool('keyed', 'whoami', {}, { key: stranger })).status, 502);
  for (const { headers } of server.seen.slice(seen)) assert.equal(headers['x-api-key'], undefined);
});

test('a key is tried before it is kept: refused, unreachable and not as asked for are told apart, and nothing is kept', async (t) => {
  const conduct: { broken?: boolean } = {};
  const { app, server } = await boot(t, conduct);
  const refused = await give(app, 'ann', { key: other });
  assert.deepEqual(
    [refused.status, refused.body.detail],
    [400, 'values: The server did not take it: it wants other credentials'],
  );
  assert.deepEqual((await app.call('GET', '/v1/admin/users')).body.users, []);
  conduct.broken = true;
  const away = await give(app, 'ann', { key: keys.ann });
  assert.equal(away.status, 502, away.text);
  assert.doesNotMatch(away.text, new RegExp(keys.ann));
  const seen = server.seen.length;
  for (const [values, detail] of [
    [{}, 'values.key: required; expected a text'],
    [{ key: 'a\nb' }, 'values.key: expected a text without line breaks of at most 8192 characters'],
    [{ key: keys.ann, tenant: 'x' }, 'values.tenant: unknown; expected key'],
    [{ key: 5 }, /^values\.key: expected/],
  ] as const) {
    const { status, body } = await give(app, 'ann', values);
    assert.equal(status, 400);
    if (typeof detail === 'string') assert.equal(body.detail, detail);
    else assert.match(String(body.detail), detail);
  }
  assert.equal(server.seen.length, seen);
  assert.equal((await give(app, 'ann', { key: keys.ann }, { server_id: 'nothing' })).status, 404);
  await app.add('plain', server.url);
  assert.equal((await give(app, 'ann', { key: keys.ann }, { server_id: 'plain' })).status, 409);
  assert.deepEqual(await connectionsOf(app, 'ann'), []);
});

test('M1 K6 keys rest sealed: neither log nor store, replies nor metrics show one', async (t) => {
  const { app } = await boot(t);
  await give(app, 'ann', { key: other });
  const given = await give(app, 'ann', { key: keys.ann });
  await app.tool('keyed', 'whoami', {}, { headers: await mitOf(app, 'ann') });
  const listed = await app.call('GET', '/v1/admin/connections');
  const trail = await app.call('GET', '/v1/admin/audit');
  const metrics = await app.call('GET', '/metrics');
  await app.close();
  const store = readFileSync(join(app.dataDir, 'mcprank.db'), 'latin1');
  for (const text of [given.text, listed.text, trail.text, metrics.text, app.lines.join('\n'), store])
    for (const key of [keys.ann, other]) assert.ok(!text.includes(key));
});

test('the connect page asks, tries, says why not, and completes the session; the call that was refused leads there', async (t) => {
  const { app } = await boot(t);
  const ann = await mitOf(app, 'ann');
  const { id, auth_url } = invitationOf(await app.tool('keyed', 'whoami', {}, { headers: ann }));
  const browser = createBrowser();
  const page = await browser.open(auth_url);
  assert.match(page.text, /<input name="value\.key" type="password"[^>]* required/);
  assert.match(page.text, /From your settings/);
  assert.match(page.headers.get('content-security-policy') ?? '', /form-action 'self'/);
  const elsewhere = await type(createBrowser(), page, { 'value.key': keys.ann });
  assert.equal(elsewhere.status, 400, 'F8 another browser than the one that was shown the page');
  const wrong = await type(browser, page, { 'value.key': other });
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /role="alert">The server did not take it/);
  assert.doesNotMatch(wrong.text, new RegExp(other));
  const right = await type(browser, wrong, { 'value.key': ` ${keys.ann} ` });
  assert.match(right.text, /is connected/);
  const session = await app.call('GET', `/v1/identity/sessions/${id}`);
  assert.deepEqual([session.body.status, session.body.granted_scopes], ['complete', []]);
  assert.equal(textOf(await app.tool('keyed', 'whoami', {}, { headers: ann })), `${keys.ann} at /mcp`);
  assert.equal((await type(browser, page, { 'value.key': keys.ann })).status, 409, 'a link is used once');
});

test('M1 K6 a key that is part of the URL is in no error and no line of the log, however its server fails', async (t) => {
  type Fail = (path: string, reply: ServerResponse) => unknown;
  let fail: Fail | null = null;
  const server = await startRaw(t, ({ body: { id }, path }, reply) => {
    const tools = [{ name: 'whoami', inputSchema: { type: 'object' } }];
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], content: [], tools };
    if (fail === null) sendJson(reply, 200, { jsonrpc: '2.0', id, result });
    else fail(path, reply);
  });
  const app = await bootMcp(t);
  await app.add('keyed', server.url.replace('/mcp', '/{key}/mcp'));
  assert.equal((await give(app, 'ann', { key: keys.ann })).status, 201);
  const headers = await mitOf(app, 'ann');
  assert.equal((await app.tool('keyed', 'whoami', {}, { headers })).status, 200);
  const fails: readonly Fail[] = [
    (path, reply) => reply.writeHead(301, { location: `${new URL(server.url).origin}${path}/` }).end(),
    (path, reply) => reply.writeHead(307, { location: `https://other.example${path}` }).end(),
    (path, reply) => sendJson(reply, 404, { error: `nothing at ${path}` }),
    (path, reply) => sendJson(reply, 500, { error: `failed at ${path}` }),
    (path, reply) => reply.writeHead(200, { 'content-type': 'text/html' }).end(path),
    (_path, reply) => reply.destroy(),
  ];
  for (const each of fails) {
    fail = each;
    const reply = await app.tool('keyed', 'whoami', {}, { headers });
    assert.equal(reply.status, 502);
    assert.doesNotMatch(reply.text, new RegExp(keys.ann));
  }
  assert.doesNotMatch(app.lines.join('\n'), new RegExp(keys.ann));
});

test('a try that nobody ended, as its process was killed, leaves the page open for another', async (t) => {
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
  const conduct: Parameters<typeof startKeyed>[1] = { hangs: asked };
  const { app } = await boot(t, conduct);
  const { auth_url, session_id } = (
    await app.call('POST', '/v1/identity/sessions', { body: { user_id: 'ann', server_id: 'keyed' } })
  ).body;
  const browser = createBrowser();
  const page = await browser.open(String(auth_url));
  const first = type(browser, page, { 'value.key': other }).catch(() => undefined);
  await isAsked;
  delete conduct.hangs;
  const again = await browser.open(String(auth_url));
  assert.equal(again.status, 200, again.text);
  assert.match((await type(browser, again, { 'value.key': keys.ann })).text, /is connected/);
  const session = await app.call('GET', `/v1/identity/sessions/${String(session_id)}`);
  assert.equal(session.body.status, 'complete');
  await app.close();
  await first;
});

test('a session takes so many wrong keys and no more', async (t) => {
  const { app } = await boot(t);
  const opened = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'ann', server_id: 'keyed' },
  });
  const browser = createBrowser();
  const page = await browser.open(String(opened.body.auth_url));
  for (let i = 0; i < 10; i++) assert.equal((await type(browser, page, { 'value.key': other })).status, 400);
  assert.match((await type(browser, page, { 'value.key': keys.ann })).text, /Too many keys/);
  const session = await app.call('GET', `/v1/identity/sessions/${String(opened.body.session_id)}`);
  assert.deepEqual([session.body.status, await connectionsOf(app, 'ann')], ['error', []]);
});

test('what is taken away is gone for the next call, at /me and by the API; another developer finds nothing', async (t) => {
  const { app } = await boot(t);
  const ann = await mitOf(app, 'ann');
  const call = () => app.tool('keyed', 'whoami', {}, { headers: ann });
  await give(app, 'ann', { key: keys.ann });
  assert.equal((await call()).status, 200);
  assert.equal(app.services.mcp.stats().upstreams, 1);
  const [kept] = await connectionsOf(app, 'ann');
  const stranger = await app.newKey();
  assert.deepEqual(await connectionsOf(app, 'ann', stranger), []);
  const theirs = await app.call('DELETE', `/v1/identity/connections/${kept?.id}`, { key: stranger });
  assert.equal(theirs.status, 404, 'G1');
  assert.equal((await app.call('DELETE', `/v1/identity/connections/${kept?.id}`)).status, 200);
  assert.equal(app.services.mcp.stats().upstreams, 0, 'its session ended');
  assert.equal((await call()).status, 403);

  await give(app, 'ann', { key: keys.ann });
  const browser = createBrowser();
  const me = await browser.follow(`${app.url}/me/sign-in`, {
    key: 'sk_mcp_rank_'.concat('a1'.repeat(16)),
    user_id: 'ann',
  });
  assert.match(me.text, /<h2>keyed<\/h2>[\s\S]*Your own key[\s\S]*Give another key for keyed/);
  const hidden = Object.fromEntries(
    [...(me.text.split('action="/me/disconnect"')[1] ?? '').matchAll(/name="(csrf|id)" value="([^"]*)"/g)]
      .slice(0, 2)
      .map(([, name = '', value = '']) => [name, value]),
  );
  assert.match((await browser.follow(`${app.url}/me/disconnect`, hidden)).text, /Nothing is connected/);
  assert.equal((await call()).status, 403);
});

test('a key that stops being taken is asked for anew; another one takes its place', async (t) => {
  const conduct: { taken?: readonly string[] } = {};
  const { app } = await boot(t, conduct);
  const ann = await mitOf(app, 'ann');
  const call = () => app.tool('keyed', 'whoami', {}, { headers: ann });
  await give(app, 'ann', { key: keys.ann });
  assert.equal((await call()).status, 200);
  conduct.taken = [other];
  const { auth_url } = invitationOf(await call());
  assert.equal((await states(app, ann))[0], 'needs_auth');
  const browser = createBrowser();
  await type(browser, await browser.open(auth_url), { 'value.key': other });
  assert.equal(textOf(await call()), `${other} at /mcp`);
  const own = await connectionsOf(app, 'ann');
  assert.deepEqual([own.length, own[0]?.status], [1, 'active']);
});

test('N4 N14 values of the URL lead each user to a place of their own, never elsewhere; a server that moved gets no key', async (t) => {
  const { app, server } = await boot(t);
  const template = server.url.replace('/mcp', '/t/{tenant}/mcp');
  const fields = { user_credentials: { headers: { Authorization: '{key}' } } };
  await app.add('keyed', template, fields);
  const ann = await mitOf(app, 'ann');
  const { auth_url } = invitationOf(await app.tool('keyed', 'whoami', {}, { headers: ann }));
  const page = await createBrowser().open(auth_url);
  assert.match(
    page.text,
    /<input name="value\.tenant" type="text"[\s\S]*<input name="value\.key" type="password"/,
  );
  const wrong = await give(app, 'ann', { key: keys.ann, tenant: '..' });
  assert.equal(wrong.body.detail, 'values.tenant: expected a part of a path');
  assert.equal((await give(app, 'ann', { key: keys.ann, tenant: 'a/../b' })).status, 201);
  const call = () => app.tool('keyed', 'whoami', {}, { headers: ann });
  assert.equal(textOf(await call()), `Bearer ${keys.ann} at /t/a%2F..%2Fb/mcp`);
  assert.equal((await app.tool('keyed', 'whoami')).status, 502, 'without a user there is nowhere to go');
  const seen = server.seen.length;
  await app.add('keyed', server.url.replace('/mcp', '/moved'), fields);
  assert.equal((await call()).status, 403);
  assert.ok(server.seen.slice(seen).every(({ headers }) => headers.authorization === undefined));
});

test('a server that wants a key and does not say where is asked in the usual place', async (t) => {
  const { app, server } = await boot(t);
  await app.add('keyed', server.url, { auth_type: 'api_key' });
  assert.equal((await give(app, 'ann', { api_key: keys.ann })).status, 201);
  const reply = await app.tool('keyed', 'whoami', {}, { headers: await mitOf(app, 'ann') });
  assert.equal(textOf(reply), `Bearer ${keys.ann} at /mcp`);
});

test('what apps confirm is held for keys as well; tokens are not imported where users bring keys', async (t) => {
  const { app } = await boot(t);
  const opened = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'ann', server_id: 'keyed', require_confirmation: true },
  });
  const browser = createBrowser();
  const page = await browser.open(String(opened.body.auth_url));
  for (let i = 0; i < 5; i++) await type(browser, page, { 'value.key': other });
  const done = await type(browser, page, {
    'value.key': keys.ann,
  });
  const [, completion_code = ''] = /class="code">([^<]+)</.exec(done.text) ?? [];
  assert.deepEqual(await connectionsOf(app, 'ann'), []);
  const confirmed = await app.call(
    'POST',
    `/v1/identity/sessions/${String(opened.body.session_id)}/confirm`,
    {
      body: { user_id: 'ann', completion_code },
    },
  );
  assert.equal(confirmed.body.status, 'complete', confirmed.text);
  assert.equal((await connectionsOf(app, 'ann')).length, 1);
  const imported = await app.call('POST', '/v1/admin/connections', {
    body: { user_id: 'bob', server_id: 'keyed', account: 'b', access_token: 'x' },
  });
  assert.match(String(imported.body.detail), /^server_id: users bring a key there/);
});

test('N14 what the operator’s own file names is not for users to type in', async () => {
  const probed: string[] = [];
  const tryKey = createTryKey({
    catalog: {
      get: async () => ({ remoteUrl: 'https://{host}/mcp', transport: 'streamable-http' }) as never,
    },
    locals: { get: () => undefined, trusts: (host, port) => host === '10.0.0.5' && port === 9000 },
    mcp: () => ({
      probeAddress: async ({ url }) => {
        probed.push(url);
        return { state: 'up', tools: [] } as never;
      },
    }),
  });
  const tried = async (url: string) => (await tryKey('s', { url, headers: {} }, undefined)).kind;
  assert.equal(await tried('http://10.0.0.5:9000/mcp'), 'refused');
  assert.equal(await tried('https://one.example/mcp'), 'taken');
  assert.deepEqual(probed, ['https://one.example/mcp']);
});
