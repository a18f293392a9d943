import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StoredDocuments } from './index/stored-fields.ts';
import { createPageCache } from './page-cache.ts';
import type { SearchHit } from './ranking/rank.ts';
import { noEvidence } from './ranking/score.ts';
import type { SearchPage } from './search-model.ts';

const documents = {} as StoredDocuments;

function page(hits: readonly SearchHit[] = [], total = 0): SearchPage {
  return {
    hits,
    serverIds: hits.map(({ serverId }) => serverId),
    firstRank: 1,
    total,
    correctedQuery: null,
    nextCursor: null,
  };
}

const score = fc.integer({ min: 0, max: 10_000 }).map((n) => n / 10_000);
const explanation = {
  query: '',
  ...{ relevance: 1, lexical: 1, cosine: 1, evidence: noEvidence, popularityFactor: 1, livenessFactor: 1 },
  usage: null,
  outcomes: { good: 0, bad: 0, prior: 0.9, posterior: 0.9, factor: 1, explorationBonus: 1 },
};
const hit: fc.Arbitrary<SearchHit> = fc.record(
  {
    serverId: fc.string(),
    semantic: score,
    popularity: score,
    finalScore: score,
    match: fc.constantFrom('strong', 'weak'),
    alsoAvailableFrom: fc.array(fc.string(), { maxLength: 2 }),
    explanation: fc.constantFrom(null, explanation),
    documents: fc.constant(documents),
    server: fc.nat(),
    tools: fc.array(fc.nat(), { maxLength: 50 }),
  },
  { noNullPrototype: true },
);

test('a page that was kept is the page that was ranked', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(hit, { maxLength: 10 }), fc.nat(), async (hits, total) => {
      const cache = createPageCache(1_000_000);
      const ranked = page(hits, total);
      assert.equal(await cache.load('key', async () => ranked), ranked);
      const kept = cache.get('key') ?? assert.fail('not kept');
      const { serverIds, firstRank, correctedQuery, nextCursor } = kept;
      const pages = { serverIds, firstRank, total: kept.total, correctedQuery, nextCursor };
      assert.deepEqual({ hits: kept.hits, ...pages }, ranked);
    }),
  );
});

test('no more bytes are kept than it may, and what was asked for last stays', async () => {
  const cache = createPageCache(5_000);
  for (let i = 0; i < 50; i++) {
    await cache.load(`key ${i}`, async () => page());
    assert.ok(cache.stats().bytes <= 5_000);
  }
  assert.notEqual(cache.get('key 49'), undefined);
  assert.equal(cache.get('key 0'), undefined);
});

test('who asks for a page that is being ranked gets that one, and a failure is not kept', async () => {
  const cache = createPageCache(5_000);
  const { promise, resolve } = Promise.withResolvers<SearchPage>();
  let ranked = 0;
  const load = () =>
    cache.load('key', () => {
      ranked++;
      return promise;
    });
  const both = Promise.all([load(), load()]);
  resolve(page());
  const [first, second] = await both;
  assert.deepEqual([ranked, first === second], [1, true]);
  await assert.rejects(
    cache.load('other', () => Promise.reject(new Error('provider'))),
    /provider/,
  );
  assert.equal(await cache.load('other', async () => first), first);
});

test('a page that was being ranked when everything was cleared is answered and not kept', async () => {
  const cache = createPageCache(5_000);
  const { promise, resolve } = Promise.withResolvers<SearchPage>();
  const loaded = cache.load('key', () => promise);
  cache.clear();
  resolve(page());
  await loaded;
  assert.equal(cache.get('key'), undefined);
});
