/** One query against one snapshot: the best window is scored, popularity mixed in, the asked page cut out. */

import type { Snapshot } from '../index/snapshot.ts';
import type { Usage } from '../learning/model.ts';
import { type Standing, untried } from '../learning/standing.ts';
import { addUsage, type Taught } from './learned.ts';
import { createRelevance, highest, type Measured, type RelevanceWeights } from './relevance.ts';
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
  readonly standing: Standing;
};

export type Ranking = {
  readonly hits: readonly Hit[];
  /** Whether there are hits behind this page. */
  readonly more: boolean;
  readonly evidence: Evidence;
};

export type Ranker = (request: RankRequest) => Ranking;

/** Servers that are scored and can be paged through: what lies behind matches by accident. */
const windowSize = 300;

export function createRanker(
  snapshot: Snapshot,
  lexicon: ReadonlyMap<string, number>,
  weights: RankWeights,
): Ranker {
  const relevance = createRelevance(snapshot, lexicon, weights);
  const { ofServer, words, cosines, ofTools } = relevance;

  function score(
    server: number,
    best: number,
    evidence: number,
    popularityOf: Float32Array,
    taught: Taught | null,
  ) {
    const semantic = round4(semanticScore(best - ofServer[server]!, evidence, weights.calibration));
    const popularity = round4(popularityOf[server] ?? 0);
    const standing = taught?.standing(server) ?? untried;
    const final = round4(Math.min(1, finalScore(semantic, popularity, weights.popularity) * standing.factor));
    return { server, semantic, popularity, standing, final };
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

  return ({ parts, vectors, allowed, popularity, taught, offset, limit, toolLimit, minScore }) => {
    const measured = relevance.measure(parts, vectors, allowed);
    const byText = highest(ofServer, windowSize);
    const evidence = evidenceOf(measured, byText);
    const { usage, best, surer } = addUsage(relevance, taught, { parts, vectors, allowed, byText });
    const window = usage.size === 0 ? byText : highest(ofServer, windowSize);
    const shared = evidenceScore(evidence, weights.calibration) + surer;
    const scored = window
      .map((server) => score(server, best, shared, popularity, taught))
      .filter(({ final }) => final >= minScore)
      .sort((a, b) => b.final - a.final || a.server - b.server);
    const { first, others } = collapse(scored, snapshot.facts.fingerprint);
    const hits = first.slice(offset, offset + limit).map((one) => ({
      ...one,
      relevance: round4(ofServer[one.server]!),
      lexical: round4(words[one.server]! / (measured.mass || 1)),
      cosine: round4(cosines[one.server]!),
      strong: one.semantic >= weights.strong,
      alsoFrom: others.get(one.server) ?? [],
      usage: usage.get(one.server) ?? null,
      tools: bestTools(one.server, toolLimit),
    }));
    return { hits, more: first.length > offset + limit, evidence };
  };
}

/** Forks and mirrors stand behind the best of them, as one hit. */
function collapse<T extends { readonly server: number }>(scored: readonly T[], fingerprints: Float64Array) {
  const leaders = new Map<number, number>();
  const others = new Map<number, number[]>();
  const first = scored.filter(({ server }) => {
    const print = fingerprints[server] ?? 0;
    const leader = leaders.get(print);
    if (print === 0) return true;
    if (leader === undefined) leaders.set(print, server);
    else others.set(leader, [...(others.get(leader) ?? []), server]);
    return leader === undefined;
  });
  return { first, others };
}
