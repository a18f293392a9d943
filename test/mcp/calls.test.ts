import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { bootMcp } from '../support/mcp-app.ts';
import { imitate, imitations } from '../support/mcp-imitations.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';

const [everything] = imitations;
assert.ok(everything !== undefined);

test('Idempotency-Key: one execution for a key, whoever is first and however often; another body is a conflict', async (t) => {
  const app = await bootMcp(t);
  const upstream = await imitate(t, everything);
  await app.add('it', upstream.url);
  const headers = { 'idempotency-key': 'order-1' };
  const replies = await Promise.all([1, 2, 3].map(() => app.tool('it', 'count', {}, { headers })));
  assert.deepEqual(new Set(replies.map(({ text }) => text)).size, 1);
  assert.equal(upstream.runs(), 1);
  const other = await app.tool('it', 'count', { a: 1 }, { headers });
  assert.deepEqual([other.status, other.body.code], [409, 'conflict']);
  await app.tool('it', 'count', {}, { headers, key: await app.newKey() });
  assert.equal(upstream.runs(), 2);
  const odd = await app.tool('it', 'count', {}, { headers: { 'idempotency-key': 'with space' } });
  assert.match(String(odd.body.detail), /^idempotency-key: /);
});

test('Idempotency-Key: what surely did not run may be tried again, what may have run is not', async (t) => {
  const app = await bootMcp(t);
  let mode: 'refuse' | 'break' | 'answer' = 'refuse';
  let runs = 0;
  const upstream = await startRaw(t, ({ body }, reply, socket) => {
    const { id, method } = body;
    if (method === 'server/discover')
      return sendJson(reply, 200, {
        jsonrpc: '2.0',
        id,
        result: { resultType: 'complete', supportedVersions: ['2026-07-28'] },
      });
    if (mode === 'refuse') return reply.writeHead(429).end();
    runs++;
    if (mode === 'break') return socket.destroy();
    return sendJson(reply, 200, { jsonrpc: '2.0', id, result: { resultType: 'complete', content: [] } });
  });
  await app.add('it', upstream.url);
  const call = (key: string) => app.tool('it', 'x', {}, { headers: { 'idempotency-key': key } });
  assert.equal((await call('a')).status, 502);
  mode = 'answer';
  assert.equal((await call('a')).status, 200);
  mode = 'break';
  const broken = await call('b');
  assert.equal(broken.status, 502);
  mode = 'answer';
  assert.equal((await call('b')).text, broken.text);
  assert.equal(runs, 2);
});

test('a call that broke after it was sent is not sent again; one that only reads is, once', async (t) => {
  const app = await bootMcp(t);
  let breaks = 0;
  const upstream = await imitate(t, everything, ({ body }, reply) => {
    if (breaks === 0 || !['tools/call', 'resources/list', 'tools/list'].includes(body.method ?? ''))
      return false;
    if (body.params?._meta !== undefined) return false;
    breaks--;
    reply.socket?.destroy();
    return true;
  });
  await app.add('it', upstream.url);
  await app.tool('it', 'count');
  breaks = 1;
  assert.equal((await app.tool('it', 'count')).status, 502);
  assert.equal(upstream.runs(), 1);
  breaks = 1;
  assert.equal((await app.list('it')).status, 200);
  assert.equal(breaks, 0);
});

test('what comes of every tools/call is recorded by itself, and an unknown tool does not break the call', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startRaw(t, ({ body }, reply) => {
    const { id, method, params } = body;
    if (method === 'server/discover')
      return sendJson(reply, 200, {
        jsonrpc: '2.0',
        id,
        result: { resultType: 'complete', supportedVersions: ['2026-07-28'] },
      });
    const answers: Record<string, unknown> = {
      good: { result: { content: [] } },
      bad: { result: { content: [], isError: true } },
      wrong: { error: { code: -32602, message: 'no such argument' } },
      unknown: { result: { content: [] } },
    };
    if (params?.name === 'denied') return reply.writeHead(401).end();
    return sendJson(reply, 200, { jsonrpc: '2.0', id, ...(answers[String(params?.name)] as object) });
  });
  const tools = ['good', 'bad', 'wrong', 'denied'].map((name) => ({ name, inputSchema: { type: 'object' } }));
  await app.add('it', upstream.url, { tools });
  const body = { server_id: 'it', name: 'good', query_log_id: 'ql_1' };
  assert.equal((await app.call('POST', '/v1/mcp/tools/call', { body })).status, 200);
  assert.equal((await app.tool('it', 'bad')).body.isError, true);
  const wrong = await app.tool('it', 'wrong');
  assert.deepEqual([wrong.status, wrong.body.detail], [502, 'Tool call failed: no such argument']);
  const rpc = await app.rpc('it', 'tools/call', { name: 'wrong' });
  assert.deepEqual(rpc.body.error, { code: -32602, message: 'no such argument' });
  assert.equal((await app.tool('it', 'denied')).status, 502);
  assert.equal((await app.tool('it', 'unknown')).status, 200);

  await app.services.mcp.close();
  await app.services.catalog.flush();
  const store = new DatabaseSync(join(app.dataDir, 'mcprank.db'), { readOnly: true });
  const rows = store
    .prepare(
      `select tool_name, success, error_type, query_log_id, sum(calls) from invocations where latency_ms > 0
       group by tool_name, success, error_type, query_log_id`,
    )
    .all();
  store.close();
  const recorded = rows.map((row) => Object.values(row).join(' '));
  assert.deepEqual(recorded.sort(), [
    'bad 0 other  1',
    'denied 0 auth  1',
    'good 1  ql_1 1',
    'wrong 0 invalid_arguments  2',
  ]);
});

test('unknown servers are 404 and removed ones 410, on all three routes', async (t) => {
  const app = await bootMcp(t);
  await app.add('gone', 'https://gone.example/mcp');
  await app.call('DELETE', '/v1/admin/servers/gone');
  for (const [id, status] of [
    ['nowhere', 404],
    ['gone', 410],
  ] as const) {
    assert.equal((await app.list(id)).status, status);
    assert.equal((await app.tool(id, 'x')).status, status);
    assert.equal((await app.rpc(id, 'tools/list')).status, status);
  }
});

test('a blocked address and an unreachable one read the same, and a local program cannot be called from afar', async (t) => {
  const app = await bootMcp(t);
  // As an import brings it; the admin's own route refuses it.
  await app.put('private', 'https://10.0.0.1:8443/mcp');
  await app.add('nowhere', 'https://does-not-exist.invalid/mcp');
  await app.call('POST', '/v1/admin/servers', { body: { id: 'local', name: 'local', transport: 'stdio' } });
  const blocked = await app.tool('private', 'x');
  assert.deepEqual(
    [blocked.status, blocked.body.detail],
    [502, 'Tool call failed: 10.0.0.1:8443 cannot be reached'],
  );
  const away = await app.tool('nowhere', 'x');
  assert.deepEqual(
    [away.status, away.body.detail],
    [502, 'Tool call failed: does-not-exist.invalid cannot be reached'],
  );
  assert.match(String((await app.tool('local', 'x')).body.detail), /--mcp-config/);
});
