/** One query against one snapshot: the best window is scored, popularity mixed in, the asked page cut out. */

import type { Snapshot } from '../index/snapshot.ts';
import type { Usage } from '../learning/model.ts';
import { exploration, type Standing, untried } from '../learning/standing.ts';
import { addUsage, type Taught } from './learned.ts';
import {
  createRelevance,
  firstOf,
  highest,
  type Measured,
  type RelevanceWeights,
  sortKey,
} from './relevance.ts';
import {
  type Calibration,
  type Evidence,
  evidenceScore,
  finalScore,
  noEvidence,
  round4,
  semanticScore,
} from './score.ts';

export type RankWeights = RelevanceWeights & {
  /** The share of the final score that popularity decides. */
  readonly popularity: number;
  /** From this semantic score on a hit is `strong`. */
  readonly strong: number;
  readonly calibration: Calibration;
};

export type RankRequest = {
  /** The query, then its sentences when it is long. */
  readonly parts: readonly string[];
  /** One unit vector a part. */
  readonly vectors: Float32Array;
  /** The whole query's vector in the space of what was learned. */
  readonly asked: Float32Array;
  /** 1 for servers that pass the filters; null lets all pass. */
  readonly allowed: Uint8Array | null;
  readonly popularity: Float32Array;
  /** Factors: 1 for a server that is well, less for one that is dead or suspect. */
  readonly liveness: Float32Array;
  /** What the caller's searches may use of earlier outcomes. */
  readonly taught: Taught | null;
  readonly offset: number;
  readonly limit: number;
  readonly toolLimit: number;
  readonly minScore: number;
};

export type Hit = {
  readonly server: number;
  /** Document numbers of its best tools, best first. */
  readonly tools: readonly number[];
  readonly relevance: number;
  readonly lexical: number;
  readonly cosine: number;
  readonly semantic: number;
  readonly popularity: number;
  readonly liveness: number;
  readonly final: number;
  readonly strong: boolean;
  /** Servers behind it with the very same tools. */
  readonly alsoFrom: readonly number[];
  readonly usage: Usage | null;
  readonly standing: Standing & { readonly newcomer: number };
};

export type Ranking = {
  readonly hits: readonly Hit[];
  /** Whether there are hits behind this page. */
  readonly more: boolean;
  readonly evidence: Evidence;
};

export type Ranker = (request: RankRequest) => Ranking;

/** What every hit of one query is measured against. */
type Best = { readonly relevance: number; readonly evidence: number; readonly standing: Standing };

/** Servers that are scored and can be paged through: what lies behind matches by accident. */
const windowSize = 300;

