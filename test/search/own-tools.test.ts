import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agree, invitationOf, mitOf, startProtectedWorld } from '../support/mcp-oauth.ts';

type Hit = { readonly id: string; readonly tools: readonly { readonly name: string }[]; final_score: number };
type Found = { readonly servers: readonly Hit[]; readonly metadata: Record<string, unknown> };

/** Each user sees a tool of their own at the same server; everybody sees thirty chores. */
async function startWorld(t: Parameters<typeof startProtectedWorld>[0]) {
  const world = await startProtectedWorld(t);
  const { app, server, as } = world;
  const users = { ann: world.ann, bob: await mitOf(app, 'bob') };
  const names = new Map<string, string>();
  server.toolsFor = (token) =>
    names.get(token) === 'ann'
      ? [
          {
            name: 'reconcile_ledger',
            description: 'Balances the bookkeeping ledger',
            inputSchema: { type: 'object' },
          },
        ]
      : [
          {
            name: 'water_plants',
            description: 'Waters the plants in the garden',
            inputSchema: { type: 'object' },
          },
        ];
  for (const [name, headers] of Object.entries(users)) {
    const before = new Set(as.tokens.keys());
    await agree(invitationOf(await app.tool('s', 'x', {}, { headers })).auth_url);
    for (const token of as.tokens.keys()) if (!before.has(token)) names.set(token, name);
  }
  const tools = Array.from({ length: 40 }, (_, i) => ({
    name: `chore_${i}`,
    description: `Household chore ${i}`,
  }));
  await app.add('chores', 'http://127.0.0.1:9/mcp', { tools });
  await app.services.search.settled();
  const search = async (body: object, headers: Record<string, string> = {}, key?: string) => {
    const reply = await app.call('POST', '/v1/search', { body, headers, ...(key !== undefined && { key }) });
    assert.equal(reply.status, 200, reply.text);
    return reply.body as unknown as Found;
  };
  return { app, users, search };
}

test('tools that a server lists for one user are found by that user, over REST and at /mcp, and called', async (t) => {
  const { app, users, search } = await startWorld(t);
  const query = 'balance the bookkeeping ledger';
  for (let i = 0; i < 2; i++) {
    const found = await search({ query }, users.ann);
    assert.deepEqual([found.servers[0]?.id, found.servers[0]?.tools[0]?.name], ['s', 'reconcile_ledger']);
    const scores = found.servers.map(({ final_score }) => final_score);
    assert.deepEqual(
      scores,
      scores.toSorted((a, b) => b - a),
    );
  }
  assert.equal((await search({ query, limit: 1 }, users.ann)).servers.length, 1);
  const rpc = async (name: string, args: object, headers: Record<string, string>) =>
    (
      await app.call('POST', '/mcp', {
        body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } },
        headers,
      })
    ).text;
  assert.match(await rpc('search_tools', { query }, users.ann), /reconcile_ledger/);
  const call = { server_id: 's', name: 'reconcile_ledger', arguments: {} };
  assert.match(await rpc('call_tool', call, users.ann), /"isError":false/);
  assert.match(
    (await search({ query: 'water the garden' }, users.bob)).servers[0]?.tools[0]?.name ?? '',
    /water/,
  );
});

test('nobody else learns of them: no hit, total, page, score, list or type of anybody is another for them', async (t) => {
  const { app, users, search } = await startWorld(t);
  const other = await app.newKey({ developer: 'other' });
  await app.call('PUT', '/v1/admin/toolsets/all', { body: { rules: [], default: 'allow' } });
  const queries = [
    'balance the bookkeeping ledger',
    'reconcile_ledger',
    'household chore',
    'ledger garden plants',
  ];
  const bare = ({ servers, metadata: { total_candidates: total } }: Found) => ({ servers, total });
  const before = await Promise.all(queries.map(async (query) => bare(await search({ query }))));
  const beforeOther = await Promise.all(
    queries.map(async (query) => bare(await search({ query }, {}, other))),
  );
  for (const query of queries) {
    const mine = await search({ query, limit: 3 }, users.ann);
    assert.equal(mine.metadata.total_candidates, before[queries.indexOf(query)]?.total);
    assert.equal(mine.metadata.cache_hit, false);
  }
  for (const query of queries) {
    // The same request by the next user of the same developer, whose connections are the same.
    for (let i = 0; i < 3; i++) await search({ query, limit: 3 }, users.ann);
    assert.doesNotMatch(JSON.stringify(await search({ query, limit: 3 }, users.bob)), /reconcile/);
  }
  const again = await Promise.all(queries.map(async (query) => bare(await search({ query }))));
  assert.deepEqual(again, before);
  const againOther = await Promise.all(
    queries.map(async (query) => bare(await search({ query }, {}, other))),
  );
  assert.deepEqual(againOther, beforeOther);
  const ofBob = await Promise.all(
    queries.map((query) => search({ query, limit: 50, tool_limit: 50 }, users.bob)),
  );
  const listed = await Promise.all([
    app.call('GET', '/mcp/t/all/types.ts', { headers: users.bob }),
    app.call('GET', '/v1/servers/s', { headers: users.bob }),
    app.call('POST', '/mcp', { body: { jsonrpc: '2.0', id: 1, method: 'tools/list' }, headers: users.bob }),
    app.call('GET', '/metrics'),
  ]);
  for (const text of [ofBob, before, beforeOther]
    .map((each) => JSON.stringify(each))
    .concat(listed.map(({ text }) => text)))
    assert.doesNotMatch(text, /reconcile/);
});
