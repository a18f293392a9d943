import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../support/full-run.ts';
import { agree, invitationOf, mitOf, startProtectedWorld } from '../support/mcp-oauth.ts';

type Hit = { readonly id: string; readonly tools: readonly { readonly name: string }[]; final_score: number };
type Found = { readonly servers: readonly Hit[]; readonly metadata: Record<string, unknown> };

const inputSchema = { type: 'object' };
const ledger = { name: 'reconcile_ledger', description: 'Balances the bookkeeping ledger', inputSchema };
const garden = { name: 'water_plants', description: 'Waters the plants in the garden', inputSchema };

/** Each user sees a tool of their own at the same server (ann's only where `ofAnn`); everybody sees forty chores. */
async function startWorld(t: Parameters<typeof startProtectedWorld>[0], { ofAnn = true } = {}) {
  const world = await startProtectedWorld(t);
  const { app, server, as } = world;
  const users = { ann: world.ann, bob: await mitOf(app, 'bob') };
  const names = new Map<string, string>();
  server.toolsFor = (token) => (names.get(token) === 'ann' ? [ledger].slice(0, Number(ofAnn)) : [garden]);
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

/** Whatever ann's tool is found by, words that are near it, and words of everybody's. */
const word = fc.oneof(
  fc.constantFrom(
    'reconcile',
    'ledger',
    'Balances',
    'bookkeeping',
    'reconcile_ledger',
    'reconsile',
    'legder',
  ),
  fc.constantFrom('water', 'plants', 'garden', 'household', 'chore', '7', 'haushalt', '台帳', 'k8s'),
  fc.string({ minLength: 1, maxLength: 8 }),
);
const asked = fc.record({
  who: fc.constantFrom('ann', 'ann', 'bob', 'nobody', 'stranger'),
  query: fc
    .array(word, { minLength: 1, maxLength: 4 })
    .map((words) => words.join(' '))
    .filter((query) => query.trim() !== ''),
  limit: fc.integer({ min: 1, max: 50 }),
  tool_limit: fc.integer({ min: 0, max: 50 }),
  spelling: fc.boolean(),
  explain: fc.boolean(),
  filters: fc.constantFrom({}, { callable: true }, { callable: false }, { verified: false }),
  pages: fc.integer({ min: 1, max: 3 }),
});

test('property: of two services that differ in the tool of one user alone, nobody else can tell which they ask', async (t) => {
  const worlds = await Promise.all([true, false].map((ofAnn) => startWorld(t, { ofAnn })));
  const withKeys = await Promise.all(
    worlds.map(async (world) => ({ ...world, stranger: await world.app.newKey({ developer: 'other' }) })),
  );
  type World = (typeof withKeys)[number];
  const askOne = async (
    { search, users, stranger }: World,
    { who, pages, ...body }: typeof asked extends fc.Arbitrary<infer A> ? A : never,
  ) => {
    const headers = who === 'ann' || who === 'bob' ? users[who] : {};
    const shown: string[] = [];
    for (let page = 0, cursor: unknown; page < pages; page++) {
      const more = cursor === undefined ? {} : { cursor };
      const { servers, metadata } = await search(
        { ...body, ...more },
        headers,
        who === 'stranger' ? stranger : undefined,
      );
      const { latency_ms: _, query_log_id: __, ...said } = metadata;
      shown.push(JSON.stringify({ servers, said }).replace(/127\.0\.0\.1:\d+/g, ''));
      cursor = said.next_cursor;
      if (cursor === undefined) break;
    }
    return shown;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 6 }), async (requests) => {
      for (const request of requests) {
        const [there, without] = await Promise.all(withKeys.map((world) => askOne(world, request)));
        if (request.who !== 'ann') assert.deepEqual(there, without);
      }
    }),
    { numRuns: runsOf(100) },
  );
  for (const path of ['/mcp/t/all/types.ts', '/v1/servers/s', '/v1/servers?limit=100'])
    for (const who of ['bob', 'nobody'] as const) {
      const [there, without] = await Promise.all(
        withKeys.map(async ({ app, users }) => {
          await app.call('PUT', '/v1/admin/toolsets/all', { body: { rules: [], default: 'allow' } });
          const reply = await app.call('GET', path, { headers: who === 'bob' ? users.bob : {} });
          return reply.text.replace(/127\.0\.0\.1:\d+|\d{4}-\d\d-\d\dT[\d:.]+Z/g, '');
        }),
      );
      assert.equal(there, without);
      assert.doesNotMatch(String(there), /reconcile/);
    }
});
