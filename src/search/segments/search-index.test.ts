import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../../test/support/full-run.ts';
import type { CatalogServer } from '../../catalog/catalog.ts';
import { createActiveSnapshot } from '../active-snapshot.ts';
import { createIndexBuilder } from '../index/index-builder.ts';
import { scoreServers } from '../relevance/relevance.ts';
import { createRelevanceIndex } from '../relevance/relevance-index.ts';
import { defaultSearchConfig, loadBuiltInEmbedder, readHit } from '../search.ts';
import type { SearchFilters, SearchView } from '../search-model.ts';
import { createPatchBuilder } from './patch-builder.ts';
import { type SearchIndex, wholeIndex } from './search-index.ts';

const embedder = loadBuiltInEmbedder();
const { weights } = defaultSearchConfig;
const words =
  'weather mail nail sail calendar database music payment invoice maps news harbour tides forecast'.split(
    ' ',
  );
/** Of few servers, and gone with them. */
const rare = ['quokka', 'numbat', 'bilby'];
const queries = [
  'send a mail',
  'forecast of the tides',
  'wheather at the harbour',
  'invioce',
  'a quokka in the harbour',
  'numbat or bilby',
  'vail',
  'create an event in the calendar. Then send the invoice of the payment by mail to everybody who listens to the music, and put the news of the harbour and of the weather there into the database',
];

type Drawn = {
  readonly n: number;
  readonly of: readonly number[];
  readonly tools: number;
  readonly odd: number;
};
const drawn = fc.record({
  n: fc.nat(60),
  of: fc.array(fc.nat(words.length - 1), { minLength: 3, maxLength: 3 }),
  tools: fc.nat(3),
  odd: fc.nat(20),
});

function serverOf({ n, of, tools, odd }: Drawn): CatalogServer {
  const said = of.map((word) => words[word]).join(' ');
  return {
    id: `server-${n}`,
    name: `${words[n % words.length]} ${n % 3}`,
    description: odd === 0 ? '' : `Looks after the ${said}${odd < 3 ? ` and the ${rare[n % 3]}` : ''}`,
    remoteUrl: odd % 5 === 0 ? null : 'https://nobody.example/mcp',
    transport: odd % 5 === 0 ? 'stdio' : 'streamable-http',
    authType: n % 3 === 0 ? 'oauth2' : null,
    category: odd % 4 === 0 ? null : (words[of[0] ?? 0] ?? null),
    tags: odd % 2 === 0 ? ['a', `tag ${of[0]}`] : [],
    verified: n % 2 === 0,
    popularity: n / 100,
    tools: Array.from({ length: tools }, (_, t) => ({
      name: `run_${words[(n + t) % words.length]}`,
      description: `Runs the ${said} ${t}`,
      inputSchema: '{"type":"object","properties":{"harbour":{"description":"Which"}}}',
    })),
  };
}

/** Each second server, and of each third one the first tool alone. */
const view: SearchView = {
  key: 'some',
  toolsOf({ id }) {
    const n = Number(id.split('-')[1]);
    if (n % 2 === 0) return 'all';
    return n % 3 === 0 ? (tool) => tool?.name.includes('a') ?? true : 'none';
  },
};

function answersOf(index: SearchIndex) {
  const snapshot = createActiveSnapshot(
    index,
    { weights, builtIn: embedder, isConfigured: (id) => id === 'server-7' },
    { popularity: new Map([['server-4', 0.9]]), liveness: new Map([['server-5', 0.5]]) },
  );
  const caller = { keyId: 'k', developerId: 'd' };
  const ask = (query: string, filters: SearchFilters, seen: SearchView | null, cursor?: string) => {
    const options = { limit: 4, toolLimit: 2, minScore: 0, explain: true };
    const page = snapshot.parse({ caller, query, filters, view: seen, cursor, ...options });
    const vectors = embedder.embed(page.parts, 'query') as Float32Array;
    return snapshot.rank(page, { vectors, modelVector: vectors.subarray(0, embedder.dims) }, null);
  };
  return queries.flatMap((query) =>
    [{}, { category: ['mail', 'none'] }, { callable: true }].flatMap((filters) =>
      [null, view].flatMap((seen) => {
        const first = ask(query, filters, seen);
        const pages =
          first.nextCursor === null ? [first] : [first, ask(query, filters, seen, first.nextCursor)];
        return pages.map(({ hits, ...page }) => ({
          ...page,
          hits: hits.map(({ documents, ...hit }) => ({
            ...hit,
            shown: readHit({ documents, ...hit }),
            bytes: [hit.server, ...hit.tools].map((each) => [each, documents.byteLength(each)]),
          })),
        }));
      }),
    ),
  );
}

test('a snapshot with changes beside it answers as one that is built of all, to the last digit', async () => {
  let patched = 0;

  const many = fc.array(drawn, { minLength: 20, maxLength: 80 });
  const steps = fc.array(fc.array(fc.tuple(drawn, fc.nat(3)), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(many, steps, async (first, later) => {
      const catalogue = new Map<string, CatalogServer>();
      let revision = 0;
      const change = (one: Drawn, isRemoved = false) => {
        const server = serverOf(one);
        if (isRemoved) catalogue.delete(server.id);
        else catalogue.set(server.id, server);
        return { id: server.id, revision: ++revision, server: isRemoved ? null : server };
      };
      const buildWhole = async () => {
        const builder = createIndexBuilder(embedder);
        await builder.apply([...catalogue].map(([id, server]) => ({ id, revision, server })));
        return { snapshot: builder.build(revision), lexicon: builder.lexicon };
      };
      for (const one of first) change(one);
      let patch = createPatchBuilder(embedder, await buildWhole());
      for (const step of later) {
        await patch.apply(step.map(([one, kind]) => change(one, kind === 0)));
        const index = patch.build(revision);
        const whole = await buildWhole();
        if (index === null) {
          patch = createPatchBuilder(embedder, whole);
          continue;
        }
        patched++;
        assert.deepEqual(answersOf(index), answersOf(wholeIndex(whole)));
      }
    }),
    { numRuns: runsOf(60) },
  );
  assert.ok(patched > 0);
});

test('a snapshot alone is measured as one with something beside it, or behind a filter, is: to the last bit', async () => {
  const builder = createIndexBuilder(embedder);
  const servers = words.map((_, n) =>
    serverOf({ n, of: [n, (n * 5) % words.length, 3], tools: n % 4, odd: n }),
  );
  await builder.apply(servers.map((server, i) => ({ id: server.id, revision: i + 1, server })));
  const snapshot = builder.build(servers.length);
  const index = createRelevanceIndex(wholeIndex({ snapshot, lexicon: builder.lexicon }), weights);
  const allowed = new Uint8Array(servers.length).fill(1);
  for (const query of queries) {
    const asked = { parts: [query], vectors: embedder.embed([query], 'query') as Float32Array, mask: null };
    const [alone, filtered] = [null, allowed].map((each) => {
      const { relevance, bestLexical } = scoreServers(index, { ...asked, allowed: each });
      return { relevance: [...relevance], bestLexical };
    });
    assert.deepEqual(alone, filtered);
  }
});
