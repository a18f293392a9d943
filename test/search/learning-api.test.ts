import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { SearchResult } from '../../sdk/api.ts';
import { createInvocationStore, type InvocationRow } from '../../src/catalog/invocations/invocation-store.ts';
import { createOutcomeReader } from '../../src/search/learning/outcome-reader.ts';
import { createOutcomeStore } from '../../src/search/learning/outcome-store.ts';
import { createQueryLog } from '../../src/search/query-log/query-log.ts';
import { createQueryLogStore } from '../../src/search/query-log/query-log-store.ts';
import { bootApp, handClock, type TestApp } from '../support/app.ts';
import { engines, openTestStore } from '../support/stores.ts';

/** Two servers that read alike, so that only outcomes can tell them apart. */
const twins = ['alpha', 'beta'].map((id) => ({
  id,
  name: 'Parcels',
  description: 'Tracks parcels and deliveries.',
  remote_url: `https://${id}.example.com/mcp`,
  tools: [{ name: 'track', description: 'Where a parcel is.', inputSchema: { type: 'object' } }],
}));
const query = 'where is my parcel now';

type Reply = { servers: { id: string; scores: { semantic: number } }[]; metadata: { query_log_id: string } };

async function boot(t: TestContext, env: Record<string, string>): Promise<TestApp> {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off', ...env });
  await app.call('POST', '/v1/admin/servers', { body: twins });
  await app.services.search.settled();
  return app;
}

async function search(app: TestApp, key: string): Promise<Reply> {
  return (await app.call('POST', '/v1/search', { key, body: { query } })).body as Reply;
}

/** Searches and reports that the second server did it. */
async function succeed(app: TestApp, key: string, serverId = 'beta'): Promise<void> {
  const { metadata } = await search(app, key);
  const body = {
    query_log_id: metadata.query_log_id,
    server_id: serverId,
    tool_name: 'track',
    success: true,
  };
  assert.equal((await app.call('POST', '/v1/invocations', { key, body })).status, 201);
}

async function firstWithin(app: TestApp, key: string, id: string, ms: number): Promise<boolean> {
  for (const until = performance.now() + ms; performance.now() < until; await wait(50))
    if ((await search(app, key)).servers[0]?.id === id) return true;
  return false;
}

for (const engine of engines) {
  test(`${engine.name}: a success moves the ranking of its developer within seconds, another's after a second developer's, and a restart keeps it`, {
    skip: engine.skip,
  }, async (t) => {
    const env = await engine.environment(t);
    const app = await boot(t, env);
    const [one, two, three] = [await app.newKey(), await app.newKey(), await app.newKey()] as const;
    const before = await search(app, three);
    assert.deepEqual(
      before.servers.map(({ id }) => id),
      ['alpha', 'beta'],
    );
    await succeed(app, one);
    assert.ok(await firstWithin(app, one, 'beta', 5_000), 'the developer who reported it');
    assert.deepEqual((await search(app, three)).servers, before.servers, 'nobody else');
    await succeed(app, two);
    assert.ok(await firstWithin(app, three, 'beta', 5_000), 'everybody, once two agree');
    // Popularity is read in its own time; what was learned is not.
    const learned = (await search(app, three)).servers.map(({ id, scores }) => [id, scores.semantic]);
    await app.close();

    const again = await bootApp(t, { MCPRANK_STARTER: 'off', MCPRANK_DATA_DIR: app.dataDir, ...env });
    await again.services.search.settled();
    assert.ok(await firstWithin(again, three, 'beta', 5_000));
    const after = (await search(again, three)).servers.map(({ id, scores }) => [id, scores.semantic]);
    assert.deepEqual(after, learned);
  });
}

test("a search of another developer's, or an unknown one, teaches nothing of the query", async (t) => {
  const app = await boot(t, {});
  const [mine, theirs] = [await app.newKey(), await app.newKey()];
  const foreign = (await search(app, theirs)).metadata.query_log_id;
  for (const query_log_id of [foreign, 'ql_unknown']) {
    const body = { query_log_id, server_id: 'beta', tool_name: 'track', success: true };
    assert.equal((await app.call('POST', '/v1/invocations', { key: mine, body })).status, 201);
  }
  await app.services.queryLog.flush();
  await app.services.learning.update();
  const { body } = await app.call('POST', '/v1/search', { key: mine, body: { query, explain: true } });
  const explained = (body as unknown as SearchResult).servers;
  assert.deepEqual(explained.map(({ id, explain }) => [id, explain?.usage, explain?.outcomes.good]).sort(), [
    ['alpha', null, 0],
    ['beta', null, 1.8],
  ]);
});

