import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Route } from '../../src/http/route.ts';
import { bootApp, type TestApp, type TestReply } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';

/** A path of the route with ids that exist nowhere. */
function pathOf(route: Route): string {
  const query = route.url === '/v1/mcp/server' ? '?server_id=nowhere' : '';
  return route.url.replace(/:[a-z_]+/g, 'nowhere') + query;
}

/** What holds for every failed reply. */
function assertFault(reply: TestReply, status: number, route: Route): void {
  const name = `${route.method} ${route.url}`;
  assert.equal(reply.status, status, `${name}: ${reply.text}`);
  const { detail } = reply.body as { detail?: unknown };
  assert.ok(
    status === 403
      ? typeof (detail as { code?: unknown }).code === 'string'
      : typeof detail === 'string' && detail.length > 0,
    `${name}: ${reply.text}`,
  );
  assertDressed(reply, name);
  assert.doesNotMatch(reply.text, /\bat \w+.*\.ts|node:internal|node_modules/, `${name} shows a stack`);
}

/** Where JSON-RPC is spoken, its own faults are answered in its own words (contract B): 400 at /mcp, 200 at /v1/mcp/call. */
function isRpcFault(reply: TestReply, route: Route): boolean {
  const { error } = reply.body as { error?: { code: number; message: string } };
  if (error === undefined) return false;
  const name = `${route.method} ${route.url}`;
  assert.equal(reply.status, route.url.startsWith('/mcp') ? 400 : 200, `${name}: ${reply.text}`);
  assert.ok([-32700, -32600, -32602].includes(error.code) && error.message.length > 5, reply.text);
  assertDressed(reply, name);
  return route.url.startsWith('/mcp') || route.url === '/v1/mcp/call';
}

/** What OAuth's clients ask answers in OAuth's words: JSON with `error`, or a page at `/authorize`. */
function isOAuth({ url }: Route): boolean {
  return /^\/(authorize|token|register|revoke|introspect)\b/.test(url);
}

/** Says the same of every name, so that nobody learns which there are. */
function isForAnyName({ url }: Route): boolean {
  return /:name\/\.well-known\//.test(url);
}

function assertDressed(reply: TestReply, name: string): void {
  assert.match(reply.headers.get('x-request-id') ?? '', /^req_/, name);
  assert.match(reply.headers.get('server-timing') ?? '', /^total;dur=/, name);
}

async function boot(t: TestContext): Promise<TestApp> {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
  return app;
}

/** What a browser sees on its way through a consent: HTML, and its links are known to whoever was given them. */
function isPage({ url }: Route): boolean {
  return /^\/v1\/identity\/(connect|callback)\/|^\/(sign-in|me)\b/.test(url);
}

test('every route with a scope: no key 401, a bad key 401, a key without the scope 403', async (t) => {
  let app = await boot(t);
  let count = 0;
  for (const route of app.routes.filter(({ scope }) => scope !== null)) {
    // An address may try so many bad keys, and no more.
    if (++count % 10 === 0) app = await boot(t);
    const others = ['search', 'invocations', 'identity', 'mcp', 'admin'].filter(
      (scope) => scope !== route.scope,
    );
    const key = await app.newKey({ scopes: others });
    const body = route.body === undefined ? undefined : {};
    assertFault(await app.call(route.method, pathOf(route), { key: null, body }), 401, route);
    assertFault(
      await app.call(route.method, pathOf(route), { key: `sk_mcp_rank_${'0'.repeat(32)}`, body }),
      401,
      route,
    );
    assertFault(await app.call(route.method, pathOf(route), { key: 'not a key', body }), 401, route);
    const refused = await app.call(route.method, pathOf(route), { key, body });
    assertFault(refused, 403, route);
    assert.equal((refused.body.detail as { code: string }).code, 'missing_scope');
  }
});

