/** The server's own engine over a catalog, in process: the same builder, snapshot and ranker. */
import { join } from 'node:path';
import type { CatalogServer } from '../src/catalog/catalog.ts';
import { loadBuiltInEmbedder } from '../src/search/embedding/built-in-embedder.ts';
import type { Embedder } from '../src/search/embedding/embedder.ts';
import { createIndexBuilder } from '../src/search/index/index-builder.ts';
import { createLearning } from '../src/search/learning/learning.ts';
import type { Outcome, UsageModel } from '../src/search/learning/learning-model.ts';
import { type UsageWeights, usageWeights } from '../src/search/learning/usage.ts';
import { createQueryRewriter } from '../src/search/query/query-rewriter.ts';
import { createModelIndexer } from '../src/search/ranking/indexed-model.ts';
import { createRanker, type Ranking, type RankWeights } from '../src/search/ranking/rank.ts';
import { defaultWeights } from '../src/search/ranking/score.ts';
import { type SearchIndex, wholeIndex } from '../src/search/segments/search-index.ts';
import { queryParts } from '../src/search/text/text.ts';
import { type QuerySet, readCatalog, readQueries } from './query-sets.ts';

export type Indexed = SearchIndex;

async function indexServers(servers: readonly CatalogServer[], embedder: Embedder): Promise<Indexed> {
  const builder = createIndexBuilder(embedder);
  await builder.apply(servers.map((server, i) => ({ revision: i + 1, id: server.id, server })));
  return wholeIndex({ snapshot: builder.build(servers.length), lexicon: builder.lexicon });
}

export type AskOptions = {
  readonly limit?: number;
  /** Of each hit so many of its tools. */
  readonly tools?: number;
  readonly without?: ReadonlySet<string>;
  readonly popular?: boolean;
  readonly model?: UsageModel | null;
  /** false: misspelled words are searched as they are. */
  readonly spelling?: boolean;
};

type Vectors = {
  /** A query's vectors for the ranking, and the one for what was learned. */
  of(parts: readonly string[]): { vectors: Float32Array; modelVector: Float32Array };
  hasVector(stem: string): boolean;
};

export type Ask = (query: string, options?: AskOptions) => Ranking;

/** Answers queries over an index; `without` takes servers out of the catalog, as a filter would. */
function createAsk(index: Indexed, vectors: Vectors, weights: RankWeights): Ask {
  const { ids, columns, serverCount } = index;
  const rank = createRanker(index, weights);
  const rewrite = createQueryRewriter(index, vectors.hasVector);
  const toIndexedModel = createModelIndexer(ids, columns.category);
  const nobody = new Float32Array(serverCount);
  return (query, { limit = 10, tools = 0, without, popular = false, model = null, spelling = true } = {}) => {
    const parts = queryParts(rewrite(query, { spelling, mask: null }).text);
    const allowed = without === undefined ? null : Uint8Array.from(ids, (id) => (without.has(id) ? 0 : 1));
    const liveness = new Float32Array(serverCount).fill(1);
    const popularity = popular ? columns.popularity : nobody;
    return rank({
      parts,
      ...vectors.of(parts),
      allowed,
      mask: null,
      popularity,
      liveness,
      callabilities: null,
      ownMirrors: new Map(),
      model: toIndexedModel(model),
      offset: 0,
      limit,
      toolLimit: tools,
      minScore: 0,
      explain: true,
    });
  };
}

/** Everything that the evaluation programs share: one index a catalog, made when first asked for. */
export type Evaluation = {
  readonly folder: string;
  indexOf(set: QuerySet): Promise<Indexed>;
  ask(index: Indexed, weights?: Partial<RankWeights>): Ask;
  /** What a developer's searches know after these outcomes. */
  learn(outcomes: readonly Outcome[], developerId: string, weights?: UsageWeights): Promise<UsageModel>;
};

export function createEvaluation(folder: string, provider: Embedder | null = null): Evaluation {
  const embedder = loadBuiltInEmbedder();
  const known = new Map<string, Float32Array>();
  /** A provider answers later, a ranking now: what a set asks is embedded with its catalog. */
  const prepare = async (set: QuerySet, by: Embedder) => {
    const texts = [...new Set(readQueries(folder, set).flatMap(({ query }) => queryParts(query)))];
    const vectors = await by.embed(texts, 'query');
    for (const [i, text] of texts.entries()) known.set(text, vectors.slice(i * by.dims, (i + 1) * by.dims));
  };
  const builtIn = (parts: readonly string[]) => {
    const vectors = embedder.embed(parts, 'query');
    if (vectors instanceof Float32Array) return vectors;
    throw new Error('the built-in vectors are made at once');
  };
  const vectorsOf: Vectors['of'] = (parts) => {
    const own = builtIn(parts);
    const modelVector = own.subarray(0, embedder.dims);
    if (provider === null) return { vectors: own, modelVector };
    const vectors = new Float32Array(parts.length * provider.dims);
    for (const [i, part] of parts.entries()) {
      const vector = known.get(part);
      if (vector === undefined) throw new Error(`not embedded before: ${part}`);
      vectors.set(vector, i * provider.dims);
    }
    return { vectors, modelVector };
  };
  const ownVectors: Vectors = { of: vectorsOf, hasVector: (stem) => embedder.knows?.(stem) ?? false };
  const made = new Map<string, Promise<Indexed>>();
  return {
    folder,
    async indexOf(set) {
      const { catalog } = set;
      if (provider !== null) await prepare(set, provider);
      const index =
        made.get(catalog) ??
        indexServers(readCatalog(join(folder, catalog, 'catalogue.jsonl')), provider ?? embedder);
      made.set(catalog, index);
      return index;
    },
    async learn(outcomes, developerId, weights = usageWeights) {
      const after = async ({ id }: { id: string }, _through: number, limit: number) => {
        const from = outcomes.findIndex((outcome) => outcome.id === id) + 1;
        return outcomes.slice(from, from + limit);
      };
      const still = { now: () => 0, monotonic: () => 0 };
      const onError = (error: unknown) => {
        throw error;
      };
      const learning = createLearning({
        store: { after, counts: async () => [] },
        embedder,
        clock: still,
        onError,
        weights,
      });
      await learning.update();
      return learning.modelFor(developerId);
    },
    ask: (index, weights = {}) => createAsk(index, ownVectors, { ...defaultWeights, ...weights }),
  };
}
