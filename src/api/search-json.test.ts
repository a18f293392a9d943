import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { searchedServer } from '../../test/support/search-room.ts';
import { createIndexBuilder } from '../search/index/index-builder.ts';
import { openDocuments } from '../search/index/stored-fields.ts';
import { noEvidence } from '../search/ranking/score.ts';
import type { HitExplanation, SearchHit, SearchResult } from '../search/search.ts';
import { createSearchJson } from './search-json.ts';

const inputSchema = '{ "type":"object", "properties":{"größe":{"maximum":1.0}} }';
const odd = searchedServer('odd', 'line\nbreak', {
  name: 'Quo"te\\ \u{1F600}',
  remoteUrl: null,
  tools: [{ name: 'a"b\\', description: '","description":"x', inputSchema }],
});
const builder = createIndexBuilder({ dims: 64, embed: (texts) => new Float32Array(64 * texts.length) });
await builder.apply([{ revision: 1, id: odd.id, server: odd }]);
const documents = openDocuments(builder.build(1).stored);

function hit(more: Partial<SearchHit> = {}): SearchHit {
  return {
    serverId: 'odd',
    documents,
    server: 0,
    tools: [1],
    semantic: 0.5,
    popularity: 0,
    finalScore: 0.8912,
    match: 'weak',
    alsoAvailableFrom: [],
    explanation: null,
    ...more,
  };
}

function result(hits: readonly SearchHit[], more: Partial<SearchResult> = {}): SearchResult {
  const page = {
    hits,
    serverIds: hits.map(() => 'odd'),
    firstRank: 1,
    total: 7,
    correctedQuery: null,
    nextCursor: null,
  };
  const own = { queryLogId: 'ql_1', latencyMs: 1.23456, cacheHit: false };
  return { page, pageKey: 'key', connections: null, ...own, ...more };
}

const render = (one: SearchResult) => createSearchJson().render(one).join('');

test('a reply has the documented keys, in order, and quotes the server as it is', () => {
  assert.deepEqual(JSON.parse(render(result([hit(), hit({ match: 'strong' })]))), {
    servers: [0, 1].map((i) => ({
      id: 'odd',
      name: odd.name,
      description: odd.description,
      remote_url: null,
      tools: [{ name: 'a"b\\', description: '","description":"x', input_schema: JSON.parse(inputSchema) }],
      scores: { semantic: 0.5, popularity: 0 },
      final_score: 0.8912,
      match: i === 0 ? 'weak' : 'strong',
    })),
    metadata: { latency_ms: 1.235, cache_hit: false, total_candidates: 7, query_log_id: 'ql_1' },
  });
  const text = render(result([hit()]));
  assert.match(text, /^\{"servers":\[\{"id":.*"name":.*"description":.*"remote_url":.*"tools":\[\{"name":/);
  assert.ok(text.includes(`"input_schema":${inputSchema}}`), 'a schema keeps its text');
});

test('what few hits have stands at their end: other sources, the explanation, the connection', () => {
  const explanation: HitExplanation = {
    ...{
      query: 'odd',
      relevance: 1,
      lexical: 0.5,
      cosine: 0.25,
      evidence: noEvidence,
      popularityFactor: 0.8,
      livenessFactor: 1,
    },
    usage: { bonus: 1, nearest: 0.5, words: 2, answerability: 0.1, cosine: 0.3, successes: 4 },
    outcomes: { good: 1, bad: 0, prior: 0.9, posterior: 0.92, factor: 1.02, explorationBonus: 1 },
  };
  const hits = [hit({ alsoAvailableFrom: ['b', 'c"'] }), hit({ explanation })];
  const [first, second] = (
    JSON.parse(render(result(hits, { connections: ['ready', 'open'] }))) as {
      servers: Record<string, unknown>[];
    }
  ).servers;
  assert.deepEqual(Object.entries(first ?? {}).slice(-2), [
    ['also_available_from', ['b', 'c"']],
    ['connection', 'ready'],
  ]);
  assert.deepEqual(Object.keys(second ?? {}).slice(-2), ['explain', 'connection']);
  const { usage, outcomes, ...parts } = (second?.explain ?? {}) as Record<string, object>;
  assert.deepEqual(Object.keys(parts), [
    'query',
    'relevance',
    'lexical',
    'cosine',
    'evidence',
    'popularity_factor',
    'liveness_factor',
  ]);
  assert.deepEqual(Object.keys(usage ?? {}), ['bonus', 'nearest', 'sure', 'words', 'cosine', 'successes']);
  assert.deepEqual(Object.keys(outcomes ?? {}), ['good', 'bad', 'prior', 'posterior', 'factor', 'newcomer']);
});

test('a score is written as JSON would write it', () => {
  const { render } = createSearchJson();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), (n) => {
      const text = render(result([hit({ finalScore: n / 10_000 })])).join('');
      assert.ok(text.includes(`"final_score":${n / 10_000},`), String(n));
    }),
  );
});

test('a page that was asked for again is rendered once, each reply with its own metadata', () => {
  const json = createSearchJson();
  const again = (queryLogId: string) => json.render(result([hit()], { cacheHit: true, queryLogId }));
  const [first, second] = [again('ql_1'), again('ql_2')];
  assert.equal(first[0], second[0]);
  assert.match(String(second[1]), /"cache_hit":true,.*"query_log_id":"ql_2"/);
  const other = json.render(result([], { cacheHit: true, pageKey: 'other' }));
  assert.match(other.join(''), /^\{"servers":\[\],/);
  const own = json.render(result([], { cacheHit: true, pageKey: null }));
  assert.match(own.join(''), /^\{"servers":\[\],/);
});

test('a batch has its results in order', () => {
  const batch = createSearchJson().renderBatch([result([hit()]), result([], { queryLogId: 'ql_2' })]);
  const { results } = JSON.parse(batch.join('')) as { results: { servers: unknown[]; metadata: object }[] };
  assert.deepEqual(
    results.map(({ servers }) => servers.length),
    [1, 0],
  );
  assert.equal(createSearchJson().renderBatch([]).join(''), '{"results":[]}');
});
