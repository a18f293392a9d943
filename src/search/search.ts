/**
 * Search: ranked answers from an immutable snapshot of the catalog held in memory.
 *
 * Promises: an answer comes from exactly one state of the catalog and never waits for a rebuild; what changed is read
 * beside the snapshot, or, where it is much, into a new one in a thread of its own, and swapped in; equal scores are
 * ordered by id; nothing is looked up per query.
 * When the store fails while a snapshot is built, or the builder thread dies, the running snapshot stays, the error
 * goes to `onError`, and the next refresh tries again (a dead builder is replaced and reads from the beginning).
 * When a provider of vectors fails, the built-in ones answer and it is asked again half a minute later; a query whose
 * vectors it does not have in time is answered without them; its index is built beside and swapped in whole. When the
 * query log fails, no search notices.
 */
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import { inSpan, noTracing, type Tracing } from '../base/tracing.ts';
import type { CatalogServer } from '../catalog/catalog.ts';
import type { ActiveSnapshot } from './active-snapshot.ts';
import type { EmbedderIndex } from './embedder-index.ts';
import { type Embedder, embedQuery } from './embedding/embedder.ts';
import { createFailover, type Failover } from './failover.ts';
import type { ChangesSince } from './index/builder-client.ts';
import type { KeptIndexOptions } from './kept-index/kept-index.ts';
import type { UsageModel } from './learning/learning-model.ts';
import { pageOf, readOwnTools, withOwnTools } from './own-tools/own-tools.ts';
import type { OwnTools } from './own-tools/own-tools-model.ts';
import { type CacheStats, createPageCache } from './page-cache.ts';
import type { RankWeights } from './ranking/rank.ts';
import { defaultWeights } from './ranking/score.ts';
import type {
  QueryLogEntry,
  RankingSignals,
  SearchPage,
  SearchRequest,
  SearchResult,
} from './search-model.ts';

export { loadBuiltInEmbedder } from './embedding/built-in-embedder.ts';
export type { Embedder } from './embedding/embedder.ts';
export type { OwnTools } from './own-tools/own-tools-model.ts';
export type { HitExplanation } from './ranking/explanation.ts';
export type { SearchHit } from './ranking/rank.ts';
export type {
  ConnectionLookup,
  ConnectionState,
  QueryLogEntry,
  QueryLogSummary,
  SearchPage,
  SearchRequest,
  SearchResult,
  SearchView,
} from './search-model.ts';
export { howToConnect, readHit } from './search-model.ts';

export type SearchConfig = {
  readonly weights: RankWeights;
  /** Of pages that may be asked for again. */
  readonly cacheBytes: number;
};

export const defaultSearchConfig: SearchConfig = { weights: defaultWeights, cacheBytes: 16 * 1024 * 1024 };

export type SearchStats = {
  readonly servers: number;
  readonly tools: number;
  readonly revision: number;
  readonly snapshotBytes: number;
  readonly builtInMs: number;
  /** Whose vectors answer now, and how many queries fell back from a provider to the built-in ones. */
  readonly embedder: string;
  readonly degraded: number;
  readonly cache: CacheStats;
};

export type SearchDeps = {
  /** Batches in revision order, everything after the given revision. */
  readonly changesSince: ChangesSince;
  /** Answers from the start, and whenever the provider cannot. */
  readonly embedder: Embedder;
  /** Where its index outlives the process; without, each start builds it. */
  readonly kept?: KeptIndexOptions | undefined;
  /** Connects to a better one; its index is built beside and swapped in when it is whole. */
  readonly provider?: (() => Promise<Embedder>) | undefined;
  readonly clock: Clock;
  readonly tracing?: Tracing;
  newQueryLogId(): string;
  recordQuery(entry: QueryLogEntry): void;
  /** What this developer's searches may use of recorded outcomes; without it, nothing is learned. */
  usageModelFor?(developerId: string): UsageModel;
  /** Whether the operator's configuration names a server; without it, nothing is said of what can be called from here. */
  isConfigured?(serverId: string): boolean;
  readonly config: SearchConfig;
  /** The index of the provider is whole, and answers from now on. */
  onSwap?(by: Swapped): void;
  onError(error: unknown): void;
};

/** Whose vectors answer, over what, and how long it took to build that: milliseconds. */
export type Swapped = {
  readonly embedder: string;
  readonly servers: number;
  readonly tools: number;
  readonly ms: number;
};

