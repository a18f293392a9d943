import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { newLogId } from '../../src/base/id.ts';
import type { Env } from '../../src/config.ts';
import { bootApp, newDataDir } from '../support/app.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { mitOf } from '../support/mcp-oauth.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { engines } from '../support/stores.ts';

type Call = Record<string, string | number | null>;
const secret = 'a very private argument';

async function boot(t: TestContext, env: Env = {}): Promise<{ app: McpTestApp; key: string }> {
  const app = await bootMcp(t, {}, env);
  const upstream = await startRaw(t, ({ body }, reply) => {
    const isError = (body as { params?: { name?: string } }).params?.name === 'fails';
    sendJson(reply, 200, {
      jsonrpc: '2.0',
      id: body.id,
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        content: [{ type: 'text', text: secret }],
        isError,
        tools: [],
      },
    });
  });
  const tools = ['works', 'fails', 'hidden'].map((name) => ({ name, inputSchema: { type: 'object' } }));
  await app.add('s', upstream.url, { tools });
  return { app, key: await app.newKey() };
}

async function calls(app: McpTestApp, query = ''): Promise<Call[]> {
  const { body, text } = await app.call('GET', `/v1/admin/calls${query}`);
  assert.ok(Array.isArray(body.calls), text);
  assert.ok(!text.includes(secret), 'no argument and no result is in the record');
  return body.calls as Call[];
}

test('every tools/call is in the record: who, for whom, what, by which rule, with what end; newest first', async (t) => {
  const { app, key } = await boot(t);
  const ann = await mitOf(app, 'ann');
  await app.tool('s', 'works', { text: secret }, { headers: ann });
  await app.tool('s', 'fails', {}, { key });
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'works', arguments: {} } };
  await app.call('POST', '/mcp/servers/s', { key, body: message });
  await app.call('PUT', '/v1/admin/toolsets/few', {
    body: { rules: [{ effect: 'deny', tool: 'hidden' }], default: 'allow' },
  });
  await app.call('PUT', '/v1/admin/toolsets/few/bindings', { body: { developers: ['developer 1'] } });
  await app.tool('s', 'hidden', { text: secret }, { key });
  await app.tool('s', 'works', {}, { key });
  const found = await calls(app);
  assert.deepEqual(
    found.map(({ tool, outcome, user_id, toolset }) => [tool, outcome, user_id, toolset]),
    [
      ['works', 'ok', null, null],
      ['hidden', 'denied', null, 'few'],
      ['works', 'ok', null, null],
      ['fails', 'other', null, null],
      ['works', 'ok', 'ann', null],
    ],
  );
  const [, , , , first] = found;
  assert.match(String(first?.arguments_digest), /^[0-9a-f]{64}$/);
  assert.match(String(first?.definition), /^[0-9a-f]{64}$/);
  assert.ok(
    Number(first?.reply_bytes) > 0 && Number(first?.request_bytes) > 0 && Number(first?.latency_ms) > 0,
  );
});

test('it is filtered, paged, exported line by line, and a user is forgotten in it', async (t) => {
  const { app, key } = await boot(t);
  const ann = await mitOf(app, 'ann');
  for (let i = 0; i < 3; i++) await app.tool('s', 'works', {}, { headers: ann });
  await app.tool('s', 'fails', {}, { key });
  assert.equal((await calls(app, '?user_id=ann')).length, 3);
  assert.equal((await calls(app, '?developer=developer%201')).length, 1);
  assert.equal((await calls(app, '?outcome=other&tool=fails&server_id=s')).length, 1);
  assert.equal((await calls(app, '?to=2020-01-01T00:00:00Z')).length, 0);
  const page = await app.call('GET', '/v1/admin/calls?limit=3');
  const rest = await calls(app, `?limit=3&cursor=${page.body.next_cursor}`);
  assert.equal(rest.length, 1);
  const lines = await app.call('GET', '/v1/admin/calls', { headers: { accept: 'application/jsonl' } });
  assert.equal(
    lines.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Call).length,
    4,
  );
  const wrong = await app.call('GET', '/v1/admin/calls?from=yesterday');
  assert.match(String(wrong.body.detail), /^from: expected a time/);
  for (const path of ['/v1/admin/calls', '/v1/admin/connections'])
    assert.equal((await app.call('GET', `${path}?user_id=%20`)).status, 400, 'one rule for user_id');
  const forgotten = await app.call('DELETE', '/v1/admin/calls?developer=admin&user_id=ann');
  assert.deepEqual(forgotten.body, { forgotten: 3 });
  assert.equal((await calls(app, '?user_id=ann')).length, 0);
  assert.equal((await calls(app)).length, 4);
});

