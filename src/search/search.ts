/**
 * Search: ranked answers from an immutable snapshot of the catalogue held in memory.
 *
 * Promises: an answer comes from exactly one snapshot and never waits for a rebuild; a change of the catalogue is
 * analysed in a thread of its own and swapped in; equal scores are ordered by id; nothing is looked up per query.
 * When the store fails while a snapshot is fed, or the builder thread dies, the running snapshot stays, the error
 * goes to `onError`, and the next refresh tries again (a dead builder is replaced and reads from the beginning).
 * When a provider of vectors fails, the built-in ones answer and it is asked again half a minute later; its index is built beside
 * and swapped in whole. When the query log fails, no search notices.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import { backoffMs } from '../base/retry.ts';
import type { CatalogChange } from '../catalog/catalog.ts';
import { createByteCache } from './cache.ts';
import { type Embedder, loadEmbedder } from './embedder.ts';
import { createEngine, type Engine } from './engine.ts';
import type { Learned } from './learning/model.ts';
import type { RankWeights } from './ranking/rank.ts';
import { defaultWeights } from './ranking/score.ts';
import { type Body, composeBatch, metadataOf, type Part, withFields } from './reply.ts';
import type { Answer, SearchQuery, ServerFacts, Standings, View } from './view.ts';

export type { SearchQuery, Standings };

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
  /** The servers that the reply showed, best first; one array for all hits of one cached reply. */
  readonly shown: readonly string[];
  /** Where the first of them stands: more than 1 on a later page. */
  readonly firstRank: number;
  readonly total: number;
};

/** What was searched in a span of time, by the query log. */
export type SearchUse = {
  readonly searches: { readonly count: number; readonly cached: number };
  /** Queries that showed no server, most often asked first. */
  readonly foundNothing: readonly {
    readonly query: string;
    readonly times: number;
    readonly lastAt: number;
  }[];
  readonly recent: readonly {
    readonly query: string;
    readonly shown: number;
    readonly latencyMs: number;
    readonly at: number;
  }[];
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
  /** Whose vectors answer now, and how many queries fell back from a provider to the built-in ones. */
  readonly embedder: string;
  readonly degraded: number;
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
  /** Answers from the start, and whenever the provider cannot. */
  readonly embedder: Embedder;
  /** Connects to a better one; its index is built beside and swapped in when it is whole. */
  readonly provider?: () => Promise<Embedder>;
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
  /**
   * The reply's whole JSON body, in parts: the first is shared with the cache and must not be written to. A promise only
   * where somebody has to be waited for.
   */
  answer(
    caller: Caller,
    query: SearchQuery,
    standings?: Standings,
  ): readonly Part[] | Promise<readonly Part[]>;
  answerBatch(
    caller: Caller,
    queries: readonly SearchQuery[],
    standings?: Standings,
  ): Promise<readonly Part[]>;
  /** The catalogue changed: builds beside the running snapshot; calls that come meanwhile become one. */
  refresh(): void;
  /** Resolves when the running snapshot covers everything that was known at the call. */
  settled(): Promise<void>;
  /** New popularity and liveness, without a rebuild; servers whose popularity is not given keep theirs. */
  setFacts(facts: ServerFacts): void;
  stats(): SearchStats;
  close(): Promise<void>;
};

/** A provider that failed a query is left alone for so long. */
const restMs = 30_000;
/** Between two tries to reach a provider and to build its index. */
const backoff = { firstMs: 2_000, maxMs: 300_000 };

/** An answer, whose it is, and as it goes out. */
type Found = {
  readonly on: View;
  readonly answer: Answer;
  readonly body: Body;
  readonly cacheHit: boolean;
};

