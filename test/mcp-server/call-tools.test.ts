/** call_tools: several independent calls in one; and what search_tools says of itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitTogether } from '../../src/mcp-server/doors/call-many.ts';
import { adminKey, type TestApp } from '../support/app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';

type Answer = {
  result: {
    structuredContent?: unknown;
    isError?: boolean;
    content?: { text?: string }[];
    tools?: { name: string; description: string }[];
  };
};
type Results = {
  results: { server_id: string; name: string; result: { isError?: boolean; content: { text: string }[] } }[];
};

async function rpc(app: TestApp, method: string, params: object, key = adminKey, path = '/mcp') {
  const reply = await app.call('POST', path, {
    key,
    body: { jsonrpc: '2.0', id: 1, method, params },
    headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' },
  });
  return { ...(reply.body as Answer), headers: reply.headers };
}
const chores = Array.from({ length: 40 }, (_, i) => ({ name: `chore_${i}`, description: `Does chore ${i}` }));

async function boot(t: Parameters<typeof bootMcp>[0]) {
  const app = await bootMcp(t);
  const { url } = await startSdkServer(t);
  await app.add('fixture', url, {
    description: 'Repeats what it is told',
    tools: [{ name: 'echo' }, { name: 'ask' }],
  });
  await app.add('chores', 'http://127.0.0.1:9/mcp', { category: 'household', tools: chores });
  return app;
}

test('several calls are answered in their order, each with its own result, and one that fails stops no other', async (t) => {
  const app = await boot(t);
  const echo = (message: string) => ({ server_id: 'fixture', name: 'echo', arguments: { message } });
  const calls = [
    echo('one'),
    { server_id: 'nobody', name: 'x' },
    { server_id: 'chores', name: 'chore_1' },
    echo('two'),
  ];
  const { result } = await rpc(app, 'tools/call', { name: 'call_tools', arguments: { calls } });
  const { results } = result.structuredContent as Results;
  assert.deepEqual(
    results.map(({ server_id, name }) => ({ server_id, name })),
    calls.map(({ server_id, name }) => ({ server_id, name })),
  );
  assert.deepEqual(
    results.map(({ result }) => result.isError === true),
    [false, true, true, false],
  );
  assert.deepEqual(
    [results[0]?.result.content[0]?.text, results[3]?.result.content[0]?.text],
    ['Echo: one', 'Echo: two'],
  );
  assert.match(results[2]?.result.content[0]?.text ?? '', /cannot be reached/);
  assert.equal(
    result.content?.[0]?.text,
    JSON.stringify(result.structuredContent),
    'for clients that read no structure',
  );
});

test('no more than ten at once, each counted against the key, and what is wrong is named', async (t) => {
  const app = await boot(t);
  const call = { server_id: 'fixture', name: 'echo', arguments: { message: 'x' } };
  const ask = async (calls: unknown, key = adminKey) =>
    rpc(app, 'tools/call', { name: 'call_tools', arguments: { calls } }, key);
  for (const [calls, said] of [
    [[], /calls: expected a list of 1 to 10/],
    [Array(11).fill(call), /calls: expected a list of 1 to 10/],
    [[call, { server_id: 'fixture' }], /calls\[1\]\.name: expected a text/],
    [[{ ...call, arguments: [] }], /calls\[0\]\.arguments: expected an object/],
  ] as const) {
    const { result } = await ask(calls);
    assert.equal(result.isError, true);
    assert.match(result.content?.[0]?.text ?? '', said);
  }
  const key = await app.newKey({ tier: 'free' });
  const { headers } = await ask(Array(10).fill(call), key);
  assert.equal(headers.get('ratelimit-remaining'), '90');
});

test('results together are no larger than one may be; what does not fit says so, and the others stand', () => {
  const [small, large] = [Buffer.alloc(1_000), Buffer.alloc(8_000_000)];
  const kept = fitTogether([[large], [small], [large], [small]], (bytes) => [String(bytes)]);
  assert.deepEqual(
    kept.map(([part]) => part?.length),
    [8_000_000, 1_000, '8000000'.length, 1_000],
  );
});

test('tools that a toolset pins are listed beside search_tools and called by that name, by whom it is bound to, while they may', async (t) => {
  const app = await boot(t);
  const key = await app.newKey({ developer: 'acme' });
  const pin = (server: string, tool: string) => ({ server, tool, pinned: true });
  const overrides = [
    pin('fixture', 'echo'),
    pin('chores', 'chore_7'),
    pin('hidden', 'x'),
    pin('fixture', 'gone'),
  ];
  const rules = [{ effect: 'deny', server: 'chores', tool: 'chore_8' }];
  const put = (body: object) => app.call('PUT', '/v1/admin/toolsets/pins', { body });
  assert.ok((await put({ rules, default: 'allow', overrides })).status < 300);
  await app.call('PUT', '/v1/admin/toolsets/pins/bindings', { body: { developers: ['acme'] } });
  const names = async (by?: string) =>
    ((await rpc(app, 'tools/list', {}, by)).result.tools ?? []).map(({ name }) => name);
  const own = ['search_tools', 'describe_tool', 'call_tool', 'call_tools'];
  assert.deepEqual(await names(), own, 'it is bound to others');
  assert.deepEqual(await names(key), [...own, 'fixture__echo', 'chores__chore_7']);
  const said = await rpc(app, 'tools/call', { name: 'fixture__echo', arguments: { message: 'hi' } }, key);
  assert.equal(said.result.content?.[0]?.text, 'Echo: hi');
  rules.push({ effect: 'deny', server: 'chores', tool: 'chore_7' });
  await put({ rules, default: 'allow', overrides });
  assert.deepEqual(await names(key), [...own, 'fixture__echo']);
  const read = await app.call('GET', '/v1/admin/toolsets/pins');
  assert.deepEqual(read.body.overrides, overrides);
});

test('a search that is made again is answered alike, until words, rights or the catalogue change', async (t) => {
  const app = await boot(t);
  await app.services.search.settled();
  const find = async (key?: string) =>
    (
      await rpc(
        app,
        'tools/call',
        { name: 'search_tools', arguments: { query: 'do a household chore' } },
        key,
      )
    ).result;
  const first = await find();
  assert.match(JSON.stringify(first), /chore_1/);
  for (let again = 0; again < 3; again++) assert.deepEqual(await find(), first);

  const key = await app.newKey({ developer: 'other' });
  for (let again = 0; again < 3; again++) assert.match(JSON.stringify(await find(key)), /chore_1/);
  await app.call('PUT', '/v1/admin/servers/chores/rights', { body: { visibility: 'private' } });
  for (let again = 0; again < 3; again++)
    assert.doesNotMatch(JSON.stringify(await find(key)), /chore_1/, 'not even where it was found before');
  assert.deepEqual(await find(), first, 'whose it is finds it still');
});

test('search_tools says what there is to find, for whoever asks', async (t) => {
  const app = await boot(t);
  const listed = await rpc(app, 'tools/list', {});
  const [search] = listed.result.tools ?? [];
  assert.match(search?.description ?? '', /Its servers: .*chores.*fixture|Its servers: .*fixture.*chores/);
  assert.match(search?.description ?? '', /about household/);
  await app.call('PUT', '/v1/admin/servers/chores/rights', { body: { visibility: 'private' } });
  const other = await app.newKey();
  const names = (await rpc(app, 'tools/list', {}, other)).result.tools ?? [];
  assert.ok(!JSON.stringify(names).includes('chores'), 'what is hidden is not named');
  const calls = [{ server_id: 'chores', name: 'chore_1' }];
  const { result } = await rpc(app, 'tools/call', { name: 'call_tools', arguments: { calls } }, other);
  const { results } = result.structuredContent as Results;
  assert.match(results[0]?.result.content[0]?.text ?? '', /Server not found/, 'and not called');
});
