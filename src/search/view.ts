/** A snapshot in use: its ranker, its ids and popularity, filters, pages. */
import { crc32 } from 'node:zlib';
import { Problem } from '../base/problem.ts';
import type { AuthType, Transport } from '../catalog/catalog.ts';
import type { Built } from './feed.ts';
import type { Snapshot } from './index/snapshot.ts';
import { queryParts } from './index/text.ts';
import type { Learned } from './learning/model.ts';
import { createTeaching, indexOf } from './learning/taught.ts';
import { createRanker, type RankWeights } from './ranking/rank.ts';
import { type Body, type Outline, outlineOf, writeBody } from './reply.ts';

export type SearchFilters = {
  readonly transport?: readonly Transport[];
  readonly auth?: readonly ('none' | AuthType)[];
  readonly category?: readonly string[];
  readonly verified?: boolean;
  /** Whether the asking user can call the server now; needs `Standings`. */
  readonly connected?: boolean;
};

/** How the asking user stands with a server, as far as anything is known besides what the catalogue says. */
export type Standings = (serverId: string) => Connection | undefined;
export type Connection = 'ready' | 'needs_auth' | 'needs_scope' | 'open' | 'unavailable';

export type SearchQuery = {
  readonly query: string;
  readonly limit: number;
  readonly toolLimit: number;
  readonly filters: SearchFilters;
  readonly explain: boolean;
  readonly minScore: number;
  readonly cursor?: string;
};

/** What a query asks of this snapshot: its texts to embed and where its page begins. */
export type Page = { readonly parts: readonly string[]; readonly offset: number; readonly print: number };

/** One unit vector a part in the index's space, and the whole query's in the space of what was learned. */
export type QueryVectors = { readonly vectors: Float32Array; readonly asked: Float32Array };

export type Answer = {
  readonly outline: Outline;
  /** The servers' ids, best first. */
  readonly shown: readonly string[];
  /** Of the first server shown: more than 1 on a later page. */
  readonly firstRank: number;
  /** Servers that pass the filters. */
  readonly total: number;
  readonly nextCursor: string | null;
};

export type View = {
  readonly revision: number;
  readonly servers: number;
  readonly tools: number;
  readonly bytes: number;
  /** Changes with popularity and liveness, too: answers of one version are the same. */
  version(): string;
  /** Throws a Problem for a cursor that belongs to another query or snapshot. */
  pageOf(query: SearchQuery): Page;
  answer(
    query: SearchQuery,
    page: Page,
    vectors: QueryVectors,
    learned: Learned | null,
    standings?: Standings,
  ): Answer;
  /** An answer of this snapshot as JSON. */
  write(answer: Answer): Body;
  /** How a user stands with a server of an answer. */
  connectionOf(serverId: string, standings: Standings): Connection;
  setFacts(facts: ServerFacts): void;
};

/** What is known of servers beyond their words, and changes without a rebuild. */
export type ServerFacts = {
  /** 0..1, of the servers it is known of. */
  readonly popularity: ReadonlyMap<string, number>;
  /** Factors on the final score, 0..1; a server that is not named is well. */
  readonly liveness: ReadonlyMap<string, number>;
  /** Servers that do not answer. */
  readonly unavailable?: ReadonlySet<string>;
};