export function createSearch(deps: SearchDeps): Search {
  const { clock, embedder, config } = deps;
  const engineOf = (of: Embedder) =>
    createEngine({
      ...deps,
      embedder: of,
      weights: config.weights,
      facts: () => facts,
      onBuilt: () => cache.clear(),
    });
  /** Written out only for those that were asked for again: of most queries there is no second. */
  const cache = createByteCache<{ readonly answer: Answer; readonly body: Body | null }>(config.cacheBytes);
  const underway = new Map<string, Promise<Answer>>();
  const popularity = new Map<string, number>();
  let facts: ServerFacts = { popularity, liveness: new Map() };
  const builtIn = engineOf(embedder);
  const closing = new AbortController();
  let better: Engine | undefined;
  /** The provider failed a query: until then the built-in vectors answer. */
  let restUntil = 0;
  let degraded = 0;
  let hits = 0;
  let misses = 0;

  const current = (): Engine =>
    better?.view() !== undefined && clock.monotonic() >= restUntil ? better : builtIn;

  /** Connects and builds beside what answers meanwhile; tried again for as long as it takes. */
  async function bringUp(provider: NonNullable<SearchDeps['provider']>): Promise<void> {
    for (let attempt = 1; !closing.signal.aborted; attempt++) {
      try {
        better ??= engineOf(await provider());
        await better.pass();
        return;
      } catch (error) {
        deps.onError(error);
        await delay(backoffMs(backoff, attempt), undefined, { signal: closing.signal, ref: false }).catch(
          () => undefined,
        );
      }
    }
  }

  function find(
    engine: Engine,
    on: View,
    key: string,
    query: SearchQuery,
    learned: Learned | null,
    standings: Standings | undefined,
  ): Answer | Promise<Answer> {
    const page = on.pageOf(query);
    // What was learned lives in the built-in space, whoever makes the vectors for the ranking.
    const own = embedder.embed(page.parts, 'query');
    const vectors = engine === builtIn ? own : engine.embedder.embed(page.parts, 'query');
    const keep = (answer: Answer) => {
      if (engine.view() === on && isShared(query))
        cache.set(key, { answer, body: null }, sizeOf(key, answer));
      return answer;
    };
    const rank = (forRanking: Float32Array, forLearning: Float32Array) => {
      const asked = forLearning.subarray(0, forLearning.length / page.parts.length);
      return keep(on.answer(query, page, { vectors: forRanking, asked }, learned, standings));
    };
    if (vectors instanceof Float32Array && own instanceof Float32Array) return rank(vectors, own);
    const made = Promise.all([vectors, own])
      .then(([forRanking, forLearning]) => rank(forRanking, forLearning))
      .finally(() => underway.delete(key));
    if (isShared(query)) underway.set(key, made);
    return made;
  }

  /** From the engine that is best now; when its provider fails, from the built-in one. A value, not a promise, where it can. */
  function findSafely(
    engine: Engine,
    query: SearchQuery,
    learned: Learned | null,
    standings: Standings | undefined,
  ): Found | Promise<Found> {
    const on = engine.view();
    if (on === undefined)
      throw new Problem('unavailable', 'The search index is still loading.', { retryAfterMs: 1000 });
    const key = `${engine === builtIn ? '' : engine.embedder.id}${on.version()} ${learned?.version ?? ''}\n${keyOf(query)}`;
    const cached = isShared(query) ? cache.get(key) : undefined;
    if (cached !== undefined) {
      hits++;
      const { answer } = cached;
      const body = cached.body ?? on.write(answer);
      if (cached.body === null)
        cache.set(key, { answer, body }, sizeOf(key, answer) + body.bytes.buffer.byteLength);
      return { on, answer, body, cacheHit: true };
    }
    misses++;
    const written = (answer: Answer): Found => ({ on, answer, body: on.write(answer), cacheHit: false });
    const fallBack = (error: unknown) => {
      if (engine === builtIn || (error instanceof Problem && error.kind === 'invalid_request')) throw error;
      restUntil = clock.monotonic() + restMs;
      degraded++;
      deps.onError(error);
      return findSafely(builtIn, query, learned, standings);
    };
    try {
      const found =
        (isShared(query) ? underway.get(key) : undefined) ?? find(engine, on, key, query, learned, standings);
      return found instanceof Promise ? found.then(written).catch(fallBack) : written(found);
    } catch (error) {
      return fallBack(error);
    }
  }

  function reply(
    caller: Caller,
    query: SearchQuery,
    standings?: Standings,
  ): readonly Part[] | Promise<readonly Part[]> {
    const began = clock.monotonic();
    if (query.query.trim() === '') throw new Problem('invalid_request', 'query: must not be blank.');
    const learned = deps.learnedBy?.(caller.developerId) ?? null;
    const found = findSafely(current(), query, learned, standings);
    const told = ({ on, answer, body, cacheHit }: Found) => {
      const { shown, firstRank, total, nextCursor } = answer;
      const queryLogId = deps.newQueryLogId();
      const latencyMs = clock.monotonic() - began;
      deps.recordQuery({
        queryLogId,
        at: clock.now(),
        keyId: caller.keyId,
        developerId: caller.developerId,
        query: query.query,
        snapshot: on.revision,
        cacheHit,
        latencyMs,
        shown,
        firstRank,
        total,
      });
      const own = metadataOf({ latencyMs, cacheHit, totalCandidates: total, queryLogId, nextCursor });
      if (standings === undefined) return [body.bytes, own];
      const fields = shown.map((serverId) => `"connection":"${on.connectionOf(serverId, standings)}"`);
      return [...withFields(body, fields), own];
    };
    return found instanceof Promise ? found.then(told) : told(found);
  }

  const passAll = async () => {
    await builtIn.pass();
    // The provider's index follows by itself: nobody waits for somebody else's service.
    better?.pass().catch(deps.onError);
  };

  return {
    async start() {
      await builtIn.pass();
      if (deps.provider !== undefined) void bringUp(deps.provider);
    },
    ready: () => builtIn.view() !== undefined,
    answer: reply,
    async answerBatch(caller, queries, standings) {
      return composeBatch(await Promise.all(queries.map((query) => reply(caller, query, standings))));
    },
    refresh() {
      passAll().catch(deps.onError);
    },
    settled: passAll,
    setFacts({ popularity: values, liveness, unavailable }) {
      for (const [id, value] of values) popularity.set(id, value);
      facts = { popularity, liveness, ...(unavailable === undefined ? {} : { unavailable }) };
      for (const engine of [builtIn, better]) engine?.view()?.setFacts(facts);
      cache.clear();
    },
    stats() {
      const view = current().view();
      return {
        servers: view?.servers ?? 0,
        tools: view?.tools ?? 0,
        revision: view?.revision ?? 0,
        snapshotBytes: view?.bytes ?? 0,
        builtInMs: builtIn.builtInMs(),
        embedder: current().embedder.id,
        degraded,
        cache: { ...cache.stats(), hits, misses },
      };
    },
    async close() {
      closing.abort();
      await Promise.all([builtIn.close(), better?.close()]);
    },
  };
}

/** A filter by what one user is connected to makes an answer that is nobody else's. */
function isShared({ filters }: SearchQuery): boolean {
  return filters.connected === undefined;
}

/** An estimate of an answer's few objects. */
const answerBytes = 400;

/** Bytes that an answer takes up before it is written out: the key twice (map and log), the outline and the ids shown. */
function sizeOf(key: string, { outline: { numbers, extras }, shown }: Answer): number {
  let bytes = answerBytes + 2 * key.length + 8 * (numbers.length + shown.length);
  for (const extra of extras ?? []) bytes += extra.length;
  return bytes;
}

/** All of a request that its answer depends on. */
function keyOf({ query, limit, toolLimit, filters, explain, minScore, cursor }: SearchQuery): string {
  const { transport, auth, category, verified } = filters;
  const filtered = transport ?? auth ?? category ?? verified;
  const narrowed = filtered === undefined ? '' : JSON.stringify([transport, auth, category, verified]);
  const from = cursor === undefined ? '' : JSON.stringify(cursor);
  // The query comes last, as it is: nothing that follows could be taken for a part of it.
  return `${limit} ${toolLimit} ${explain} ${minScore} ${from} ${narrowed}\n${query}`;
}
