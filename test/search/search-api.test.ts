import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bootApp, type TestApp } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';

type Hit = {
  id: string;
  name: string;
  description: string;
  remote_url: string | null;
  tools: { name: string; description: string; input_schema: object }[];
  scores: { semantic: number; popularity: number };
  final_score: number;
  match: string;
};
type Answer = {
  servers: Hit[];
  metadata: {
    latency_ms: number;
    cache_hit: boolean;
    total_candidates: number;
    query_log_id: string;
    next_cursor?: string;
  };
};

async function boot(t: TestContext): Promise<TestApp> {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
  await app.services.search.settled();
  return app;
}

async function search(app: TestApp, body: Record<string, unknown>): Promise<Answer> {
  const reply = await app.call('POST', '/v1/search', { body });
  assert.equal(reply.status, 200, reply.text);
  return reply.body as Answer;
}

test('the documented request gets the documented reply, best first', async (t) => {
  const app = await boot(t);
  const { servers, metadata } = await search(app, { query: 'send an email to a colleague' });
  const [best] = servers;
  assert.equal(best?.id, 'com.example/mail');
  assert.deepEqual(Object.keys(best ?? {}), [
    'id',
    'name',
    'description',
    'remote_url',
    'tools',
    'scores',
    'final_score',
    'match',
    'connection',
    'connect',
  ]);
  assert.equal(best?.remote_url, 'https://mail.example.com/mcp');
  assert.deepEqual(best?.tools[0], {
    name: 'send_email',
    description: 'Send an e-mail to one or more people.',
    input_schema: fixtureServers[0].tools[0].inputSchema,
  });
  for (const [i, hit] of servers.entries()) {
    for (const score of [hit.final_score, hit.scores.semantic, hit.scores.popularity])
      assert.ok(score >= 0 && score <= 1);
    assert.ok(i === 0 || hit.final_score <= (servers[i - 1]?.final_score ?? 0));
    assert.ok(['strong', 'weak'].includes(hit.match));
  }
  assert.equal(typeof metadata.latency_ms, 'number');
  assert.match(
    metadata.query_log_id,
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

test('a repeated query comes from the cache under a query_log_id of its own', async (t) => {
  const app = await boot(t);
  const [first, second] = [
    await search(app, { query: 'calendar events' }),
    await search(app, { query: 'calendar events' }),
  ];
  assert.deepEqual([first.metadata.cache_hit, second.metadata.cache_hit], [false, true]);
  assert.notEqual(first.metadata.query_log_id, second.metadata.query_log_id);
  assert.deepEqual(first.servers, second.servers);
});

test('filters come before the limit, and limits hold', async (t) => {
  const app = await boot(t);
  const ids = async (body: Record<string, unknown>) =>
    (await search(app, { query: 'send email, query a database, calendar and weather', ...body })).servers.map(
      ({ id }) => id,
    );
  assert.deepEqual(await ids({ filters: { transport: ['stdio'] }, limit: 1 }), ['local-database']);
  assert.deepEqual(await ids({ filters: { auth: ['oauth2'] } }), ['com.example/mail']);
  assert.deepEqual(await ids({ filters: { category: ['productivity'] } }), ['com.example/calendar']);
  assert.deepEqual(await ids({ filters: { category: ['nothing of the kind'] } }), []);
  assert.equal((await ids({ limit: 2 })).length, 2);
  const { servers } = await search(app, { query: 'send email', tool_limit: 1 });
  assert.ok(servers.every(({ tools }) => tools.length <= 1));
});

test('pages joined by their cursors are the whole ranking, each server once', async (t) => {
  const app = await boot(t);
  const query = { query: 'email calendar database weather' };
  const whole = await search(app, { ...query, limit: 50 });
  const paged: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await search(app, { ...query, limit: 1, ...(cursor === undefined ? {} : { cursor }) });
    paged.push(...page.servers.map(({ id }) => id));
    cursor = page.metadata.next_cursor;
  } while (cursor !== undefined && paged.length < 20);
  assert.deepEqual(
    paged,
    whole.servers.map(({ id }) => id),
  );
  const foreign = await app.call('POST', '/v1/search', {
    body: { query: 'other words', cursor: 'bm90IGEgY3Vyc29y' },
  });
  assert.deepEqual([foreign.status, String(foreign.body.detail).startsWith('cursor: ')], [400, true]);
});

test('a batch answers each of its queries as if asked alone, and costs as many requests', async (t) => {
  const app = await boot(t);
  const key = await app.newKey({ tier: 'free' });
  const reply = await app.call('POST', '/v1/search', {
    key,
    body: {
      queries: [
        { query: 'email' },
        { query: 'database', limit: 1, filters: { callable: false } },
        { query: 'weather' },
      ],
    },
  });
  assert.equal(reply.status, 200, reply.text);
  const { results } = reply.body as { results: Answer[] };
  assert.deepEqual(
    results.map(({ servers }) => servers[0]?.id),
    ['com.example/mail', 'local-database', 'bare'],
  );
  assert.equal(reply.headers.get('ratelimit-remaining'), '97');
});

test('nothing fits: 200 with an empty list, given a minimum score', async (t) => {
  const app = await boot(t);
  const answer = await search(app, { query: 'xylophone tuning for left-handed whales', min_score: 0.5 });
  assert.deepEqual(answer.servers, []);
});

test('a query of white space is refused by name', async (t) => {
  const app = await boot(t);
  for (const query of [' ', '\t\n', '\u00a0\u2003']) {
    const reply = await app.call('POST', '/v1/search', { body: { query } });
    assert.deepEqual([reply.status, String(reply.body.detail).startsWith('query: ')], [400, true]);
  }
});

test('a server that was added is found, one that was taken out is not, and its id is gone for good', async (t) => {
  const app = await boot(t);
  await app.call('POST', '/v1/admin/servers', {
    body: {
      id: 'new-one',
      name: 'Sourdough',
      description: 'Bread baking schedules and hydration.',
      remote_url: 'https://bread.example.com/mcp',
      tools: [],
    },
  });
  await app.services.search.settled();
  assert.equal((await search(app, { query: 'bread baking schedule' })).servers[0]?.id, 'new-one');
  assert.equal((await app.call('DELETE', '/v1/admin/servers/new-one')).status, 200);
  await app.services.search.settled();
  assert.ok(
    (await search(app, { query: 'bread baking schedule' })).servers.every(({ id }) => id !== 'new-one'),
  );
  for (const path of ['/v1/servers/new-one', '/v1/mcp/server?server_id=new-one']) {
    const gone = await app.call('GET', path);
    assert.deepEqual([gone.status, gone.body.code], [410, 'server_gone']);
  }
});

test('every search is in the query log with what it showed, once the queue is flushed', async (t) => {
  const app = await boot(t);
  const { metadata, servers } = await search(app, { query: 'email' });
  await app.services.queryLog.flush();
  type Row = { id: string; query: string; shown: string; total: number };
  const row = await app.services.storage
    .tables<{ query_log: Row }>()
    .selectFrom('query_log')
    .selectAll()
    .where('id', '=', metadata.query_log_id)
    .executeTakeFirst();
  assert.equal(row?.query, 'email');
  assert.deepEqual(
    row?.shown.split('\n'),
    servers.map(({ id }) => id),
  );
});

test('a draft is answered like any search, and is in no log: not in Activity, not in the use of its key', async (t) => {
  const app = await boot(t);
  const whole = await search(app, { query: 'send an email' });
  const drafts = await Promise.all([
    search(app, { query: 'send an email', draft: true }),
    search(app, { query: 'qqxyzzy qqx', draft: true }),
  ]);
  assert.deepEqual(drafts[0]?.servers, whole.servers);
  await app.call('POST', '/v1/search', { body: { queries: [{ query: 'send', draft: true }] } });
  await app.services.queryLog.flush();
  const { body } = await app.call('GET', '/v1/admin/activity');
  assert.deepEqual(body.searches, { count: 1, cached: 0 });
  assert.deepEqual(body.found_nothing, []);
  assert.deepEqual(
    (body.recent as { query: string }[]).map(({ query }) => query),
    ['send an email'],
  );
});

test('until the first index is there, readiness is 503 and liveness 200; then both are 200', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const early = await app.call('GET', '/readyz', { key: null });
  assert.ok(early.status === 200 || (early.status === 503 && early.headers.has('retry-after')));
  assert.equal((await app.call('GET', '/healthz', { key: null })).status, 200);
  await app.services.search.settled();
  const ready = await app.call('GET', '/readyz', { key: null });
  assert.deepEqual([ready.status, ready.body.checks], [200, { index: true, store: true }]);
});

test('cache_hit says nothing of what another developer searched for', async (t) => {
  const app = await boot(t);
  const [mine, theirs] = [await app.newKey(), await app.newKey()];
  const hit = async (key: string) => {
    const { body } = await app.call('POST', '/v1/search', { body: { query: 'merger with initech' }, key });
    return (body as Answer).metadata.cache_hit;
  };
  assert.deepEqual([await hit(mine), await hit(mine)], [false, true]);
  assert.deepEqual([await hit(theirs), await hit(theirs)], [false, true]);
});
