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
  /** 1 for servers that pass the filters; null lets all pass. */
  readonly allowed: Uint8Array | null;
  readonly popularity: Float32Array;
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

  function score(server: number, best: Best, { popularity: popularityOf, taught }: RankRequest) {
    const behind = best.relevance - ofServer[server]!;
    const semantic = round4(semanticScore(behind, best.evidence, weights.calibration));
    const popularity = round4(popularityOf[server] ?? 0);
    const standing = taught?.standing(server) ?? untried;
    const newcomer = exploration(best.standing, standing, behind);
    const final = round4(
      Math.min(1, finalScore(semantic, popularity, weights.popularity) * standing.factor * newcomer),
    );
    return { server, semantic, popularity, standing, newcomer, final };
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
    const { parts, vectors, allowed, taught, offset, limit, toolLimit, minScore } = request;
    const measured = relevance.measure(parts, vectors, allowed);
    const byText = highest(ofServer, windowSize);
    const evidence = evidenceOf(measured, byText);
    const { usage, best, surer } = addUsage(relevance, taught, { parts, vectors, allowed, byText });
    const window = usage.size === 0 ? byText : highest(ofServer, windowSize);
    const first = taught?.standing(window[0] ?? -1) ?? untried;
    const shared = evidenceScore(evidence, weights.calibration) + surer;
    const leading: Best = { relevance: best, evidence: shared, standing: first };
    const scored = inOrder(window, minScore, (server) => score(server, leading, request).final);
    const { leaders, others } = collapse(scored, snapshot.facts.fingerprint);
    const hits = leaders.slice(offset, offset + limit).map((server) => {
      const { standing, newcomer, ...scores } = score(server, leading, request);
      return {
        ...scores,
        standing: { ...standing, newcomer },
        relevance: round4(ofServer[server]!),
        lexical: round4(words[server]! / (measured.mass || 1)),
        cosine: round4(cosines[server]!),
        strong: scores.semantic >= weights.strong,
        alsoFrom: others.get(server) ?? [],
        usage: usage.get(server) ?? null,
        tools: bestTools(server, toolLimit),
      };
    });
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

/** Forks and mirrors stand behind the best of them, as one hit. */
function collapse(servers: readonly number[], fingerprints: Float64Array) {
  const leaderOf = new Map<number, number>();
  const others = new Map<number, number[]>();
  const leaders = servers.filter((server) => {
    const print = fingerprints[server] ?? 0;
    if (print === 0) return true;
    const leader = leaderOf.get(print);
    if (leader === undefined) leaderOf.set(print, server);
    else others.set(leader, [...(others.get(leader) ?? []), server]);
    return leader === undefined;
  });
  return { leaders, others };
}
