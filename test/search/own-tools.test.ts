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
  for (const id of ['errands', 'repairs', 'laundry'])
    await app.add(id, 'http://127.0.0.1:9/mcp', {
      tools: [{ name: id, description: `Household chore: ${id}` }],
    });
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
const query = fc
  .array(word, { minLength: 1, maxLength: 3 })
  .map((words) => words.join(' '))
  .filter((text) => text.trim() !== '');
/** Of a few queries in a few ways, so that one asks what another one asked, or nearly. */
const requests = fc.array(query, { minLength: 1, maxLength: 2 }).chain((queries) =>
  fc.array(
    fc.record({
      who: fc.constantFrom('ann', 'ann', 'bob', 'nobody', 'stranger'),
      query: fc.constantFrom(...queries),
      limit: fc.constantFrom(1, 2, 3, 50),
      pages: fc.constantFrom(1, 1, 3),
      how: fc.constantFrom(
        ...[{}, {}, {}, { explain: true }, { spelling: false }, { tool_limit: 0 }, { tool_limit: 50 }],
        ...[{ filters: { callable: true } }, { filters: { callable: false } }, { min_score: 0.3 }],
      ),
    }),
    { minLength: 1, maxLength: 8 },
  ),
);
type Request = typeof requests extends fc.Arbitrary<readonly (infer R)[]> ? R : never;

test('what the user’s tools push off a page is asked for anew, and nobody’s cache_hit tells of it', async (t) => {
  const { search, users } = await startWorld(t);
  const query = 'household ledger';
  await search({ query }, users.ann);
  const mine = await search({ query, limit: 3 }, users.ann);
  assert.deepEqual(
    mine.servers.map(({ id }) => id),
    ['s', 'chores', 'errands'],
  );
  await search({ query, limit: 3, cursor: mine.metadata.next_cursor }, users.ann);
  const his = await search({ query, limit: 2 }, users.bob);
  assert.equal(his.metadata.cache_hit, false);
  const next = await search({ query, limit: 3, cursor: his.metadata.next_cursor }, users.bob);
  assert.equal(next.metadata.cache_hit, false);
});

test('property: of two services that differ in the tool of one user alone, nobody else can tell which they ask', async (t) => {
  const worlds = await Promise.all([true, false].map((ofAnn) => startWorld(t, { ofAnn })));
  const withKeys = await Promise.all(
    worlds.map(async (world) => ({ ...world, stranger: await world.app.newKey({ developer: 'other' }) })),
  );
  type World = (typeof withKeys)[number];
  const askOne = async ({ search, users, stranger }: World, { who, pages, how, ...body }: Request) => {
    const headers = who === 'ann' || who === 'bob' ? users[who] : {};
    const shown: { readonly text: string; readonly isHit: boolean }[] = [];
    for (let page = 0, cursor: unknown; page < pages; page++) {
      const more = cursor === undefined ? {} : { cursor };
      const { servers, metadata } = await search(
        { ...body, ...how, ...more },
        headers,
        who === 'stranger' ? stranger : undefined,
      );
      const { latency_ms: _, query_log_id: __, cache_hit, ...said } = metadata;
      shown.push({
        text: JSON.stringify({ servers, said }).replace(/127\.0\.0\.1:\d+/g, ''),
        isHit: cache_hit === true,
      });
      cursor = said.next_cursor;
      if (cursor === undefined) break;
    }
    return shown;
  };
  // What is known of ann's tool is known before anybody else asks.
  for (const { search, users } of withKeys) await search({ query: 'ledger' }, users.ann);
  await fc.assert(
    fc.asyncProperty(requests, async (all) => {
      for (const request of all) {
        const [there, without] = await Promise.all(withKeys.map((world) => askOne(world, request)));
        if (request.who === 'ann') continue;
        const texts = [there, without].map((pages = []) => pages.map(({ text }) => text));
        assert.deepEqual(texts[0], texts[1]);
        // Pages are shared within a developer: what was asked before is known, and nothing that was not.
        const hits = [there, without].map((pages = []) => pages.map(({ isHit }) => isHit));
        if (request.who === 'stranger') assert.deepEqual(hits[0], hits[1]);
        else
          assert.ok(
            hits[0]?.every((isHit, page) => !isHit || hits[1]?.[page]),
            JSON.stringify(request),
          );
      }
    }),
    { numRuns: runsOf(60) },
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