export type Search = {
  /** Builds the first snapshot; rejects when that fails. */
  start(): Promise<void>;
  ready(): boolean;
  find(request: SearchRequest): Promise<SearchResult>;
  /** What servers list for one user alone, to be given to `find`. */
  readOwnTools(servers: readonly CatalogServer[]): Promise<OwnTools>;
  /** The catalog changed: builds beside the running snapshot; calls that come meanwhile become one. */
  refresh(): void;
  /** Resolves when the running snapshot covers everything that was known at the call. */
  settled(): Promise<void>;
  /** New popularity and liveness, without a rebuild; servers whose popularity is not given keep theirs. */
  setSignals(signals: RankingSignals): void;
  stats(): SearchStats;
  close(): Promise<void>;
};

/** A page, the snapshot it came from, and whether somebody had asked for it before. */
type FoundPage = Pick<SearchResult, 'page' | 'pageKey' | 'cacheHit'> & { readonly snapshot: ActiveSnapshot };

export function createSearch(deps: SearchDeps): Search {
  const { clock, config, embedder, tracing = noTracing } = deps;
  const pages = createPageCache(config.cacheBytes);
  const popularity = new Map<string, number>();
  let signals: RankingSignals = { popularity, liveness: new Map() };
  let isClosed = false;
  /** A rebuild that was under way ends with the search: nobody has to hear of that. */
  const onError = (error: unknown) => {
    if (!isClosed) deps.onError(error);
  };
  const indexes = createFailover({
    ...deps,
    onError,
    weights: config.weights,
    signals: () => signals,
    onBuilt: () => pages.clear(),
    onSwap: (index) => deps.onSwap?.(swapped(index)),
  });

  async function findPage(
    index: EmbedderIndex,
    request: SearchRequest,
    { model, isShared }: { readonly model: UsageModel | null; readonly isShared: boolean },
  ): Promise<FoundPage> {
    const snapshot = index.snapshot();
    if (snapshot === undefined)
      throw new Problem('unavailable', 'The search index is still loading.', { retryAfterMs: 1000 });
    const rank = () => rankPage({ index, snapshot, builtIn: embedder, tracing }, request, model);
    const pageKey = isShared && isOfNobody(request) ? keyOf(index, snapshot, request, model) : null;
    const cached = pageKey === null ? undefined : pages.get(pageKey);
    if (cached !== undefined) return { page: cached, pageKey, snapshot, cacheHit: true };
    const page = await (pageKey === null ? rank() : pages.load(pageKey, rank));
    return { page, pageKey, snapshot, cacheHit: false };
  }

  return {
    start: indexes.start,
    ready: () => indexes.builtIn.snapshot() !== undefined,
    async find(request) {
      const startedAt = clock.monotonic();
      if (request.query.trim() === '') throw new Problem('invalid_request', 'query: must not be blank.');
      const model = deps.usageModelFor?.(request.caller.developerId) ?? null;
      const find: Find = (asked, isShared = true) =>
        indexes.run((index) => findPage(index, asked, { model, isShared }));
      const found = await inSpan(tracing, 'search', {}, () =>
        request.own === undefined ? find(request) : findWithOwn(request, request.own, { find, embedder }),
      );
      const queryLogId = deps.newQueryLogId();
      const latencyMs = clock.monotonic() - startedAt;
      const { page, pageKey, cacheHit, snapshot } = found;
      if (request.isDraft !== true)
        deps.recordQuery({
          queryLogId,
          at: clock.now(),
          keyId: request.caller.keyId,
          developerId: request.caller.developerId,
          query: request.query,
          snapshot: snapshot.revision,
          cacheHit,
          latencyMs,
          shown: page.serverIds,
          firstRank: page.firstRank,
          total: page.total,
        });
      const connections = connectionsOf(found, request);
      return { page, pageKey, connections, account: request.account, queryLogId, latencyMs, cacheHit };
    },
    readOwnTools: (servers) => readOwnTools(servers, embedder),
    refresh() {
      indexes.rebuild().catch(onError);
    },
    settled: indexes.rebuild,
    setSignals({ popularity: values, liveness, unavailable }) {
      for (const [id, value] of values) popularity.set(id, value);
      signals = { popularity, liveness, unavailable };
      for (const index of indexes.all()) index.snapshot()?.setSignals(signals);
      pages.clear();
    },
    stats: () => statsOf(indexes, pages.stats()),
    close() {
      isClosed = true;
      return indexes.close();
    },
  };
}

