/** One query against one snapshot: the best window is scored, popularity mixed in, the asked page cut out. */

import type { Snapshot } from '../index/snapshot.ts';
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

  function score(server: number, best: number, evidence: number, popularityOf: Float32Array) {
    const semantic = round4(semanticScore(best - ofServer[server]!, evidence, weights.calibration));
    const popularity = round4(popularityOf[server] ?? 0);
    return {
      server,
      semantic,
      popularity,
      final: round4(finalScore(semantic, popularity, weights.popularity)),
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

  return ({ parts, vectors, allowed, popularity, offset, limit, toolLimit, minScore }) => {
    const measured = relevance.measure(parts, vectors, allowed);
    const window = highest(ofServer, windowSize);
    const evidence = evidenceOf(measured, window);
    const shared = evidenceScore(evidence, weights.calibration);
    const scored = window
      .map((server) => score(server, evidence.agreement, shared, popularity))
      .filter(({ final }) => final >= minScore)
      .sort((a, b) => b.final - a.final || a.server - b.server);
    const hits = scored.slice(offset, offset + limit).map((one) => ({
      ...one,
      relevance: round4(ofServer[one.server]!),
      lexical: round4(words[one.server]! / (measured.mass || 1)),
      cosine: round4(cosines[one.server]!),
      strong: one.semantic >= weights.strong,
      tools: bestTools(one.server, toolLimit),
    }));
    return { hits, more: scored.length > offset + limit, evidence };
  };
}