test('what is kept of arguments is the operator’s to say: a digest, that and their shape without any value, or nothing', async (t) => {
  for (const [keeps, digest, masked] of [
    ['digest', /^[0-9a-f]{64}$/, 'null'],
    ['masked', /^[0-9a-f]{64}$/, '{"text":"text(23)","amount":"number","text(15) #3":["boolean",null]}'],
    ['off', /^null$/, 'null'],
  ] as const) {
    const { app } = await boot(t, { MCPRANK_CALL_ARGUMENTS: keeps });
    const ann = await mitOf(app, 'ann');
    const sent = { text: secret, amount: 4711, 'ann@example.com': [true, null] };
    await app.tool('s', 'works', sent, { headers: ann });
    const kept = async () => {
      const [call] = await calls(app);
      return [String(call?.arguments_digest), String(call?.arguments_masked)] as const;
    };
    assert.match((await kept())[0], digest);
    assert.equal((await kept())[1], masked);
    await app.call('DELETE', '/v1/admin/calls?developer=admin&user_id=ann');
    assert.deepEqual(await kept(), ['null', 'null']);
    await app.close();
  }
});

for (const engine of engines)
  test(`${engine.name}: the record outlives a restart and is bounded in age`, {
    skip: engine.skip,
  }, async (t) => {
    const env = await engine.environment(t);
    const app = await bootApp(t, env);
    const entry = {
      developer_id: 'dev_a',
      key_id: 'key_a',
      user_id: null,
      server_id: 's',
      tool: 'x',
      definition: null,
      toolset: null,
      outcome: 'ok',
      latency_ms: 1,
      request_bytes: 2,
      reply_bytes: 3,
      arguments_digest: null,
      arguments_masked: null,
    } as const;
    for (let i = 0; i < 200; i++) app.services.callLog.record(entry);
    await app.close();
    const again = await bootApp(t, env);
    const found = await again.services.callLog.read({ limit: 1_000 });
    assert.equal(found.length, 200);
    assert.deepEqual(
      found.map(({ id }) => id),
      found
        .map(({ id }) => id)
        .toSorted()
        .reverse(),
    );
    await again.services.callLog.prune();
    assert.equal((await again.services.callLog.read({ limit: 1_000 })).length, 200);
    await again.close();
    const later = await bootApp(t, env, {
      clock: { now: () => Date.now() + 91 * 86_400_000, monotonic: () => performance.now() },
    });
    await later.services.callLog.prune();
    assert.equal((await later.services.callLog.read({ limit: 1_000 })).length, 0);
  });

test('a start takes in what a killed process left, once', async (t) => {
  const dataDir = await newDataDir(t);
  const entry = {
    id: newLogId('call', Date.now()),
    at: Date.now(),
    developer_id: 'dev_a',
    key_id: 'key_a',
    user_id: 'ann',
    server_id: 's',
    tool: 'x',
    outcome: 'ok',
    latency_ms: 1,
    request_bytes: 2,
    reply_bytes: 3,
  };
  const head = JSON.stringify({ owner: { pid: 1, started: 'another boot 1' } });
  const leave = (name: string) => writeFileSync(join(dataDir, name), `${head}\n${JSON.stringify(entry)}\n`);
  leave('calls-own_0a.journal');
  leave('calls-own_0b.journal');
  const app = await bootMcp(t, {}, { MCPRANK_DATA_DIR: dataDir });
  const [kept, ...more] = await calls(app);
  assert.deepEqual([kept?.id, kept?.user_id, kept?.definition, more.length], [entry.id, 'ann', null, 0]);
  assert.deepEqual(
    readdirSync(dataDir).filter((name) => name.endsWith('.journal')),
    [],
  );
});

test('a call is in the file before its reply leaves, by whatever door', async (t) => {
  const dataDir = await newDataDir(t);
  const { app, key } = await boot(t, { MCPRANK_DATA_DIR: dataDir });
  const written = () =>
    readdirSync(dataDir)
      .filter((name) => name.endsWith('.journal'))
      .map((name) => readFileSync(join(dataDir, name), 'utf8'))
      .join('');
  const seen: boolean[] = [];
  const { end } = ServerResponse.prototype;
  t.mock.method(ServerResponse.prototype, 'end', function (this: ServerResponse, ...args: unknown[]) {
    if (/^\/(v1\/mcp|mcp)\//.test(this.req.url ?? '')) seen.push(written().includes(`"tool":"works"`));
    return Reflect.apply(end, this, args);
  });
  await app.tool('s', 'works', {}, { key });
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'works', arguments: {} } };
  await app.call('POST', '/mcp/servers/s', { key, body: message });
  assert.deepEqual(seen, [true, true]);
});
