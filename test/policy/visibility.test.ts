import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adminKey } from '../support/app.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { startToolServer } from '../support/mcp-servers.ts';

const tool = (name: string, description: string) => ({ name, description, inputSchema: { type: 'object' } });

/** The app with a server that is everybody's and one that carries the operator's credentials. */
async function boot(t: TestContext) {
  const app = await bootMcp(t);
  const upstream = await startToolServer(t, () => [
    tool('heliograph', 'Send light signals'),
    tool('abacus', 'Count beads'),
  ]);
  await app.add('own', upstream.url, {
    headers: { 'x-secret': 'of the operator' },
    description: 'Flashes mirrors',
    tools: [tool('heliograph', 'Send light signals by mirror')],
  });
  await app.add('shared', upstream.url, { description: 'Counts', tools: [tool('abacus', 'Count beads')] });
  await app.services.search.settled();
  return { app, upstream, key: await app.newKey() };
}

type Door = readonly [path: string, method?: string, body?: unknown];
const doors: readonly Door[] = [
  ['/v1/mcp/server?server_id=own'],
  ['/v1/servers/own'],
  ['/v1/servers/own/health'],
  ['/v1/mcp/tools/list', 'POST', { server_id: 'own' }],
  ['/v1/mcp/tools/call', 'POST', { server_id: 'own', name: 'heliograph' }],
  ['/v1/mcp/call', 'POST', { server_id: 'own', method: 'resources/list' }],
  ['/v1/mcp/call', 'POST', { server_id: 'own', method: 'tools/list' }],
  ['/v1/invocations', 'POST', { server_id: 'own', tool_name: 'heliograph', success: true }],
  ['/v1/identity/sessions', 'POST', { user_id: 'ann', server_id: 'own' }],
  ['/mcp/servers/own', 'POST', { jsonrpc: '2.0', id: 1, method: 'tools/list' }],
];

test('what the operator’s credentials stand behind is unknown to everybody else, at every door', async (t) => {
  const { app, upstream, key } = await boot(t);
  for (const [path, method = 'GET', body] of doors) {
    const unknown = await app.call(method, path.replace('own', 'never-there'), {
      key,
      ...(body !== undefined && { body: JSON.parse(JSON.stringify(body).replace('own', 'never-there')) }),
    });
    const hidden = await app.call(method, path, { key, ...(body !== undefined && { body }) });
    assert.deepEqual([hidden.status, hidden.text], [unknown.status, unknown.text], `${method} ${path}`);
    assert.equal(hidden.status, 404, path);
    const own = await app.call(method, path, { ...(body !== undefined && { body }) });
    assert.ok(own.status < 300 || path.includes('sessions'), `${path}: ${own.text}`);
  }
  const calls = upstream.seen.filter(({ body }) => body.method === 'tools/call');
  assert.ok(calls.length >= 1);
  assert.ok(calls.every(({ headers }) => headers['x-secret'] === 'of the operator'));
});

async function search(app: McpTestApp, key: string) {
  const { body } = await app.call('POST', '/v1/search', {
    key,
    body: { query: 'heliograph light signals mirror' },
  });
  const servers = body.servers as { id: string }[];
  const { total_candidates: total } = body.metadata as { total_candidates: number };
  return { ids: servers.map(({ id }) => id), total };
}

test('search, browsing, counts and /mcp neither show nor count it', async (t) => {
  const { app, key } = await boot(t);
  assert.deepEqual((await search(app, adminKey)).ids[0], 'own');
  const others = await search(app, key);
  assert.deepEqual([others.ids.includes('own'), others.total], [false, 1]);
  const page = await app.call('GET', '/v1/servers?limit=1', { key });
  assert.deepEqual(
    (page.body.servers as { id: string }[]).map(({ id }) => id),
    ['shared'],
  );
  assert.equal((await app.call('GET', '/v1/catalogue', { key })).body.servers, 1);
  assert.equal((await app.call('GET', '/v1/catalogue')).body.servers, 2);
  const list = await app.call('POST', '/mcp', { key, body: { jsonrpc: '2.0', id: 1, method: 'tools/list' } });
  assert.ok(list.text.includes('abacus') && !list.text.includes('heliograph'), list.text);
});

test('a grant shows it, and says whether the credentials go along; what is taken back is gone', async (t) => {
  const { app, upstream, key } = await boot(t);
  const rights = (body: unknown) => app.call('PUT', '/v1/admin/servers/own/rights', { body });
  const call = () => app.tool('own', 'heliograph', {}, { key });
  const granted = (credentials: boolean) => ({ granted: [{ developer: 'developer 1', credentials }] });
  assert.equal((await rights(granted(false))).status, 200);
  assert.equal((await call()).status, 200);
  assert.equal(upstream.seen.at(-1)?.headers['x-secret'], undefined);
  await rights(granted(true));
  assert.equal((await call()).status, 200);
  assert.equal(upstream.seen.at(-1)?.headers['x-secret'], 'of the operator');
  assert.equal((await search(app, key)).ids[0], 'own');
  await rights({ visibility: 'private' });
  assert.equal((await call()).status, 404);
  assert.equal((await search(app, key)).ids.includes('own'), false);
});

test('a server may be said to be private as it is added, and a fault says where', async (t) => {
  const { app, upstream, key } = await boot(t);
  await app.add('mine', upstream.url, { visibility: 'private', developer: 'developer 1' });
  assert.equal((await app.call('GET', '/v1/servers/mine', { key })).status, 200);
  assert.equal((await app.call('GET', '/v1/servers/mine')).status, 404);
  const wrong = await app.call('POST', '/v1/admin/servers', {
    body: [{ id: 'a', name: 'a', remote_url: upstream.url, granted: [{ developer: 7 }] }],
  });
  assert.equal(wrong.status, 400);
  assert.match(String(wrong.body.detail), /^\[0\]\.granted\[0\]\.developer: expected/);
});
