import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminKey } from '../support/app.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { sendJson, startRaw, startToolServer } from '../support/mcp-servers.ts';

type Cell = { calls: number; caller_faults: number; server_faults: number };

/** A live stream; `next` is its next event. */
async function look(app: McpTestApp, key = adminKey, query = '') {
  const abort = new AbortController();
  const reply = await fetch(`${app.url}/v1/admin/activity/live${query}`, {
    headers: { 'x-api-key': key },
    signal: abort.signal,
  });
  const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  return {
    status: reply.status,
    async next(): Promise<Record<string, unknown> | null> {
      for (;;) {
        const [, text] = /^data: (.*)\n\n/m.exec(rest) ?? [];
        if (text !== undefined) {
          rest = rest.slice(rest.indexOf(text) + text.length);
          return JSON.parse(text) as Record<string, unknown>;
        }
        const { done, value = '' } = (await reader?.read().catch(() => undefined)) ?? { done: true };
        if (done) return null;
        rest += value;
      }
    },
    leave: () => abort.abort(),
  };
}

test('whose fault a call was is told apart: its caller’s, its server’s, and hour by hour', async (t) => {
  const app = await bootMcp(t);
  const good = await startToolServer(t, () => [
    { name: 'x', description: 'x', inputSchema: { type: 'object' } },
  ]);
  const bad = await startRaw(t, (_seen, reply) => sendJson(reply, 500, {}));
  await app.add('good', good.url, { tools: [{ name: 'x', description: 'x' }] });
  await app.add('bad', bad.url, { tools: [{ name: 'x', description: 'x' }] });
  await app.call('PUT', '/v1/admin/toolsets/none', { body: { rules: [{ effect: 'deny', server: 'good' }] } });
  const key = await app.newKey({ developer: 'Denied' });
  for (let i = 0; i < 3; i++) await app.tool('good', 'x');
  await app.call('PUT', '/v1/admin/toolsets/none/bindings', { body: { developers: ['Denied'] } });
  await app.tool('good', 'x', {}, { key });
  await app.tool('bad', 'x');
  const { body } = await app.call('GET', '/v1/admin/activity');
  const faults = Object.fromEntries(
    (body.outcomes as { outcome: string; fault: string | null; calls: number }[]).map(
      ({ outcome, fault, calls }) => [outcome, [fault, calls]],
    ),
  );
  assert.deepEqual(faults.ok, [null, 3]);
  assert.deepEqual(faults.server ?? faults.timeout, ['server', 1]);
  const day = Object.fromEntries(
    (body.day as { server_id: string; hours: Cell[] }[]).map(({ server_id: id, hours }) => {
      const sum = (name: keyof Cell) => hours.reduce((n, hour) => n + hour[name], 0);
      return [id, [hours.length, sum('calls'), sum('caller_faults'), sum('server_faults')]];
    }),
  );
  assert.deepEqual(day.bad, [24, 1, 0, 1]);
  assert.deepEqual(day.good, [24, 4, 1, 0]);
  assert.deepEqual(faults.denied, ['caller', 1]);
  const total = body.total as Record<string, number>;
  assert.deepEqual([total.upstream_errors, total.server_errors], [1, 0]);
});

test('arguments that the server refuses (-32602) are their caller’s fault in every count; its other errors are its own', async (t) => {
  const app = await bootMcp(t);
  const codes: Record<string, number> = { wrong: -32602, broken: -32603 };
  const server = await startRaw(t, ({ body: { id, method, params } }, reply) => {
    if (method === 'server/discover')
      return sendJson(reply, 200, {
        jsonrpc: '2.0',
        id,
        result: { resultType: 'complete', supportedVersions: ['2026-07-28'] },
      });
    const code = codes[String(params?.name)];
    const answer =
      code === undefined ? { result: { content: [] } } : { error: { code, message: 'no such argument' } };
    return sendJson(reply, 200, { jsonrpc: '2.0', id, ...answer });
  });
  await app.add('it', server.url, { tools: ['wrong', 'broken', 'good'].map((name) => ({ name })) });
  for (const tool of ['wrong', 'wrong', 'broken', 'good']) await app.tool('it', tool);
  await app.services.mcp.close();
  await app.services.catalog.flush();
  const { body } = await app.call('GET', '/v1/admin/activity');
  const total = body.total as Record<string, number>;
  assert.deepEqual([total.client_errors, total.upstream_errors, total.server_errors], [2, 1, 0]);
  const [used] = body.servers as Record<string, number>[];
  assert.deepEqual([used?.calls, used?.successes, used?.caller_faults], [4, 1, 2]);
  const [drawn] = body.success as { steps: Record<string, number>[] }[];
  const drawnFaults = drawn?.steps.reduce((n, { caller_faults: faults = 0 }) => n + faults, 0);
  assert.equal(drawnFaults, 2);
  const outcomes = body.outcomes as { outcome: string; fault: string; calls: number }[];
  assert.deepEqual(
    outcomes.filter(({ fault }) => fault === 'caller').map(({ outcome, calls }) => [outcome, calls]),
    [['invalid_arguments', 2]],
  );
});

test('live activity is bounded in number, and ends with its right', async (t) => {
  const app = await bootMcp(t);
  const key = await app.newKey({ scopes: ['admin'] });
  const streams = await Promise.all([1, 2, 3, 4].map(() => look(app, key, '?window=24h')));
  for (const stream of streams) assert.equal((await stream.next())?.window, '24h');
  assert.equal((await look(app, key)).status, 429, 'a fifth of the same key');
  const other = await look(app);
  assert.equal((await other.next())?.window, '1h');
  streams[0]?.leave();
  for (let tries = 0; tries < 200 && (await look(app, key)).status !== 200; tries++);
  const keys = (await app.call('GET', '/v1/admin/keys')).body.keys as { key_id: string; scopes: string[] }[];
  const id = keys.find(({ scopes }) => scopes.length === 1)?.key_id;
  await app.call('DELETE', `/v1/admin/keys/${id}`);
  for (const stream of streams.slice(1)) while ((await stream.next()) !== null);
  other.leave();
  for (const refused of [await app.newKey(), await app.newKey({ scopes: ['search'] })])
    assert.equal((await look(app, refused)).status, 403);
});