/** One page; not `isShared`: nobody else is answered with it. */
type Find = (asked: SearchRequest, isShared?: boolean) => Promise<FoundPage>;

/**
 * A page of nobody else's: what the user's own tools push off it begins the next one. Where they make us ask otherwise than the
 * user did, the page is not kept: `cache_hit` would tell the developer's other users of it.
 */
async function findWithOwn(
  request: SearchRequest,
  own: OwnTools,
  { find, embedder }: { readonly find: Find; readonly embedder: Embedder },
): Promise<FoundPage> {
  const { limit } = request;
  const found = await find(request, request.cursor === undefined);
  const first = await withOwnTools(found.page, request, own, embedder);
  const { hits } = first.page;
  if (hits.length <= limit || first.added >= limit)
    return { ...found, page: pageOf(first.page, hits.slice(0, limit)), pageKey: null };
  const fewer = await find({ ...request, limit: limit - first.added }, false);
  const { page } = await withOwnTools(fewer.page, request, own, embedder);
  return { ...fewer, page: pageOf(page, page.hits.slice(0, limit)), pageKey: null };
}

function swapped(index: EmbedderIndex): Swapped {
  const { servers = 0, tools = 0 } = index.snapshot() ?? {};
  return { embedder: index.embedder.id, servers, tools, ms: Math.round(index.builtInMs()) };
}

function statsOf(indexes: Failover, cache: CacheStats): SearchStats {
  const { builtIn, current, fallbacks } = indexes;
  const snapshot = current().snapshot();
  return {
    servers: snapshot?.servers ?? 0,
    tools: snapshot?.tools ?? 0,
    revision: snapshot?.revision ?? 0,
    snapshotBytes: snapshot?.bytes ?? 0,
    builtInMs: builtIn.builtInMs(),
    embedder: current().embedder.id,
    degraded: fallbacks(),
    cache,
  };
}

/** Embeds the query and ranks it on one snapshot, whatever is swapped in meanwhile. */
async function rankPage(
  on: {
    readonly index: EmbedderIndex;
    readonly snapshot: ActiveSnapshot;
    readonly builtIn: Embedder;
    readonly tracing: Tracing;
  },
  request: SearchRequest,
  model: UsageModel | null,
): Promise<SearchPage> {
  const { index, snapshot, builtIn, tracing } = on;
  const query = snapshot.parse(request);
  // What was learned lives in the built-in space, whoever makes the vectors for the ranking.
  const { own, vectors } = await inSpan(tracing, 'search embed', {}, async () => {
    const own = await builtIn.embed(query.parts, 'query');
    const isBuiltIn = index.embedder === builtIn;
    return { own, vectors: isBuiltIn ? own : await embedQuery(index.embedder, query.parts) };
  });
  return inSpan(tracing, 'search rank', {}, () =>
    snapshot.rank(query, { vectors, modelVector: own.subarray(0, builtIn.dims) }, model),
  );
}

/** A filter by what one user is connected to makes a page that is nobody else's. */
function isOfNobody({ filters }: SearchRequest): boolean {
  return filters.connected === undefined;
}

/** All that a page depends on, and whose it is: `cache_hit` and the time of an answer tell nobody what others searched for. */
function keyOf(
  index: EmbedderIndex,
  snapshot: ActiveSnapshot,
  request: SearchRequest,
  model: UsageModel | null,
): string {
  const { query, limit, toolLimit, filters, explain, minScore, cursor, view, spelling = true } = request;
  const { transport, auth, category, verified, callable } = filters;
  const isFiltered = (transport ?? auth ?? category ?? verified ?? callable) !== undefined;
  const narrowed = isFiltered ? JSON.stringify([transport, auth, category, verified, callable]) : '';
  const from = cursor === undefined ? '' : JSON.stringify(cursor);
  const state = `${request.caller.developerId} ${index.embedder.id} ${snapshot.version()} ${model?.version ?? ''}`;
  const options = `${limit} ${toolLimit} ${explain} ${spelling} ${minScore} ${from} ${narrowed} ${view?.key ?? ''}`;
  // The query comes last, as it is: nothing that follows could be taken for a part of it.
  return `${state}\n${options}\n${query}`;
}

function connectionsOf({ page, snapshot }: FoundPage, { connectionOf }: SearchRequest) {
  if (connectionOf === undefined) return null;
  return page.serverIds.map((serverId) => snapshot.connectionTo(serverId, connectionOf));
}
