/**
 * Search: ranked answers from an immutable snapshot of the catalogue held in memory.
 *
 * Promises: an answer comes from exactly one snapshot and never waits for a rebuild; a change of the catalogue is
 * analysed in a thread of its own and swapped in; equal scores are ordered by id; nothing is looked up per query.
 * When the store fails while a snapshot is fed, or the builder thread dies, the running snapshot stays, the error
 * goes to `onError`, and the next refresh tries again (a dead builder is replaced and reads from the beginning).
 * When the embedder fails, `answer` rejects with its Problem. When the query log fails, no search notices.
 */
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { CatalogChange } from '../catalog/catalog.ts';
import { createByteCache } from './cache.ts';
import { type Embedder, loadEmbedder } from './embedder.ts';
import { createFeed } from './feed.ts';
import type { Learned } from './learning/model.ts';
import type { RankWeights } from './ranking/rank.ts';
import { defaultWeights } from './ranking/score.ts';
import { type Body, composeBatch, metadataOf, type Shown } from './reply.ts';
import { createView, type SearchQuery, type ServerFacts, type View } from './view.ts';

export type { SearchQuery };

export type QueryLogEntry = {
  readonly queryLogId: string;
  readonly at: number;
  readonly keyId: string;
  readonly developerId: string;
  readonly query: string;
  /** The revision of the snapshot that answered. */
  readonly snapshot: number;
  readonly cacheHit: boolean;
  readonly latencyMs: number;
  /** What the reply showed, best first; one array for all hits of one cached reply. */
  readonly shown: readonly Shown[];
  readonly total: number;
};

export type Caller = { readonly keyId: string; readonly developerId: string };

export type SearchConfig = { readonly weights: RankWeights; readonly cacheBytes: number };

export const defaultSearchConfig: SearchConfig = { weights: defaultWeights, cacheBytes: 32 * 1024 * 1024 };

/** The embedder that needs no service: the committed word vectors. Throws a `setup` Problem when they are damaged. */
export function builtInEmbedder(): Embedder {
  return loadEmbedder();
}

export type SearchStats = {
  readonly servers: number;
  readonly tools: number;
  readonly revision: number;
  readonly snapshotBytes: number;
  readonly builtInMs: number;
  readonly cache: {
    readonly entries: number;
    readonly bytes: number;
    readonly hits: number;
    readonly misses: number;
  };
};

export type SearchDeps = {
  /** Batches in revision order, everything after the given revision. */
  changesSince(revision: number): AsyncIterable<readonly CatalogChange[]>;
  readonly embedder: Embedder;
  readonly clock: Clock;
  newQueryLogId(): string;
  recordQuery(entry: QueryLogEntry): void;
  /** What this developer's searches may use of recorded outcomes; without it, nothing is learned. */
  learnedBy?(developerId: string): Learned;
  readonly config: SearchConfig;
  onError(error: unknown): void;
};

export type Search = {
  /** Builds the first snapshot; rejects when that fails. */
  start(): Promise<void>;
  ready(): boolean;
  /** The reply's whole JSON body, in parts: the first is shared with the cache and must not be written to. */
  answer(caller: Caller, query: SearchQuery): Promise<readonly Buffer[]>;
  answerBatch(caller: Caller, queries: readonly SearchQuery[]): Promise<readonly Buffer[]>;
  /** The catalogue changed: builds beside the running snapshot; calls that come meanwhile become one. */
  refresh(): void;
  /** Resolves when the running snapshot covers everything that was known at the call. */
  settled(): Promise<void>;
  /** New popularity and liveness, without a rebuild; servers whose popularity is not given keep theirs. */
  setFacts(facts: ServerFacts): void;
  stats(): SearchStats;
  close(): Promise<void>;
};

type Answer = Body & { readonly total: number; readonly nextCursor: string | null };