export function createRanker(
  snapshot: Snapshot,
  lexicon: ReadonlyMap<string, number>,
  weights: RankWeights,
): Ranker {
  const relevance = createRelevance(snapshot, lexicon, weights);
  const { ofServer, words, cosines, ofTools } = relevance;

  const semanticOf = (server: number, best: Best) =>
    round4(semanticScore(best.relevance - ofServer[server]!, best.evidence, weights.calibration));
  const standingIn = (server: number, { taught }: RankRequest) => taught?.standing(server) ?? untried;
  const newcomerOf = (server: number, best: Best, standing: Standing) =>
    exploration(best.standing, standing, best.relevance - ofServer[server]!);

  /** Asked of hundreds of servers a query, so it makes no objects. */
  function finalOf(server: number, best: Best, request: RankRequest): number {
    const standing = standingIn(server, request);
    const popularity = round4(request.popularity[server] ?? 0);
    const alone = finalScore(semanticOf(server, best), popularity, weights.popularity);
    const lives = request.liveness[server] ?? 1;
    return round4(Math.min(1, alone * lives * standing.factor * newcomerOf(server, best, standing)));
  }

  function hitOf(server: number, best: Best, request: RankRequest, { mass }: Measured) {
    const semantic = semanticOf(server, best);
    const standing = standingIn(server, request);
    return {
      server,
      semantic,
      popularity: round4(request.popularity[server] ?? 0),
      liveness: round4(request.liveness[server] ?? 1),
      standing: { ...standing, newcomer: newcomerOf(server, best, standing) },
      final: finalOf(server, best, request),
      relevance: round4(ofServer[server]!),
      lexical: round4(words[server]! / (mass || 1)),
      cosine: round4(cosines[server]!),
      strong: semantic >= weights.strong,
    };
  }

  function evidenceOf(
    { mass, knownMass, bestWords, bestCosine, standout, terms }: Measured,
    window: readonly number[],
  ): Evidence {
    const top = window[0];
    if (top === undefined) return noEvidence;
    const total = mass || 1;
    const relevanceAt = (i: number) => ofServer[window[i] ?? -1] ?? 0;
    const others = window
      .slice(1, 20)
      .map((s) => words[s]!)
      .sort((a, b) => b - a);
    return {
      agreement: relevanceAt(0),
      lexical: bestWords / total,
      covered: words[top]! / total,
      cosine: bestCosine,
      standout,
      both: (words[top]! / total) * bestCosine,
      known: knownMass / total,
      lead: relevanceAt(0) - relevanceAt(9),
      wordsLead: (words[top]! - (others[0] ?? 0)) / total,
      wordsLeadOfTen: (words[top]! - (others[8] ?? 0)) / total,
      logWords: Math.log(1 + terms.length),
    };
  }

  function bestTools(server: number, limit: number): number[] {
    return ofTools(server)
      .sort((a, b) => b.score - a.score || a.doc - b.doc)
      .slice(0, limit)
      .map(({ doc }) => doc);
  }

  return (request) => {
    const { parts, vectors, asked, allowed, taught, offset, limit, minScore } = request;
    const measured = relevance.measure(parts, vectors, allowed);
    const byText = highest(ofServer, windowSize);
    const evidence = evidenceOf(measured, byText);
    const { usage, best, surer } = addUsage(relevance, taught, { parts, vector: asked, allowed, byText });
    const window = usage.size === 0 ? byText : highest(ofServer, windowSize);
    const first = taught?.standing(window[0] ?? -1) ?? untried;
    const shared = evidenceScore(evidence, weights.calibration) + surer;
    const leading: Best = { relevance: best, evidence: shared, standing: first };
    const scored = inOrder(window, minScore, (server) => finalOf(server, leading, request));
    const { leaders, others } = collapse(scored, snapshot.facts.fingerprint, offset + limit + 1);
    const hits = leaders.slice(offset, offset + limit).map((server) => ({
      ...hitOf(server, leading, request, measured),
      alsoFrom: others.get(server) ?? [],
      usage: usage.get(server) ?? null,
      tools: bestTools(server, request.toolLimit),
    }));
    return { hits, more: leaders.length > offset + limit, evidence };
  };
}

/** Servers by final score, best first, those below the least score left out. */
function inOrder(servers: readonly number[], least: number, finalOf: (server: number) => number): number[] {
  const keys = new Float64Array(servers.length);
  let kept = 0;
  for (const server of servers) {
    const final = finalOf(server);
    if (final >= least) keys[kept++] = sortKey(final, server);
  }
  return firstOf(keys.subarray(0, kept), kept);
}

/** Forks and mirrors stand behind the best of them, as one hit; `enough` hits are found, and all that stand behind those. */
function collapse(servers: readonly number[], fingerprints: Float64Array, enough: number) {
  const leaderOf = new Map<number, number>();
  const others = new Map<number, number[]>();
  const leaders: number[] = [];
  for (const server of servers) {
    const print = fingerprints[server] ?? 0;
    const leader = print === 0 ? undefined : leaderOf.get(print);
    if (leader !== undefined) others.set(leader, [...(others.get(leader) ?? []), server]);
    else if (leaders.length < enough) {
      leaders.push(server);
      if (print !== 0) leaderOf.set(print, server);
    }
  }
  return { leaders, others };
}