for (const engine of engines) {
  test(`${engine.name}: old searches go, those that led to a recorded outcome stay as long as it does`, {
    skip: engine.skip,
  }, async (t) => {
    const clock = handClock();
    const storage = await openTestStore(t, engine, clock);
    const log = createQueryLog({ storage, onError: (error) => assert.fail(String(error)) });
    const db = storage.tables<{ invocations: object; query_log: { id: string } }>();
    const entry = { keyId: 'k', developerId: 'd', query: 'q', snapshot: 1, cacheHit: false, latencyMs: 1 };
    for (const id of ['led', 'idle'])
      log.record({ ...entry, queryLogId: id, at: clock.now(), shown: [], firstRank: 1, total: 0 });
    await log.flush();
    const row = {
      id: 'i',
      developer_id: 'd',
      key_id: 'k',
      query_log_id: 'led',
      server_id: 's',
      tool_name: 't',
    };
    await db
      .insertInto('invocations')
      .values({ ...row, success: 1, at: clock.now() })
      .execute();
    clock.advance(91 * 86_400_000);
    log.record({ ...entry, queryLogId: 'fresh', at: clock.now(), shown: [], firstRank: 1, total: 0 });
    await log.flush();
    await log.prune(clock.now());
    const left = async () =>
      (await db.selectFrom('query_log').select('id').orderBy('id').execute()).map(({ id }) => id);
    assert.deepEqual(await left(), ['fresh', 'led']);
    const { prune } = createInvocationStore(storage);
    await prune(clock.now(), 5);
    await log.prune(clock.now());
    assert.deepEqual(await left(), ['fresh'], 'once the outcome is gone, its search goes');
    await createQueryLogStore(storage).prune(0, 0);
    assert.deepEqual(await left(), [], 'beyond the most rows the oldest go');
  });
}

function rowAt(id: string, at: number, query_log_id: string | null = null): InvocationRow {
  const fixed = { developer_id: 'd', key_id: 'k', server_id: 's', tool_name: 't', success: 1, calls: 1 };
  return { id, at, query_log_id, latency_ms: null, error_type: null, idempotency_key: null, ...fixed };
}

for (const engine of engines) {
  test(`${engine.name}: the log is read once, and again where rows or a search became visible late`, {
    skip: engine.skip,
  }, async (t) => {
    const clock = handClock();
    const storage = await openTestStore(t, engine, clock);
    const { add } = createInvocationStore(storage);
    const queries = createQueryLog({ storage, onError: (error) => assert.fail(String(error)) });
    const read = createOutcomeReader(createOutcomeStore(storage));
    const news = async () => {
      const found: string[] = [];
      for await (const page of read()) found.push(...page.map(({ id, query }) => `${id} ${query}`));
      return found.sort();
    };
    const at = clock.now();
    // More than a page of one time.
    const many = Array.from({ length: 1_500 }, (_, i) => `i${1_000 + i}`);
    await add(many.map((id) => rowAt(id, at)));
    assert.deepEqual(
      await news(),
      many.map((id) => `${id} null`),
    );
    assert.deepEqual(await news(), []);

    await add([rowAt('late', at - 4_900)]);
    assert.deepEqual(await news(), ['late null']);
    await add([rowAt('a', at - 4_900), rowAt('b', at + 10)]);
    assert.deepEqual(await news(), ['a null', 'b null', 'late null'], 'with those of the same time');
    assert.deepEqual(await news(), []);

    await add([rowAt('c', at + 20, 'ql')]);
    assert.deepEqual(await news(), ['c null']);
    const shown = { shown: ['s'], firstRank: 1, total: 1, snapshot: 1, cacheHit: false, latencyMs: 1 };
    queries.record({ ...shown, queryLogId: 'ql', developerId: 'd', keyId: 'k', query: 'why', at });
    await queries.flush();
    assert.deepEqual(await news(), ['c why']);
    assert.deepEqual(await news(), []);

    await add([rowAt('d', at + 30)]);
    for await (const [one] of read()) {
      assert.equal(one?.id, 'd');
      break; // As when its taker fails.
    }
    assert.deepEqual(await news(), ['d null']);
  });
}