export function createView({ snapshot, lexicon }: Built, weights: RankWeights, known: ServerFacts): View {
  const rank = createRanker(snapshot, lexicon, weights);
  const ids = snapshot.ids === '' ? [] : snapshot.ids.split('\n');
  const popularity = snapshot.facts.popularity.slice();
  const teach = createTeaching(ids, snapshot.facts.category);
  const liveness = new Float32Array(ids.length).fill(1);
  let unavailable: ReadonlySet<string> = new Set();
  let factsVersion = 0;
  let version = '';

  function setFacts(facts: ServerFacts): void {
    factsVersion++;
    version = `${snapshot.revision}.${factsVersion}`;
    liveness.fill(1);
    unavailable = facts.unavailable ?? new Set();
    write(facts.popularity, popularity);
    write(facts.liveness, liveness);
  }
  function write(values: ReadonlyMap<string, number>, into: Float32Array): void {
    for (const [id, value] of values) {
      const at = indexOf(ids, id);
      if (at >= 0) into[at] = Math.min(1, Math.max(0, value));
    }
  }
  const connectionAt = (at: number, standings: Standings): Connection => {
    const { facts } = snapshot;
    const serverId = ids[at] ?? '';
    const known = standings(serverId);
    if (unavailable.has(serverId)) return 'unavailable';
    if (known !== undefined) return known;
    // A program runs on its user's own machine, or not at all.
    if (facts.names[facts.transport[at] ?? 0] === 'stdio') return 'unavailable';
    return facts.names[facts.auth[at] ?? 0] === 'none' ? 'open' : 'needs_auth';
  };
  setFacts(known);

  return {
    revision: snapshot.revision,
    servers: snapshot.serverCount,
    tools: snapshot.documentCount - snapshot.serverCount,
    bytes: bytesOf(snapshot),
    version: () => version,
    setFacts,
    pageOf(query) {
      const print = crc32(JSON.stringify([snapshot.revision, query.query, query.filters, query.minScore]));
      return { parts: queryParts(query.query), offset: offsetOf(query.cursor, print), print };
    },
    write: ({ outline }) => writeBody(outline, snapshot),
    connectionOf: (serverId, standings) => connectionAt(indexOf(ids, serverId), standings),
    answer(query, { parts, offset, print }, { vectors, asked }, learned, standings) {
      const { limit, toolLimit, minScore, explain } = query;
      const { allowed, total } = allowedBy(query.filters, snapshot, (at) => {
        const connection = standings === undefined ? 'needs_auth' : connectionAt(at, standings);
        return connection === 'ready' || connection === 'open';
      });
      const taught = learned === null || learned.blank ? null : teach(learned);
      const ranking = rank({
        parts,
        vectors,
        asked,
        allowed,
        popularity,
        liveness,
        taught,
        offset,
        limit,
        toolLimit,
        minScore,
        explain,
      });
      const outline = outlineOf(ranking, ids, weights.popularity);
      const shown = ranking.hits.map(({ server }) => ids[server]!);
      const nextCursor = ranking.more ? cursorOf(print, offset + limit) : null;
      return { outline, shown, firstRank: offset + 1, total, nextCursor };
    },
  };
}

/** 1 for every server that passes; the total counts them. */
function allowedBy(
  filters: SearchFilters,
  { facts, serverCount }: Snapshot,
  isConnected: (at: number) => boolean,
) {
  const numbers = (wanted: readonly string[] | undefined) =>
    wanted === undefined ? null : new Set(wanted.map((name) => facts.names.indexOf(name)));
  const [transport, auth, category] = [filters.transport, filters.auth, filters.category].map(numbers);
  const verified = filters.verified === undefined ? null : Number(filters.verified);
  const { connected } = filters;
  if (!transport && !auth && !category && verified === null && connected === undefined)
    return { allowed: null, total: serverCount };
  const allowed = new Uint8Array(serverCount);
  let total = 0;
  for (let s = 0; s < serverCount; s++) {
    if (transport && !transport.has(facts.transport[s]!)) continue;
    if (auth && !auth.has(facts.auth[s]!)) continue;
    if (category && !category.has(facts.category[s]!)) continue;
    if (verified !== null && facts.verified[s] !== verified) continue;
    if (connected !== undefined && isConnected(s) !== connected) continue;
    allowed[s] = 1;
    total++;
  }
  return { allowed, total };
}

/** Opaque to clients: which query on which snapshot it belongs to, and where the next page begins. */
function cursorOf(print: number, offset: number): string {
  return Buffer.from(`${print.toString(36)}.${offset}`).toString('base64url');
}

function offsetOf(cursor: string | undefined, print: number): number {
  if (cursor === undefined) return 0;
  const [, of, offset] =
    /^([0-9a-z]+)\.([1-9][0-9]{0,5})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (offset === undefined)
    throw new Problem('invalid_request', 'cursor: is not one that a search returned.');
  if (of !== print.toString(36)) {
    throw new Problem(
      'invalid_request',
      'cursor: belongs to another query or an older catalogue; search again.',
    );
  }
  return Number(offset);
}

function bytesOf(snapshot: Snapshot): number {
  const { serverPostings, toolPostings, togetherPostings } = snapshot;
  const arrays = [snapshot.docBase, snapshot.docServer, snapshot.idf, snapshot.pieces, snapshot.pieceStarts];
  for (const { starts, documents, weights } of [serverPostings, toolPostings, togetherPostings]) {
    arrays.push(starts, documents, weights as never);
  }
  return arrays.reduce((sum, array) => sum + array.byteLength, 0) + snapshot.vectors.memory.buffer.byteLength;
}
