/** A snapshot in use: its ranker, its ids and signals, filters, views, pages. */
import type { Embedder } from './embedding/embedder.ts';
import type { UsageModel } from './learning/learning-model.ts';
import { decodeCursor, encodeCursor, hashQuery } from './page-cursor.ts';
import { createQueryRewriter } from './query/query-rewriter.ts';
import { callability, groupOwnMirrors, type OwnMirrors } from './ranking/duplicate-groups.ts';
import { createModelIndexer } from './ranking/indexed-model.ts';
import { createRanker, type RankWeights } from './ranking/rank.ts';
import type {
  ConnectionLookup,
  ConnectionState,
  RankingSignals,
  SearchPage,
  SearchRequest,
} from './search-model.ts';
import { numberOf } from './segments/runs.ts';
import type { SearchIndex } from './segments/search-index.ts';
import { filterServers } from './server-filter.ts';
import { queryParts } from './text/text.ts';
import { createViewMasks } from './view-mask.ts';

/** What a request asks of this snapshot: its texts to embed, and where its page begins. */
export type PageQuery = {
  readonly request: SearchRequest;
  readonly parts: readonly string[];
  /** What the query was probably meant to be; null where every word is known. */
  readonly correctedQuery: string | null;
  readonly offset: number;
  readonly queryHash: number;
};

/** One unit vector a part in the index's space, and the whole query's in the space of what was learned. */
export type QueryVectors = { readonly vectors: Float32Array; readonly modelVector: Float32Array };

export type ActiveSnapshot = {
  readonly revision: number;
  readonly servers: number;
  readonly tools: number;
  readonly bytes: number;
  /** Changes with the signals, too: pages of one version are the same. */
  version(): string;
  /** Throws a Problem for a cursor that belongs to another query or snapshot. */
  parse(request: SearchRequest): PageQuery;
  rank(page: PageQuery, vectors: QueryVectors, model: UsageModel | null): SearchPage;
  connectionTo(serverId: string, connectionOf: ConnectionLookup): ConnectionState;
  setSignals(signals: RankingSignals): void;
};

export type SnapshotDeps = {
  readonly weights: RankWeights;
  /** Whose words count as known, whoever makes the vectors. */
  readonly builtIn: Embedder;
  /** Whether the operator's configuration names a server; without it, nothing is said of what can be called from here. */
  readonly isConfigured?: ((serverId: string) => boolean) | undefined;
};

export function createActiveSnapshot(
  index: SearchIndex,
  { weights, builtIn, isConfigured }: SnapshotDeps,
  initialSignals: RankingSignals,
): ActiveSnapshot {
  const { ids, columns, revision } = index;
  const rank = createRanker(index, weights);
  const rewrite = createQueryRewriter(index, (stem) => builtIn.knows?.(stem) ?? false);
  const toIndexedModel = createModelIndexer(ids, columns.category);
  const popularity = columns.popularity.slice();
  const liveness = new Float32Array(ids.length);
  const callabilities = isConfigured === undefined ? null : new Uint8Array(ids.length);
  let ownMirrors: OwnMirrors = new Map();
  const maskOf = createViewMasks(index);
  let unavailable: ReadonlySet<string> = new Set();
  let signalsVersion = 0;
  let version = '';

  function setSignals(signals: RankingSignals): void {
    signalsVersion++;
    version = `${revision}.${signalsVersion}`;
    unavailable = signals.unavailable ?? new Set();
    liveness.fill(1);
    writeSignal(signals.popularity, ids, popularity);
    writeSignal(signals.liveness, ids, liveness);
    if (callabilities === null || isConfigured === undefined) return;
    setCallabilities(callabilities, index, isConfigured);
    ownMirrors = groupOwnMirrors(columns, callabilities);
  }
  function connectionTo(serverId: string, connectionOf: ConnectionLookup): ConnectionState {
    const known = connectionOf(serverId);
    if (unavailable.has(serverId)) return 'unavailable';
    return known ?? defaultConnection(columns, numberOf(ids, serverId));
  }
  setSignals(initialSignals);

  return {
    revision,
    servers: index.serverCount,
    tools: index.documentCount - index.serverCount,
    bytes: index.bytes,
    version: () => version,
    setSignals,
    connectionTo,
    parse(request) {
      const queryHash = hashQuery(revision, request);
      const offset = decodeCursor(request.cursor, queryHash);
      const { spelling = true, view } = request;
      const { text, corrected } = rewrite(request.query, { spelling, mask: maskOf(view) });
      return { request, parts: queryParts(text), correctedQuery: corrected, offset, queryHash };
    },
    rank({ request, parts, correctedQuery, offset, queryHash }, { vectors, modelVector }, model) {
      const { limit, toolLimit, minScore, explain, filters, connectionOf } = request;
      const mask = maskOf(request.view);
      const { allowed, total } = filterServers(
        index,
        { filters, mask },
        {
          isConnected: (server) =>
            connectionOf !== undefined && isUsable(connectionTo(ids[server]!, connectionOf)),
          isCallable: (server) => callabilities?.[server] !== callability.uncallable,
        },
      );
      const { hits, hasMore } = rank({
        parts,
        vectors,
        allowed,
        mask,
        model: toIndexedModel(model),
        modelVector,
        popularity,
        liveness,
        callabilities,
        ownMirrors,
        offset,
        limit,
        toolLimit,
        minScore,
        explain,
      });
      return {
        hits,
        serverIds: hits.map(({ serverId }) => serverId),
        firstRank: offset + 1,
        total,
        correctedQuery,
        nextCursor: hasMore ? encodeCursor(queryHash, offset + limit) : null,
      };
    },
  };
}

/** By the ids and not by the values, of which there are as many: to find an id takes ten times as long as to find a value. */
function writeSignal(values: ReadonlyMap<string, number>, ids: readonly string[], into: Float32Array): void {
  if (values.size === 0) return;
  for (let server = 0; server < ids.length; server++) {
    const value = values.get(ids[server]!);
    if (value !== undefined) into[server] = Math.min(1, Math.max(0, value));
  }
}

function setCallabilities(
  into: Uint8Array,
  { columns, ids }: SearchIndex,
  isConfigured: (serverId: string) => boolean,
): void {
  for (let server = 0; server < into.length; server++) {
    const byItself = isProgram(columns, server) ? callability.uncallable : callability.callable;
    into[server] = isConfigured(ids[server]!) ? callability.own : byItself;
  }
}

function isUsable(state: ConnectionState): boolean {
  return state === 'ready' || state === 'open';
}

/** A program runs on its user's own machine, or not at all. */
function isProgram({ names, transport }: SearchIndex['columns'], server: number): boolean {
  return names[transport[server] ?? 0] === 'stdio';
}

/** How anybody stands with a server, by what the catalog says of it. */
function defaultConnection(columns: SearchIndex['columns'], server: number): ConnectionState {
  if (isProgram(columns, server)) return 'unavailable';
  const auth = columns.names[columns.auth[server] ?? 0];
  if (auth === 'none') return 'open';
  return auth === 'api_key' ? 'needs_key' : 'needs_auth';
}