test('every route that acts for a user: whatever stands in Authorization and is no MIT is 403 invalid_token', async (t) => {
  const app = await boot(t);
  const acting = app.routes.filter(({ user }) => user !== undefined);
  assert.ok(acting.length > 0);
  for (const route of acting) {
    const body = route.body === undefined ? undefined : {};
    for (const authorization of [
      'Bearer a.b.c',
      'Bearer x',
      'Basic eDp5',
      'x',
      `Bearer ${'x'.repeat(8_000)}`,
    ]) {
      const reply = await app.call(route.method, pathOf(route), { body, headers: { authorization } });
      assertFault(reply, route.challenge ? 401 : 403, route);
      const { detail, code } = reply.body as { detail: { code?: string }; code?: string };
      assert.equal(detail.code ?? code, 'invalid_token');
      assert.match(reply.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
    }
    const alone = await app.call(route.method, pathOf(route), { body });
    if (route.user === 'required') assertFault(alone, 403, route);
    else assert.notEqual(alone.status, 403, route.url);
    // A MIT is no API key.
    const made = await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' } });
    const headers = { authorization: `Bearer ${made.body.access_token}` };
    assertFault(await app.call(route.method, pathOf(route), { key: null, body, headers }), 401, route);
  }
});

const junk: readonly (readonly [what: string, body: string, headers?: Record<string, string>])[] = [
  ['no JSON', '{"query":'],
  ['no object', '"text"'],
  ['unknown field', '{"zzz":1}'],
  ['deep nesting', `{"query":${'['.repeat(100)}${']'.repeat(100)}}`],
  ['NUL', '{"query":"a\\u0000b","server_id":"a\\u0000","developer":"a\\u0000"}'],
  ['a lone surrogate', '{"query":"\\ud800","server_id":"\\ud800","developer":"\\ud800"}'],
  ['more than 1 MB', `{"query":"${'x'.repeat(1_100_000)}"}`],
  ['nothing', ''],
  ['form fields', 'query=x', { 'content-type': 'application/x-www-form-urlencoded' }],
];

test('every route with a body: junk of every kind is 400 in words', async (t) => {
  const app = await boot(t);
  for (const route of app.routes.filter(({ body }) => body !== undefined)) {
    for (const [what, body, headers = {}] of junk) {
      const reply = await app.call(route.method, pathOf(route), { body, headers });
      // Where it goes is found out before what it says.
      if (isOAuth(route)) {
        assert.equal(reply.status, 400, `${route.url} with ${what}: ${reply.text}`);
        continue;
      }
      // A person reads it.
      if (isPage(route)) {
        assert.equal(reply.status, 400, `${route.url} with ${what}: ${reply.text}`);
        assert.match(reply.text, /^<!doctype html>[\s\S]*role="alert"/, route.url);
        continue;
      }
      if (isRpcFault(reply, route) || (route.rawBody === true && reply.status === 404)) continue;
      assertFault(reply, 400, route);
      assert.match(
        String(reply.body.detail),
        /^[a-z_.[\]0-9-]+: |^body: |must not/i,
        `${route.url} with ${what}: ${reply.text}`,
      );
    }
  }
});

test('every route with a scope: over the limit is 429 with Retry-After, and the reply says the limit', async (t) => {
  const app = await bootApp(t, {
    MCPRANK_STARTER: 'off',
    MCPRANK_TIERS: 'free=100,tiny=1,enterprise=100000',
  });
  for (const route of app.routes.filter(({ scope }) => scope !== null)) {
    const key = await app.newKey({ tier: 'tiny', scopes: [route.scope] });
    const first = await app.call(route.method, pathOf(route), {
      key,
      body: route.body === undefined ? undefined : {},
    });
    assert.notEqual(first.status, 429);
    assert.equal(first.headers.get('ratelimit-limit'), '1');
    assert.equal(first.headers.get('ratelimit-remaining'), '0');
    const second = await app.call(route.method, pathOf(route), {
      key,
      body: route.body === undefined ? undefined : {},
    });
    assertFault(second, 429, route);
    assert.ok(Number(second.headers.get('retry-after')) >= 1);
    assert.ok(Number(second.headers.get('ratelimit-reset')) >= 1);
  }
});

test('every public route answers without a key, dressed like the others', async (t) => {
  const app = await boot(t);
  await app.services.search.settled();
  for (const route of app.routes.filter(({ scope }) => scope === null)) {
    const reply = await app.call(route.method, pathOf(route), { key: null });
    assertDressed(reply, route.url);
    if (isOAuth(route)) {
      assert.equal(reply.status, 400, `${route.url}: ${reply.text}`);
      continue;
    }
    if (isPage(route)) {
      assert.match(reply.text, /^<!doctype html>/, route.url);
      continue;
    }
    // Where the path names something, that something is nowhere; where a body is wanted, there is none.
    const expected =
      route.params !== undefined && !isForAnyName(route) ? 404 : route.body !== undefined ? 400 : 200;
    assert.equal(reply.status, expected, `${route.url}: ${reply.text}`);
  }
});

test('a path that does not exist is 404, one under another method is 405 and names the right one', async (t) => {
  const app = await boot(t);
  const lost = await app.call('GET', '/v1/nothing');
  assert.deepEqual([lost.status, lost.body], [404, { detail: 'Not found', code: 'not_found' }]);
  const other = await app.call('GET', '/v1/search');
  assert.deepEqual([other.status, other.body.detail], [405, 'GET is not offered here; expected POST']);
  assert.equal(other.headers.get('allow'), 'POST');
  assertDressed(lost, 'lost');
});

test('a content type without a body is no fault where no body is wanted', async (t) => {
  const app = await boot(t);
  const reply = await app.call('DELETE', '/v1/admin/servers/bare', {
    headers: { 'content-type': 'application/json' },
  });
  assert.deepEqual([reply.status, reply.body], [200, { id: 'bare', deleted: true }]);
});

/** A body that is right, for the routes that want an id and a body. */
const bodies: Readonly<Record<string, unknown>> = {
  'POST /v1/identity/sessions/:id/confirm': { user_id: 'ann', completion_code: 'BCDF-GHJK' },
  'PUT /v1/admin/apps/:id': { return_urls: [] },
  'PATCH /v1/admin/servers/:id': { name: 'other' },
  'PUT /v1/admin/servers/:id/rights': { visibility: 'private' },
  'PUT /v1/admin/servers/:id/confirmed': { tools: [] },
  'PUT /v1/admin/toolsets/:name/bindings': { keys: [] },
  'POST /v1/admin/approvals/:id': { decision: 'approve' },
  'POST /mcp/t/:name': { jsonrpc: '2.0', id: 1, method: 'ping' },
  'POST /mcp/servers/:id': { jsonrpc: '2.0', id: 1, method: 'ping' },
};

test('an id that exists nowhere is 404 on every route that takes one', async (t) => {
  const app = await boot(t);
  const issued = await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' } });
  const mit = String(issued.body.access_token);
  // A toolset is made by its name.
  const makes = new Set(['PUT /v1/admin/toolsets/:name']);
  const named = app.routes.filter(
    ({ url, method }) => url.includes(':') || (url === '/v1/mcp/server' && method === 'GET'),
  );
  for (const route of named.filter(({ method, url }) => !makes.has(`${method} ${url}`))) {
    const body = bodies[`${route.method} ${route.url}`];
    const headers = route.user === 'required' ? { authorization: `Bearer ${mit}` } : {};
    const sent = body === undefined ? { headers } : { headers, body };
    const query = route.url.endsWith('/preview') ? '?key_id=key_x' : '';
    if (isPage(route) || isOAuth(route) || isForAnyName(route)) continue;
    assertFault(await app.call(route.method, pathOf(route) + query, sent), 404, route);
  }
});