export function createSearch(deps: SearchDeps): Search {
  const { clock, embedder, config } = deps;
  const feed = createFeed(deps.changesSince, embedder);
  const cache = createByteCache<Answer>(config.cacheBytes);
  const underway = new Map<string, Promise<Answer>>();
  const popularity = new Map<string, number>();
  let facts: ServerFacts = { popularity, liveness: new Map() };
  let view: View | undefined;
  let builtInMs = 0;
  let hits = 0;
  let misses = 0;
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;

  async function build(): Promise<void> {
    const began = clock.monotonic();
    const built = await feed.pass();
    if (built === null) return;
    builtInMs = clock.monotonic() - began;
    view = createView(built, config.weights, facts);
    cache.clear();
  }

  /** A pass that begins after this call: the one running may have read the catalogue already. */
  function pass(): Promise<void> {
    if (running === undefined) {
      running = build().finally(() => {
        running = undefined;
      });
      return running;
    }
    queued ??= running
      .catch(() => {})
      .then(() => {
        queued = undefined;
        return pass();
      });
    return queued;
  }

  function find(
    on: View,
    key: string,
    query: SearchQuery,
    learned: Learned | null,
  ): Answer | Promise<Answer> {
    const page = on.pageOf(query);
    const vectors = embedder.embed(page.parts, 'query');
    const keep = (answer: Answer) => {
      // Spliced bytes, the key twice (map and log), and what the shown list holds.
      if (view === on)
        cache.set(key, answer, answer.prefix.length + 2 * key.length + 64 * answer.shown.length);
      return answer;
    };
    if (vectors instanceof Float32Array) return keep(on.answer(query, page, vectors, learned));
    const made = vectors
      .then((v) => keep(on.answer(query, page, v, learned)))
      .finally(() => underway.delete(key));
    underway.set(key, made);
    return made;
  }

  async function answer(caller: Caller, query: SearchQuery): Promise<readonly Buffer[]> {
    const began = clock.monotonic();
    if (query.query.trim() === '') throw new Problem('invalid_request', 'query: must not be blank.');
    if (view === undefined)
      throw new Problem('unavailable', 'The search index is still loading.', { retryAfterMs: 1000 });
    const on = view;
    const learned = deps.learnedBy?.(caller.developerId) ?? null;
    const key = `${on.version()} ${learned?.version ?? ''}\n${keyOf(query)}`;
    const cached = cache.get(key);
    if (cached === undefined) misses++;
    else hits++;
    const found = cached ?? underway.get(key) ?? find(on, key, query, learned);
    const { prefix, shown, total, nextCursor } = found instanceof Promise ? await found : found;
    const queryLogId = deps.newQueryLogId();
    const cacheHit = cached !== undefined;
    const latencyMs = clock.monotonic() - began;
    const own = metadataOf({
      latencyMs,
      cacheHit,
      totalCandidates: total,
      queryLogId,
      nextCursor,
    });
    const { keyId, developerId } = caller;
    const said = { query: query.query, snapshot: on.revision, cacheHit, latencyMs, shown, total };
    deps.recordQuery({ queryLogId, at: clock.now(), keyId, developerId, ...said });
    return [prefix, own];
  }

  return {
    start: () => pass(),
    ready: () => view !== undefined,
    answer,
    async answerBatch(caller, queries) {
      return composeBatch(await Promise.all(queries.map((query) => answer(caller, query))));
    },
    refresh() {
      pass().catch(deps.onError);
    },
    settled: () => pass(),
    setFacts({ popularity: values, liveness }) {
      for (const [id, value] of values) popularity.set(id, value);
      facts = { popularity, liveness };
      view?.setFacts(facts);
      cache.clear();
    },
    stats: () => ({
      servers: view?.servers ?? 0,
      tools: view?.tools ?? 0,
      revision: view?.revision ?? 0,
      snapshotBytes: view?.bytes ?? 0,
      builtInMs,
      cache: { ...cache.stats(), hits, misses },
    }),
    close: () => feed.close(),
  };
}

/** All of a request that its answer depends on. */
function keyOf({ query, limit, toolLimit, filters, explain, minScore, cursor }: SearchQuery): string {
  const { transport, auth, category, verified } = filters;
  return JSON.stringify([
    query,
    limit,
    toolLimit,
    transport,
    auth,
    category,
    verified,
    explain,
    minScore,
    cursor,
  ]);
}
