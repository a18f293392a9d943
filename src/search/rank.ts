/**
 * One query against one snapshot: BM25F and the vector scan over everything, both normalised by their best and
 * added, the best window scored, popularity mixed in, the asked page cut out with each server's best tools.
 */
import { createLexical, type QueryTerm } from './lexical.ts';
import { createScan } from './scan.ts';
import {
  type Calibration,
  type Evidence,
  evidenceScore,
  finalScore,
  round4,
  semanticScore,
} from './score.ts';
import type { Snapshot } from './snapshot.ts';
import { queryStems } from './text.ts';

export type RankWeights = {
  /** The share of the vectors in relevance; the words have the rest. */
  readonly dense: number;
  /** The share of the server taken as a whole; its best tool has the rest. */
  readonly whole: number;
  /** The share of the best sentence of a long query; the whole query has the rest. */
  readonly sentence: number;
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
/** Relevance is sorted roughly into this many bins to find the window without sorting everything. */
const bins = 1024;

export function createRanker(
  snapshot: Snapshot,
  lexicon: ReadonlyMap<string, number>,
  weights: RankWeights,
): Ranker {
  const lexical = createLexical(snapshot);
  const scan = createScan(snapshot.vectors);
  const { serverCount, documentCount, docBase, idf, termCount } = snapshot;
  const { dims } = snapshot.vectors;
  const rarest = idf.length === 0 ? 0 : Math.log(1 + documentCount * 2);
  const words = new Float32Array(serverCount);
  const cosines = new Float32Array(serverCount);
  const relevance = new Float32Array(serverCount);
  const sentenceBest = new Float32Array(serverCount);

  return (request) => {
    const { parts, vectors, allowed } = request;
    const evidenceOf = { lexical: 0, cosine: 0, known: 0, covered: 0, logWords: 0 };
    sentenceBest.fill(0);
    // Sentences first: the arrays of the last call, the whole query's, are read afterwards.
    for (let p = parts.length - 1; p > 0; p--) {
      scorePart(parts[p] ?? '', vectors.subarray(p * dims, (p + 1) * dims));
      for (let s = 0; s < serverCount; s++)
        if (relevance[s]! > sentenceBest[s]!) sentenceBest[s] = relevance[s]!;
    }
    const whole = scorePart(parts[0] ?? '', vectors.subarray(0, dims));
    if (parts.length > 1) {
      const share = weights.sentence;
      for (let s = 0; s < serverCount; s++)
        relevance[s] = (1 - share) * relevance[s]! + share * sentenceBest[s]!;
    }
    const window = bestOf(relevance, allowed, windowSize);
    const top = window[0];
    if (top === undefined) return { hits: [], more: false, evidence: evidenceOf };
    const evidence: Evidence = {
      lexical: whole.mass > 0 ? whole.bestWords / whole.mass : 0,
      cosine: whole.bestCosine,
      known: whole.mass > 0 ? whole.knownMass / whole.mass : 0,
      covered: whole.mass > 0 ? words[top]! / whole.mass : 0,
      logWords: Math.log(1 + whole.terms),
    };
    const base = evidenceScore(evidence, weights.calibration);
    const scored = window
      .map((server) => {
        const semantic = round4(semanticScore(relevance[server]!, base, weights.calibration));
        const popularity = round4(request.popularity[server] ?? 0);
        return {
          server,
          semantic,
          popularity,
          final: round4(finalScore(semantic, popularity, weights.popularity)),
        };
      })
      .filter(({ final }) => final >= request.minScore)
      .sort((a, b) => b.final - a.final || a.server - b.server);
    const hits = scored.slice(request.offset, request.offset + request.limit).map((one) => ({
      ...one,
      relevance: round4(relevance[one.server]!),
      lexical: round4(whole.mass > 0 ? words[one.server]! / whole.mass : 0),
      cosine: round4(cosines[one.server]!),
      strong: one.semantic >= weights.strong,
      tools: bestTools(one.server, request.toolLimit, whole),
    }));
    return { hits, more: scored.length > request.offset + request.limit, evidence };
  };

  type Part = {
    ofTool: Float32Array;
    dots: Float32Array;
    bestWords: number;
    bestCosine: number;
    mass: number;
    knownMass: number;
    terms: number;
  };

  /** Fills `words`, `cosines` and `relevance` for one text. */
  function scorePart(text: string, vector: Float32Array): Part {
    const { terms, mass, knownMass } = termsOf(text);
    const { ofServer, ofTool, together } = lexical(terms);
    const dots = scan(vector);
    let bestWords = 0;
    let bestCosine = 0;
    for (let s = 0; s < serverCount; s++) {
      const from = docBase[s]!;
      const to = docBase[s + 1]!;
      let tool = 0;
      let near = to - from > 1 ? -1 : dots[from]!;
      for (let d = from + 1; d < to; d++) {
        if (ofTool[d]! > tool) tool = ofTool[d]!;
        if (dots[d]! > near) near = dots[d]!;
      }
      const w = ofServer[s]! + (1 - weights.whole) * tool + weights.whole * together[s]!;
      const c = weights.whole * dots[from]! + (1 - weights.whole) * near;
      words[s] = w;
      cosines[s] = c;
      if (w > bestWords) bestWords = w;
      if (c > bestCosine) bestCosine = c;
    }
    const byWords = bestWords > 0 ? (1 - weights.dense) / bestWords : 0;
    const byCosine = bestCosine > 0 ? weights.dense / bestCosine : 0;
    for (let s = 0; s < serverCount; s++) {
      relevance[s] = byWords * words[s]! + (cosines[s]! > 0 ? byCosine * cosines[s]! : 0);
    }
    return { ofTool, dots, bestWords, bestCosine, mass, knownMass, terms: terms.length };
  }

  function termsOf(text: string): { terms: QueryTerm[]; mass: number; knownMass: number } {
    const counts = new Map<string, number>();
    for (const stem of queryStems(text)) counts.set(stem, (counts.get(stem) ?? 0) + 1);
    const terms: QueryTerm[] = [];
    let mass = 0;
    let knownMass = 0;
    for (const [stem, count] of counts) {
      const term = lexicon.get(stem);
      // Said twice is not twice as important.
      const weight = Math.sqrt(count) * (term === undefined || term >= termCount ? rarest : idf[term]!);
      mass += weight;
      if (term === undefined || term >= termCount) continue;
      knownMass += weight;
      terms.push({ term, weight });
    }
    return { terms, mass, knownMass };
  }

  function bestTools(server: number, limit: number, { ofTool, dots, bestWords, bestCosine }: Part): number[] {
    const from = docBase[server]! + 1;
    const count = docBase[server + 1]! - from;
    const score = (doc: number) =>
      (1 - weights.dense) * (ofTool[doc]! / (bestWords || 1)) +
      weights.dense * (dots[doc]! / (bestCosine || 1));
    return Array.from({ length: count }, (_, i) => ({ doc: from + i, score: score(from + i) }))
      .sort((a, b) => b.score - a.score || a.doc - b.doc)
      .slice(0, limit)
      .map(({ doc }) => doc);
  }
}

/** The numbers of the `size` highest positive values, highest first; ties by number. */
function bestOf(values: Float32Array, allowed: Uint8Array | null, size: number): number[] {
  const histogram = new Uint32Array(bins + 1);
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (v > 0 && (allowed === null || allowed[i] === 1)) histogram[Math.min(bins, Math.floor(v * bins))]!++;
  }
  let floor = bins;
  for (let seen = histogram[bins]!; seen < size && floor > 0; ) seen += histogram[--floor]!;
  const least = floor / bins;
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (v > 0 && v >= least && (allowed === null || allowed[i] === 1)) found.push(i);
  }
  return found.sort((a, b) => values[b]! - values[a]! || a - b).slice(0, size);
}
