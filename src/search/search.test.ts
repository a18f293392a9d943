import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { CatalogChange, CatalogServer } from '../catalog/catalog.ts';
import { createBuilder } from './index/builder.ts';
import type { Learned } from './learning/model.ts';
import {
  builtInEmbedder,
  createSearch,
  defaultSearchConfig,
  type QueryLogEntry,
  type Search,
  type SearchQuery,
} from './search.ts';

const embedder = builtInEmbedder();
const caller = { keyId: 'key_1', developerId: 'dev_1' };
const open: Search[] = [];
after(() => Promise.all(open.map((search) => search.close())));

function server(
  id: string,
  name: string,
  description: string,
  more: Partial<CatalogServer> = {},
): CatalogServer {
  return {
    id,
    name,
    description,
    remoteUrl: `https://${id}.example/mcp`,
    transport: 'streamable-http',
    authType: null,
    category: null,
    tags: [],
    verified: false,
    popularity: 0,
    tools: [{ name: `${id}_run`, description: `Run ${name}`, inputSchema: '{"type":"object"}' }],
    ...more,
  };
}

/** A catalogue that the test changes; every put is a revision. */
function createCatalogue(servers: readonly CatalogServer[]) {
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
  more: { learnedBy?: () => Learned } = {},
) {
  const catalogue = createCatalogue(servers);
  const log: QueryLogEntry[] = [];
  let ids = 0;
  const search = createSearch({
    changesSince: catalogue.changesSince,
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
  return { search, catalogue, log };
}

type Reply = {
  servers: {
    id: string;
    tools: { name: string; description: string; input_schema: unknown }[];
    scores: { semantic: number; popularity: number };
    final_score: number;
    match: string;
    also_available_from?: string[];
    explain?: Record<string, unknown>;
  }[];
  metadata: { cache_hit: boolean; total_candidates: number; query_log_id: string; next_cursor?: string };
};

async function ask(search: Search, query: string, more: Partial<SearchQuery> = {}): Promise<Reply> {
  const asked = { query, limit: 10, toolLimit: 10, filters: {}, explain: false, minScore: 0, ...more };
  return JSON.parse((await search.answer(caller, asked)).join('')) as Reply;
}

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

test('a reply has the documented keys, in order, and quotes the server as it is', async () => {
  const odd = server('odd', 'Quo"te\\ \u{1F600}', 'line\nbreak', {
    remoteUrl: null,
    tools: [
      {
        name: 'a"b\\',
        description: '","description":"x',
        inputSchema: '{"type":"object","properties":{"q":{}}}',
      },
    ],
  });
  const { search, log } = await started([odd]);
  const { servers, metadata } = await ask(search, 'line break quote');
  assert.deepEqual(Object.keys(servers[0] ?? {}).slice(0, 7), [
    'id',
    'name',
    'description',
    'remote_url',
    'tools',
    'scores',
    'final_score',
  ]);
  const { tools, id, ...rest } = servers[0] ?? assert.fail('no hit');
  assert.equal(id, 'odd');
  assert.equal((rest as unknown as { name: string }).name, odd.name);
  assert.deepEqual(tools, [
    {
      name: 'a"b\\',
      description: '","description":"x',
      input_schema: { type: 'object', properties: { q: {} } },
    },
  ]);
  assert.deepEqual(Object.keys(metadata), ['latency_ms', 'cache_hit', 'total_candidates', 'query_log_id']);
  assert.deepEqual(log[0]?.shown, ['odd']);
});

test('the server that fits comes first, by words and by meaning', async () => {
  const { search } = await started(many);
  assert.match((await ask(search, 'play a song')).servers[0]?.id ?? '', /^music-/);
  assert.match((await ask(search, 'what will the weather be tomorrow')).servers[0]?.id ?? '', /^weather-/);
});

test('nothing fits: an empty list; blank: a problem that names the field', async () => {
  const { search } = await started(many);
  assert.deepEqual((await ask(search, 'xqzvw')).servers, []);
  assert.deepEqual((await ask(search, 'weather', { minScore: 1 })).servers, []);
  await assert.rejects(
    ask(search, ' \n'),
    (e) => e instanceof Problem && e.kind === 'invalid_request' && /query/.test(e.detail),
  );
});

test('hits are in order of their final score, and equal ones in order of their ids', async () => {
  const twins = ['c', 'a', 'b'].map((id) => server(id, 'Twin', 'Sends telegrams.', { tools: [] }));
  const { search } = await started([...many, ...twins]);
  assert.deepEqual(
    (await ask(search, 'send telegrams')).servers.slice(0, 3).map(({ id }) => id),
    ['a', 'b', 'c'],
  );
  const scores = (await ask(search, 'maps and news', { limit: 50 })).servers.map((s) => s.final_score);
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
  const [all, again] = [[] as Reply['servers'], [] as Reply['servers']];
  for (const [limit, into] of [
    [50, all],
    [1, again],
  ] as const) {
    let cursor: string | undefined;
    while (into.length < 100) {
      const { servers, metadata } = await ask(search, 'book a ferry', { limit, ...(cursor && { cursor }) });
      into.push(...servers);
      cursor = metadata.next_cursor;
    }
  }
  const scores = all.map(({ final_score }) => final_score);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
  assert.deepEqual(
    again.map(({ id }) => id),
    all.map(({ id }) => id),
  );
  const [first] = (await ask(search, 'book a ferry', { limit: 1, minScore: scores[30] ?? 0 })).servers;
  assert.equal(first?.id, all[0]?.id);
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
  const learned: Learned = {
    version: '1',
    blank: false,
    wordless: true,
    commonVersion: 1,
    usage: () => new Map(),
    trials: (id) => ({ good: id === proven ? 100 : 0, bad: 0 }),
    common: () => [],
  };
  const plain = await started(alike);
  const scores = (await ask(plain.search, 'book a ferry', { limit: 50 })).servers.map((s) => s.final_score);
  const [first = 0, sixth = 0] = [scores[0], scores[5]];
  assert.ok(sixth < first && sixth * 1.09 > first, `${sixth} lies a little behind ${first}`);
  const { search } = await started(alike, [], { learnedBy: () => learned });
  assert.equal((await ask(search, 'book a ferry', { limit: 1 })).servers[0]?.id, proven);
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
  const [all] = (await ask(search, 'send letters')).servers;
  assert.deepEqual([all?.id, all?.also_available_from], ['m1', ['m2']]);
  const filters = { transport: ['streamable-http' as const] };
  const [some] = (await ask(search, 'send letters', { filters })).servers;
  assert.deepEqual([some?.id, some?.also_available_from], ['m1', undefined]);
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
  const [hit] = (await ask(search, query)).servers;
  assert.deepEqual(
    hit?.tools.map(({ name }) => name),
    ['correspond', 'meteorology'],
  );
});

test('filters apply before the limit', async () => {
  const { search } = await started(many);
  const filters = {
    verified: true,
    transport: ['stdio' as const],
    auth: ['oauth2' as const],
    category: ['maps'],
  };
  const { servers, metadata } = await ask(search, 'reads news', { limit: 1, filters });
  assert.match(servers[0]?.id ?? '', /^maps-0$/);
  assert.equal(metadata.total_candidates, 1);
  assert.equal((await ask(search, 'news', { filters: { category: ['nothing'] } })).servers.length, 0);
});

test('pages show every hit once, and a cursor fits its own query only', async () => {
  const { search } = await started(many);
  const whole = (await ask(search, 'reads maps', { limit: 50 })).servers.map(({ id }) => id);
  const paged: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ask(search, 'reads maps', { limit: 7, ...(cursor && { cursor }) });
    paged.push(...page.servers.map(({ id }) => id));
    cursor = page.metadata.next_cursor;
  } while (cursor !== undefined);
  assert.deepEqual(paged.slice(0, 50), whole);
  assert.equal(new Set(paged).size, paged.length);
  const other =
    (await ask(search, 'reads news', { limit: 7 })).metadata.next_cursor ?? assert.fail('no next page');
  for (const bad of [other, 'garbage', '']) {
    await assert.rejects(ask(search, 'reads maps', { cursor: bad }), /cursor/);
  }
});

test('the second of two equal queries is a cache hit with its own log id; changes and popularity end that', async () => {
  const { search, catalogue, log } = await started(many);
  const first = await ask(search, 'maps');
  const second = await ask(search, 'maps');
  assert.deepEqual(
    [first, second].map(({ metadata }) => metadata.cache_hit),
    [false, true],
  );
  assert.notEqual(first.metadata.query_log_id, second.metadata.query_log_id);
  assert.deepEqual(first.servers, second.servers);
  assert.equal(log[0]?.shown, log[1]?.shown);
  search.setFacts({
    popularity: new Map([[second.servers.at(-1)?.id ?? '', 1]]),
    liveness: new Map(),
  });
  const third = await ask(search, 'maps');
  assert.equal(third.metadata.cache_hit, false);
  assert.equal(third.servers.find(({ id }) => id === second.servers.at(-1)?.id)?.scores.popularity ?? 1, 1);
  catalogue.put('maps-0', null);
  await search.settled();
  assert.equal((await ask(search, 'maps')).metadata.cache_hit, false);
});

test('an answer is kept for exactly what was asked: whatever may change it makes another question', async () => {
  const { search } = await started(many);
  const cursor = (await ask(search, 'maps', { limit: 1 })).metadata.next_cursor ?? '';
  const questions: Partial<SearchQuery>[] = [
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
      assert.equal((await ask(search, 'maps', more)).metadata.cache_hit, cached, JSON.stringify(more));
});

test('a change is found after the next refresh, and only what changed is read', async () => {
  const { search, catalogue } = await started(many);
  catalogue.put('new', server('new', 'Tide tables', 'High and low water at the harbour.'));
  catalogue.put('weather-0', null);
  search.refresh();
  await search.settled();
  assert.equal((await ask(search, 'low tide at the harbour')).servers[0]?.id, 'new');
  const weather = (await ask(search, 'weather', { limit: 50 })).servers.map(({ id }) => id);
  assert.ok(!weather.includes('weather-0'));
  assert.equal(catalogue.reads[1], 2);
  assert.equal(search.stats().servers, many.length);
});

test('when the store fails the running snapshot answers on, and the next refresh succeeds', async () => {
  let broken = false;
  const catalogue = createCatalogue(many);
  const search = createSearch({
    changesSince: async function* (after) {
      if (broken) throw new Error('disk');
      yield* catalogue.changesSince(after);
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
  assert.ok((await ask(search, 'maps')).servers.length > 0);
  broken = false;
  catalogue.put('maps-0', null);
  await search.settled();
  assert.equal(search.stats().servers, many.length - 1);
});

test('explain names every part, and a batch answers in order', async () => {
  const { search } = await started(many);
  const [hit] = (await ask(search, 'maps', { explain: true })).servers;
  assert.deepEqual(Object.keys(hit?.explain ?? {}), [
    'relevance',
    'lexical',
    'cosine',
    'evidence',
    'popularity_factor',
    'liveness_factor',
    'usage',
    'outcomes',
  ]);
  const one = { limit: 1, toolLimit: 1, filters: {}, explain: false, minScore: 0 };
  const both = await search.answerBatch(caller, [
    { query: 'maps', ...one },
    { query: 'music', ...one },
  ]);
  const { results } = JSON.parse(both.join('')) as { results: Reply[] };
  assert.deepEqual(
    results.map(({ servers }) => servers[0]?.id.split('-')[0]),
    ['maps', 'music'],
  );
});

test('an index changed step by step is the index built at once', async () => {
  const names = fc.constantFrom('alpha', 'beta', 'gamma', 'delta', 'epsilon');
  const step = fc.record({ id: names, words: fc.array(names, { maxLength: 4 }), gone: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const stepwise = createBuilder(embedder);
      const now = new Map<string, CatalogServer>();
      for (const [i, { id, words, gone }] of steps.entries()) {
        const next = gone ? null : server(id, words[0] ?? id, words.join(' '));
        if (next === null) now.delete(id);
        else now.set(id, next);
        await stepwise.apply([{ revision: i + 1, id, server: next }]);
        if (i % 2 === 0) stepwise.build(i + 1);
      }
      const atOnce = createBuilder(embedder);
      await atOnce.apply([...now.values()].map((one, i) => ({ revision: i + 1, id: one.id, server: one })));
      const [a, b] = [stepwise.build(99), atOnce.build(99)];
      assert.equal(a.ids, b.ids);
      assert.deepEqual(Buffer.from(a.pieces), Buffer.from(b.pieces));
      assert.deepEqual([...a.docServer], [...b.docServer]);
      assert.equal(a.toolPostings.documents.length, b.toolPostings.documents.length);
      assert.deepEqual(Buffer.from(a.vectors.memory.buffer).compare(Buffer.from(b.vectors.memory.buffer)), 0);
    }),
    { numRuns: 40 },
  );
});
