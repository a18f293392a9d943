import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { handClock } from '../support/app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { engines } from '../support/stores.ts';

const tools = ['one', 'two'].map((name) => ({
  name,
  description: `Does ${name}`,
  inputSchema: { type: 'object' },
}));

async function boot(t: TestContext, env: Record<string, string> = {}) {
  // Noon, so that no day ends in the middle.
  const clock = handClock(Date.UTC(2026, 0, 1, 12));
  const app = await bootMcp(t, { clock }, env);
  const upstream = await startRaw(t, ({ body }, reply) =>
    sendJson(reply, 200, {
      jsonrpc: '2.0',
      id: body.id,
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        content: [{ type: 'text', text: 'x'.repeat(900) }],
        tools,
      },
    }),
  );
  await app.add('s', upstream.url, { tools });
  const key = await app.newKey();
  const put = (body: object) =>
    app.call('PUT', '/v1/admin/toolsets/set', { body: { rules: [], default: 'allow', ...body } });
  await put({});
  await app.call('PUT', '/v1/admin/toolsets/set/bindings', { body: { developers: ['developer 1'] } });
  return { app, clock, key, put };
}

for (const engine of engines)
  test(`${engine.name}: a budget is so many calls of a tool a day for each user, over all processes`, {
    skip: engine.skip,
  }, async (t) => {
    const env = await engine.environment(t);
    const { app, clock, key, put } = await boot(t, env);
    const other = await bootMcp(t, { clock }, env);
    const saved = await put({ budget: { calls_per_day: 3 } });
    assert.deepEqual(saved.body.budget, { calls_per_day: 3 });
    await other.services.policy.start();
    const statuses = async (count: number, name = 'one', headers?: Record<string, string>) => {
      // A user's token is of the service's own URL, which each of these has for itself.
      const at = (i: number) => (headers === undefined && i % 2 === 1 ? other : app);
      const replies = await Promise.all(
        Array.from({ length: count }, (_, i) => at(i).tool('s', name, {}, { key, headers: headers ?? {} })),
      );
      return replies.map(({ status }) => status).sort();
    };
    assert.deepEqual(await statuses(5), [200, 200, 200, 429, 429]);
    const over = await app.tool('s', 'one', {}, { key });
    assert.match(String(over.body.detail), /budget of one .* \(toolset set\)/);
    assert.equal(over.headers.get('retry-after'), String(12 * 3_600), 'until the day ends');
    assert.deepEqual(await statuses(1, 'two'), [200], 'each tool has its own');
    const ann = await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' }, key });
    const headers = { authorization: `Bearer ${String(ann.body.access_token)}` };
    assert.deepEqual(await statuses(4, 'one', headers), [200, 200, 200, 429], 'and each user');
    const { body } = await app.call('GET', '/v1/admin/calls?outcome=rate_limit');
    assert.equal((body.calls as unknown[]).length >= 2, true, 'the refusals are in the record');
    clock.advance(12 * 3_600_000);
    await app.services.budgets.prune();
    assert.deepEqual(await statuses(1), [200], 'the next day begins anew');
  });

test('a budget of bytes counts what was sent and answered', async (t) => {
  const { app, key, put } = await boot(t);
  await put({ budget: { bytes_per_day: 1_000 } });
  let count = 0;
  // What a call took is counted behind its reply.
  while ((await app.tool('s', 'one', {}, { key })).status === 200 && count < 50) count++;
  assert.ok(count >= 1 && count < 50, `${count}`);
});

test('a toolset says its tools in the operator’s words at its own door', async (t) => {
  const { app, key, put } = await boot(t);
  const overrides = [
    { server: 's', tool: 'one', title: 'First', description: 'Does the first thing for you' },
  ];
  assert.deepEqual((await put({ overrides })).body.overrides, overrides);
  const at = async (path: string, method: string, params: object = {}) =>
    (await app.call('POST', path, { key, body: { jsonrpc: '2.0', id: 1, method, params } })).body.result as {
      tools?: { name: string; title?: string; description: string }[];
    };
  const [one, two] = (await at('/mcp/t/set', 'tools/list')).tools ?? [];
  assert.deepEqual([one?.title, one?.description], ['First', 'Does the first thing for you']);
  assert.equal(two?.description, 'Does two');
  const [elsewhere] = (await at('/mcp', 'tools/list')).tools ?? [];
  assert.equal(elsewhere?.description, 'Does one');
  await app.services.search.settled();
  const found = await at('/mcp/t/set', 'tools/call', {
    name: 'search_tools',
    arguments: { query: 'does one' },
  });
  assert.ok(JSON.stringify(found).includes('Does the first thing for you'));
  const described = await at('/mcp/t/set', 'tools/call', {
    name: 'describe_tool',
    arguments: { server_id: 's', name: 'one' },
  });
  assert.ok(JSON.stringify(described).includes('Does the first thing for you'));
});

test('a toolset may be bound to clients and groups before anybody signs in', async (t) => {
  const { app } = await boot(t);
  const bindings = { keys: [], developers: ['developer 1'], clients: ['c1'], groups: ['ops'] };
  const put = await app.call('PUT', '/v1/admin/toolsets/set/bindings', { body: bindings });
  assert.deepEqual([put.status, put.body], [200, bindings]);
  assert.deepEqual((await app.call('GET', '/v1/admin/toolsets/set/bindings')).body, bindings);
});
