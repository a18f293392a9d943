import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { runsOf } from '../../test/support/full-run.ts';
import { searchedServer } from '../../test/support/search-room.ts';
import { systemClock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { CatalogChange, CatalogServer } from '../catalog/catalog.ts';
import { createIndexBuilder } from './index/index-builder.ts';
import type { UsageModel } from './learning/learning-model.ts';
import {
  createSearch,
  defaultSearchConfig,
  type Embedder,
  loadBuiltInEmbedder,
  type QueryLogEntry,
  readHit,
  type Search,
  type SearchDeps,
  type SearchHit,
  type SearchPage,
  type SearchRequest,
  type SearchResult,
} from './search.ts';

const embedder = loadBuiltInEmbedder();
const caller = { keyId: 'key_1', developerId: 'dev_1' };
const open: Search[] = [];
after(() => Promise.all(open.map((search) => search.close())));

function server(
  id: string,
  name: string,
  description: string,
  more: Partial<CatalogServer> = {},
): CatalogServer {
  const tools = [{ name: `${id}_run`, description: `Run ${name}`, inputSchema: '{"type":"object"}' }];
  return searchedServer(id, description, { name, tools, ...more });
}

/** A catalog that the test changes; every put is a revision. */
function createCatalog(servers: readonly CatalogServer[]) {
  const changes = new Map<string, CatalogChange>();
  let revision = 0;
  const put = (id: string, one: CatalogServer | null) => {
    changes.delete(id);
    changes.set(id, { revision: ++revision, id, server: one });
  };
  for (const one of servers) put(one.id, one);
  const reads: number[] = [];
  return {
    put,
    reads,
    async *changesSince(after: number) {
      const fresh = [...changes.values()].filter((change) => change.revision > after);
      reads.push(fresh.length);
      if (fresh.length > 0) yield fresh;
    },
  };
}

async function started(
  servers: readonly CatalogServer[],
  errors: unknown[] = [],
  more: Partial<SearchDeps> = {},
) {
  const catalog = createCatalog(servers);
  const log: QueryLogEntry[] = [];
  let ids = 0;
  const search = createSearch({
    changesSince: catalog.changesSince,
    embedder,
    clock: systemClock,
    newQueryLogId: () => `ql_${++ids}`,
    recordQuery: (entry) => log.push(entry),
    config: defaultSearchConfig,
    onError: (error) => errors.push(error),
    ...more,
  });
  open.push(search);
  await search.start();
  return { search, catalog, log };
}

async function ask(
  search: Search,
  query: string,
  more: Partial<SearchRequest> = {},
): Promise<Omit<SearchResult, 'page'> & SearchPage> {
  const options = { limit: 10, toolLimit: 10, filters: {}, explain: false, minScore: 0 };
  const { page, ...result } = await search.find({ caller, query, ...options, ...more });
  const { hits, serverIds, firstRank, total, correctedQuery, nextCursor } = page;
  return { hits, serverIds, firstRank, total, correctedQuery, nextCursor, ...result };
}

const idsOf = (hits: readonly SearchHit[]) => hits.map(({ serverId }) => serverId);

const places = [
  'weather',
  'email',
  'calendar',
  'database',
  'music',
  'video',
  'payments',
  'maps',
  'news',
  'files',
];
const many = places.flatMap((place, p) =>
  Array.from({ length: 12 }, (_, i) =>
    server(`${place}-${i}`, `${place} number ${i}`, `Reads and writes ${place}.`, {
      popularity: (p * 12 + i) / 120,
      verified: i % 2 === 0,
      transport: i % 3 === 0 ? 'stdio' : 'streamable-http',
      authType: i % 4 === 0 ? 'oauth2' : null,
      category: place,
    }),
  ),
);

test('a hit quotes the server and its tools as they are, schemas byte for byte', async () => {
  const inputSchema = '{ "type":"object", "properties":{"q":{"maximum":1.0}} }';
  const tools = [{ name: 'a"b\\', description: '","description":"x', inputSchema }];
  const odd = server('odd', 'Quo"te\\ \u{1F600}', 'line\nbreak', { remoteUrl: null, tools });
  const { search, log } = await started([odd]);
  const [hit] = (await ask(search, 'line break quote')).hits;
  const { id, name, description } = odd;
  assert.deepEqual(hit && readHit(hit), { id, name, description, remoteUrl: null, tools });
  assert.deepEqual(log[0]?.shown, ['odd']);
});

test('the server that fits comes first, by words and by meaning', async () => {
  const { search } = await started(many);
  assert.match((await ask(search, 'play a song')).hits[0]?.serverId ?? '', /^music-/);
  assert.match((await ask(search, 'what will the weather be tomorrow')).hits[0]?.serverId ?? '', /^weather-/);
});

test('nothing fits: an empty list; blank: a problem that names the field', async () => {
  const { search } = await started(many);
  assert.deepEqual((await ask(search, 'xqzvw')).hits, []);
  assert.deepEqual((await ask(search, 'weather', { minScore: 1 })).hits, []);
  await assert.rejects(
    ask(search, ' \n'),
    (e) => e instanceof Problem && e.kind === 'invalid_request' && /query/.test(e.detail),
  );
});

test('hits are in order of their final score, and equal ones in order of their ids', async () => {
  const twins = ['c', 'a', 'b'].map((id) => server(id, 'Twin', 'Sends telegrams.', { tools: [] }));
  const { search } = await started([...many, ...twins]);
  assert.deepEqual(idsOf((await ask(search, 'send telegrams')).hits.slice(0, 3)), ['a', 'b', 'c']);
  const scores = (await ask(search, 'maps and news', { limit: 50 })).hits.map((hit) => hit.finalScore);
  assert.deepEqual(
    scores,
    [...scores].sort((a, b) => b - a),
  );
});

test('the order is the same whatever the size of the page: a popular server from far down gets onto the first', async () => {
  // Alike but for their length, so that relevance falls slowly, and popularity jumps about.
  const alike = Array.from({ length: 200 }, (_, i) =>
    server(`s${i}`, `Ferry ${'line '.repeat(1 + (i % 4))}`, 'Books a ferry.', {
      popularity: ((i * 37) % 101) / 101,
    }),
  );
  const { search } = await started(alike);
  const [all, again] = [[] as SearchHit[], [] as SearchHit[]];
  for (const [limit, into] of [
    [50, all],
    [1, again],
  ] as const) {
    let cursor: string | undefined;
    while (into.length < 100) {
      const { hits, nextCursor } = await ask(search, 'book a ferry', { limit, cursor });
      into.push(...hits);
      cursor = nextCursor ?? undefined;
    }
  }
  const scores = all.map(({ finalScore }) => finalScore);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
  assert.deepEqual(idsOf(again), idsOf(all));
  const [first] = (await ask(search, 'book a ferry', { limit: 1, minScore: scores[30] ?? 0 })).hits;
  assert.equal(first?.serverId, all[0]?.serverId);
});

test('a server that works gets onto a page from below those that fit as well and were never tried', async () => {
  const load =
    'cars, dogs, bicycles, tents, boats, caravans, lorries, horses, prams, canoes, sledges and pianos';
  const near = `Books a ferry over the sea for families, schools, clubs, bands and farmers with ${load}.`;
  const behind = `${near} Daily.`;
  const alike = Array.from({ length: 100 }, (_, i) =>
    server(`s${100 + i}`, 'Ferry', i < 5 ? near : behind, { popularity: 1, tools: [] }),
  );
  const proven = 's190';
  const model: UsageModel = {
    version: '1',
    isEmpty: false,
    hasNoQueries: true,
    commonVersion: 1,
    scoreUsage: () => new Map(),
    outcomes: (id) => ({ good: id === proven ? 100 : 0, bad: 0 }),
    commonOutcomes: () => [],
  };
  const plain = await started(alike);
  const scores = (await ask(plain.search, 'book a ferry', { limit: 50 })).hits.map((hit) => hit.finalScore);
  const [first = 0, sixth = 0] = [scores[0], scores[5]];
  assert.ok(sixth < first && sixth * 1.09 > first, `${sixth} lies a little behind ${first}`);
  const { search } = await started(alike, [], { usageModelFor: () => model });
  assert.equal((await ask(search, 'book a ferry', { limit: 1 })).hits[0]?.serverId, proven);
});

test('a mirror that the filters leave out is not named either', async () => {
  const tools = ['send_letter', 'track_letter'].map((name) => ({
    name,
    description: `To ${name}`,
    inputSchema: '{"type":"object"}',
  }));
  const mirror = (id: string, transport: 'stdio' | 'streamable-http') =>
    server(id, 'Post office', 'Sends letters and tells where they are.', { tools, transport });
  const { search } = await started([...many, mirror('m1', 'streamable-http'), mirror('m2', 'stdio')]);
  const [all] = (await ask(search, 'send letters')).hits;
  assert.deepEqual([all?.serverId, all?.alsoAvailableFrom], ['m1', ['m2']]);
  const filters = { transport: ['streamable-http' as const] };
  const [some] = (await ask(search, 'send letters', { filters })).hits;
  assert.deepEqual([some?.serverId, some?.alsoAvailableFrom], ['m1', []]);
});

test('the tools of a long query are those that fit the whole of it, not its last sentence', async () => {
  const tool = (name: string, description: string) => ({
    name,
    description,
    inputSchema: '{"type":"object"}',
  });
  const tools = [
    tool('correspond', 'Mail letters by post'),
    tool('meteorology', 'Rainfall and sunshine outlook'),
  ];
  const { search } = await started([server('odd', 'Helper', 'Does two things.', { tools })]);
  const query =
    'Email inbox message recipient reply forward attach draft newsletter subscriber sender contact address subject signature spam folder outbox compose thread notify invite colleague customer. Weather forecast temperature tomorrow.';
  const [hit] = (await ask(search, query)).hits;
  assert.deepEqual(hit && readHit(hit).tools.map(({ name }) => name), ['correspond', 'meteorology']);
});

test('filters apply before the limit', async () => {
  const { search } = await started(many);
  const filters = {
    verified: true,
    transport: ['stdio' as const],
    auth: ['oauth2' as const],
    category: ['maps'],
  };
  const { hits, total } = await ask(search, 'reads news', { limit: 1, filters });
  assert.match(hits[0]?.serverId ?? '', /^maps-0$/);
  assert.equal(total, 1);
  assert.equal((await ask(search, 'news', { filters: { category: ['nothing'] } })).hits.length, 0);
});

test('pages show every hit once, and a cursor fits its own query only', async () => {
  const { search } = await started(many);
  const whole = idsOf((await ask(search, 'reads maps', { limit: 50 })).hits);
  const paged: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ask(search, 'reads maps', { limit: 7, cursor });
    paged.push(...idsOf(page.hits));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  assert.deepEqual(paged.slice(0, 50), whole);
  assert.equal(new Set(paged).size, paged.length);
  const other = (await ask(search, 'reads news', { limit: 7 })).nextCursor ?? assert.fail('no next page');
  for (const bad of [other, 'garbage', '']) {
    await assert.rejects(ask(search, 'reads maps', { cursor: bad }), /cursor/);
  }
});

test('the second of two equal queries is a cache hit with its own log id; changes and popularity end that', async () => {
  const { search, catalog, log } = await started(many);
  const first = await ask(search, 'maps');
  const second = await ask(search, 'maps');
  assert.deepEqual(
    [first, second].map(({ cacheHit }) => cacheHit),
    [false, true],
  );
  assert.notEqual(first.queryLogId, second.queryLogId);
  assert.deepEqual(first.hits, second.hits);
  assert.equal(log[0]?.shown, log[1]?.shown);
  search.setSignals({
    popularity: new Map([[second.serverIds.at(-1) ?? '', 1]]),
    liveness: new Map(),
  });
  const third = await ask(search, 'maps');
  assert.equal(third.cacheHit, false);
  const raised = third.hits.find(({ serverId }) => serverId === second.serverIds.at(-1));
  assert.equal(raised?.popularity ?? 1, 1);
  catalog.put('maps-0', null);
  await search.settled();
  assert.equal((await ask(search, 'maps')).cacheHit, false);
});

test('an answer is kept for exactly what was asked: whatever may change it makes another question', async () => {
  const { search } = await started(many);
  const cursor = (await ask(search, 'maps', { limit: 1 })).nextCursor ?? '';
  const questions: Partial<SearchRequest>[] = [
    {},
    { limit: 2 },
    { limit: 2, cursor },
    { toolLimit: 1 },
    { explain: true },
    { minScore: 0.01 },
    { filters: { verified: false } },
    { filters: { transport: ['streamable-http'] } },
    { filters: { auth: ['none'] } },
    { filters: { category: ['none'] } },
  ];
  for (const cached of [false, true])
    for (const more of questions)
      assert.equal((await ask(search, 'maps', more)).cacheHit, cached, JSON.stringify(more));
});

test('a change is found after the next refresh, and only what changed is read', async () => {
  const { search, catalog } = await started(many);
  const before = catalog.reads.length;
  catalog.put('new', server('new', 'Tide tables', 'High and low water at the harbour.'));
  catalog.put('weather-0', null);
  search.refresh();
  await search.settled();
  assert.equal((await ask(search, 'low tide at the harbour')).hits[0]?.serverId, 'new');
  const weather = idsOf((await ask(search, 'weather', { limit: 50 })).hits);
  assert.ok(!weather.includes('weather-0'));
  assert.deepEqual(new Set(catalog.reads.slice(before)), new Set([2, 0]));
  assert.equal(search.stats().servers, many.length);
});

test('when the store fails the running snapshot answers on, and the next refresh succeeds', async () => {
  let broken = false;
  const catalog = createCatalog(many);
  const search = createSearch({
    changesSince: async function* (after) {
      if (broken) throw new Error('disk');
      yield* catalog.changesSince(after);
    },
    embedder,
    clock: systemClock,
    newQueryLogId: () => 'ql',
    recordQuery: () => {},
    config: defaultSearchConfig,
    onError: () => {},
  });
  open.push(search);
  await search.start();
  broken = true;
  await assert.rejects(search.settled(), /disk/);
  assert.ok((await ask(search, 'maps')).hits.length > 0);
  broken = false;
  catalog.put('maps-0', null);
  await search.settled();
  assert.equal(search.stats().servers, many.length - 1);
});

test('a rebuild that is under way when search is closed ends with it, and is no error', async () => {
  const catalog = createCatalog(many);
  const errors: unknown[] = [];
  const [reading, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { search } = await started([], errors, {
    async *changesSince(after) {
      for await (const changes of catalog.changesSince(after)) {
        yield changes;
        if (after === 0) continue;
        reading.resolve();
        await closed.promise;
      }
    },
  });
  catalog.put('new', server('new', 'Tide tables', 'High and low water at the harbour.'));
  search.refresh();
  await reading.promise;
  const closing = search.close();
  closed.resolve();
  await closing;
  await assert.rejects(search.settled());
  assert.deepEqual(errors, []);
});

test('a query whose vectors the provider does not have in time is answered without them; the next one is asked of it again', async () => {
  let isSilent = true;
  const provider: Embedder = {
    id: 'provider',
    dims: embedder.dims,
    patienceMs: 1,
    embed: async (texts, kind) =>
      kind === 'query' && isSilent ? new Promise(() => undefined) : embedder.embed(texts, kind),
  };
  const swaps: unknown[] = [];
  const errors: unknown[] = [];
  const { search } = await started(many, errors, {
    provider: async () => provider,
    onSwap: ({ embedder: by, servers }) => swaps.push([by, servers]),
  });
  while (swaps.length === 0) await delay(5);
  assert.deepEqual(swaps, [['provider', many.length]]);
  assert.ok((await ask(search, 'maps')).hits.length > 0);
  assert.deepEqual([search.stats().degraded, search.stats().embedder], [1, 'provider']);
  isSilent = false;
  assert.ok((await ask(search, 'weather')).hits.length > 0);
  assert.equal(search.stats().degraded, 1);
  assert.deepEqual(errors, []);
});

test('explained, a hit has every part of its score', async () => {
  const { search } = await started(many);
  const [hit] = (await ask(search, 'maps', { explain: true })).hits;
  const { usage, livenessFactor, outcomes, lexical = 0 } = hit?.explanation ?? {};
  assert.deepEqual([usage, livenessFactor, outcomes?.factor], [null, 1, 1]);
  assert.ok(lexical > 0 && lexical <= 1);
  assert.equal((await ask(search, 'maps')).hits[0]?.explanation, null);
});

test('an index changed step by step is the index built at once', async () => {
  const names = fc.constantFrom('alpha', 'beta', 'gamma', 'delta', 'epsilon');
  const step = fc.record({ id: names, words: fc.array(names, { maxLength: 4 }), gone: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const stepwise = createIndexBuilder(embedder);
      const now = new Map<string, CatalogServer>();
      for (const [i, { id, words, gone }] of steps.entries()) {
        const next = gone ? null : server(id, words[0] ?? id, words.join(' '));
        if (next === null) now.delete(id);
        else now.set(id, next);
        await stepwise.apply([{ revision: i + 1, id, server: next }]);
        if (i % 2 === 0) stepwise.build(i + 1);
      }
      const atOnce = createIndexBuilder(embedder);
      await atOnce.apply([...now.values()].map((one, i) => ({ revision: i + 1, id: one.id, server: one })));
      const [a, b] = [stepwise.build(99), atOnce.build(99)];
      assert.equal(a.ids, b.ids);
      assert.deepEqual(Buffer.from(a.stored.bytes), Buffer.from(b.stored.bytes));
      assert.deepEqual([...a.docServer], [...b.docServer]);
      assert.equal(a.toolPostings.documents.length, b.toolPostings.documents.length);
      assert.deepEqual(Buffer.from(a.vectors.memory.buffer).compare(Buffer.from(b.vectors.memory.buffer)), 0);
    }),
    { numRuns: runsOf(40) },
  );
});
