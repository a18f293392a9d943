/**
 * How well each server fits a query: BM25F and cosines over everything, each divided by its best and added.
 * (Dividing by the best beat reciprocal ranks by three points of nDCG.) A long query is also asked sentence by
 * sentence, of its best candidates only: who answers one sentence fully may drown in the whole.
 */
import { createScan, type Scan } from '../index/scan.ts';
import type { Snapshot } from '../index/snapshot.ts';
import { isKnown, type PartialServers, type ViewMask } from '../query/seen-terms.ts';
import { queryCounts } from '../text/text.ts';
import {
  createLexicalScores,
  type DocumentRange,
  type LexicalScores,
  type QueryTerm,
  scoreTerms,
  scoreToolsOf,
} from './lexical.ts';
import { topK, topOfSum, type WeightedSum } from './top-k.ts';

export type RelevanceWeights = {
  /** The share of the vectors; the words have the rest. */
  readonly dense: number;
  /** The share of the server taken as a whole; its best tool has the rest. */
  readonly whole: number;
  /** The share of the best sentence of a long query; the whole query has the rest. */
  readonly sentence: number;
};

/**
 * What relevance is measured with. The arrays of `buffers` and `scan` are filled by each query: to allocate a megabyte a query
 * would cost more than to score it. So one query is ranked at a time, from its first line to its hits without
 * waiting, and no result points in here.
 */
export type RelevanceIndex = {
  readonly snapshot: Snapshot;
  readonly lexicon: ReadonlyMap<string, number>;
  readonly weights: RelevanceWeights;
  readonly unknownIdf: number;
  readonly scan: Scan;
  readonly buffers: {
    readonly relevance: Float32Array;
    readonly lexical: Float32Array;
    readonly cosine: Float32Array;
    readonly ofQuery: LexicalScores;
    readonly ofSentence: LexicalScores;
  };
};

export function createRelevanceIndex(
  snapshot: Snapshot,
  lexicon: ReadonlyMap<string, number>,
  weights: RelevanceWeights,
): RelevanceIndex {
  const { serverCount, documentCount, vectors, docBase } = snapshot;
  return {
    snapshot,
    lexicon,
    weights,
    unknownIdf: Math.log(1 + 2 * documentCount),
    scan: createScan(vectors, docBase, weights.whole),
    buffers: {
      relevance: new Float32Array(serverCount),
      lexical: new Float32Array(serverCount),
      cosine: new Float32Array(serverCount),
      ofQuery: createLexicalScores(snapshot),
      ofSentence: createLexicalScores(snapshot),
    },
  };
}

export type RelevanceQuery = {
  /** The query, then its sentences when it is long. */
  readonly parts: readonly string[];
  /** One unit vector a part. */
  readonly vectors: Float32Array;
  /** 1 for servers that pass the filters, the others get 0; null lets all pass. */
  readonly allowed: Uint8Array | null;
  /** null: the caller sees everything. */
  readonly mask: ViewMask | null;
};

/** A query's words: those that the catalog knows (of it, what is seen), and how rare they are in sum, all and known ones. */
type QueryTerms = {
  readonly terms: readonly QueryTerm[];
  readonly totalIdf: number;
  readonly coveredIdf: number;
};

type Extremes = {
  readonly bestLexical: number;
  readonly bestCosine: number;
  /** How many standard deviations the best cosine lies above the mean of all. */
  readonly standout: number;
};

/** Every server's scores for one query, by number; valid until the next one is scored. */
export type ServerScores = QueryTerms &
  Extremes & {
    readonly relevance: Float32Array;
    readonly lexical: Float32Array;
    readonly cosine: Float32Array;
    /** The scan was asked sentence by sentence since. */
    readonly bySentence: boolean;
    readonly partial: PartialServers | null;
  };

/** How many of the best candidates are asked sentence by sentence. */
const sentenceCandidates = 400;

export function scoreServers(
  index: RelevanceIndex,
  { parts, vectors, allowed, mask }: RelevanceQuery,
): ServerScores {
  const { snapshot, scan, buffers } = index;
  const { dims } = snapshot.vectors;
  const queryVector = vectors.subarray(0, dims);
  const bySentence = parts.length > 1;
  const { terms, totalIdf, coveredIdf } = termsOf(index, parts[0] ?? '', mask);
  scoreTerms(snapshot, terms, buffers.ofQuery);
  scan.setQuery(queryVector);
  scan.compare(0, snapshot.serverCount);
  const partial = mask?.partial ?? null;
  if (partial !== null)
    for (const server of partial.servers) hideTools(index, buffers.ofQuery, server, partial.tools);
  const extremes = collectScores(index, allowed);
  combineScores(index, extremes);
  if (bySentence) {
    addBestSentence(index, { sentences: parts.slice(1), vectors: vectors.subarray(dims), mask });
    scan.setQuery(queryVector);
  }
  const { relevance, lexical, cosine } = buffers;
  const { bestLexical, bestCosine, standout } = extremes;
  return {
    terms,
    totalIdf,
    coveredIdf,
    bestLexical,
    bestCosine,
    standout,
    relevance,
    lexical,
    cosine,
    bySentence,
    partial,
  };
}

/**
 * A server's scores as if it had the seen tools alone. Their words combined are not at hand, and its own vector has taken on
 * all its tools: the best of those that are seen stands for both.
 */
function hideTools(
  { snapshot, scan }: RelevanceIndex,
  words: LexicalScores,
  server: number,
  seen: Uint8Array,
): void {
  const [own, end] = [snapshot.docBase[server]!, snapshot.docBase[server + 1]!];
  // Of many servers no tools are known yet.
  let [bestWords, bestCosine] = [0, own + 1 === end ? scan.ofDocument[own]! : 0];
  for (let d = own + 1; d < end; d++) {
    if (seen[d] !== 1) continue;
    bestWords = Math.max(bestWords, words.ofTool[d]!);
    bestCosine = Math.max(bestCosine, scan.ofDocument[d]!);
  }
  words.bestTool[server] = words.combinedTools[server] = bestWords;
  scan.ofServer[server] = Math.max(0, bestCosine);
}

/** How rare a word is in the catalog; the highest for one that it does not know. */
export function idfOf(index: RelevanceIndex, stem: string): number {
  return idfOfTerm(index, index.lexicon.get(stem) ?? index.snapshot.termCount);
}

/** Terms of a later snapshot than this one are not known here. */
function idfOfTerm({ snapshot, unknownIdf }: RelevanceIndex, term: number): number {
  return term < snapshot.termCount ? snapshot.idf[term]! : unknownIdf;
}

/** The vectors' share beside that of the servers' ranking: of tools of one server words tell more (`npm run eval`). */
const vectorShare = 0.7;

/**
 * Document numbers of the server's tools that fit the query last scored best, best first; asked once a query and server. What tells
 * them from each other counts more than what all of them say.
 */
export function bestTools(
  index: RelevanceIndex,
  scores: ServerScores,
  tools: { readonly server: number; readonly limit: number },
): number[] {
  const { snapshot, scan, buffers } = index;
  const { server, limit } = tools;
  if (limit === 0) return [];
  const [byLexical, byCosine] = normalisers(index.weights, scores);
  if (scores.bySentence) scan.compare(server, 1);
  const range = { from: snapshot.docBase[server]! + 1, to: snapshot.docBase[server + 1]! };
  const { ofTool } = buffers.ofQuery;
  const sum = { a: ofTool, byA: byLexical, b: scan.ofDocument, byB: vectorShare * byCosine };
  const seen = scores.partial?.servers.has(server) === true ? scores.partial.tools : null;
  if (range.to - range.from > 1) scoreToolsOf(snapshot, scores.terms, { range, seen, ofTool });
  if (seen === null) return topOfSum(range, limit, sum);
  return seenTools(range, seen)
    .sort((x, y) => scoreOf(sum, y) - scoreOf(sum, x) || x - y)
    .slice(0, limit);
}

function seenTools(range: DocumentRange, tools: Uint8Array): number[] {
  const seen: number[] = [];
  for (let d = range.from; d < range.to; d++) if (tools[d] === 1) seen.push(d);
  return seen;
}

function scoreOf({ a, byA, b, byB }: WeightedSum, document: number): number {
  return byA * a[document]! + byB * b[document]!;
}

/** A word said twice is more important, but not twice as important. */
function termsOf(index: RelevanceIndex, text: string, mask: ViewMask | null): QueryTerms {
  const { lexicon, snapshot } = index;
  const terms: QueryTerm[] = [];
  let totalIdf = 0;
  let coveredIdf = 0;
  queryCounts(text).forEach((count, stem) => {
    const found = lexicon.get(stem) ?? snapshot.termCount;
    const term = mask === null || isKnown(snapshot, found, mask) ? found : snapshot.termCount;
    const weight = Math.sqrt(count) * idfOfTerm(index, term);
    totalIdf += weight;
    if (term >= snapshot.termCount) return;
    coveredIdf += weight;
    terms.push({ term, weight });
  });
  return { terms, totalIdf, coveredIdf };
}

/** Takes over words' and vectors' scores of the allowed servers, and finds the best of each. */
function collectScores({ buffers, scan, weights }: RelevanceIndex, allowed: Uint8Array | null): Extremes {
  const { lexical, cosine, ofQuery } = buffers;
  cosine.set(scan.ofServer);
  if (allowed !== null)
    for (const scores of [ofQuery.ofServer, ofQuery.bestTool, ofQuery.combinedTools, cosine])
      for (let s = 0; s < scores.length; s++) if (allowed[s] !== 1) scores[s] = 0;
  const bestLexical = combineWords(ofQuery, weights.whole, lexical);
  const count = allowed === null ? cosine.length : allowed.reduce((sum, one) => sum + one, 0);
  return { bestLexical, ...measureCosines(cosine, count) };
}

/** Answers the best of them. (Two plain loops: in one, the processor waits for the sums of the other.) */
function combineWords(
  { ofServer, bestTool, combinedTools }: LexicalScores,
  whole: number,
  into: Float32Array,
): number {
  let best = 0;
  for (let s = 0; s < into.length; s++) {
    const words = ofServer[s]! + (1 - whole) * bestTool[s]! + whole * combinedTools[s]!;
    into[s] = words;
    if (words > best) best = words;
  }
  return best;
}

function measureCosines(cosines: Float32Array, count: number): Omit<Extremes, 'bestLexical'> {
  // One by one: from an array literal V8 does not know that they are numbers, and makes an object of each at every turn.
  let best = 0;
  let sum = 0;
  let squares = 0;
  for (let s = 0; s < cosines.length; s++) {
    const near = cosines[s]!;
    sum += near;
    squares += near * near;
    if (near > best) best = near;
  }
  const mean = sum / (count || 1);
  const deviation = Math.sqrt(Math.max(0, squares / (count || 1) - mean * mean));
  return { bestCosine: best, standout: deviation === 0 ? 0 : (best - mean) / deviation };
}

function combineScores({ buffers, weights }: RelevanceIndex, extremes: Extremes): void {
  const { relevance, lexical, cosine } = buffers;
  const [byLexical, byCosine] = normalisers(weights, extremes);
  for (let s = 0; s < relevance.length; s++) relevance[s] = byLexical * lexical[s]! + byCosine * cosine[s]!;
}

/** What brings the best of each half to its share. */
function normalisers(
  { dense }: RelevanceWeights,
  { bestLexical, bestCosine }: Pick<Extremes, 'bestLexical' | 'bestCosine'>,
): readonly [byLexical: number, byCosine: number] {
  return [(1 - dense) / (bestLexical || 1), dense / (bestCosine || 1)];
}

type Sentences = {
  readonly sentences: readonly string[];
  readonly vectors: Float32Array;
  readonly mask: ViewMask | null;
};

/** Mixes into the relevance of the best candidates how well they answer the sentence that they answer best. */
function addBestSentence(index: RelevanceIndex, { sentences, vectors, mask }: Sentences): void {
  const { relevance } = index.buffers;
  const { dims } = index.snapshot.vectors;
  const candidates = topK(relevance, sentenceCandidates);
  const best = new Float32Array(candidates.length);
  for (const [i, sentence] of sentences.entries()) {
    const vector = vectors.subarray(i * dims, (i + 1) * dims);
    const scores = scoreSentence(index, candidates, { sentence, vector, mask });
    for (const [k, score] of scores.entries()) best[k] = Math.max(best[k]!, score);
  }
  const share = index.weights.sentence;
  for (let s = 0; s < relevance.length; s++) relevance[s] = (1 - share) * relevance[s]!;
  for (const [k, s] of candidates.entries()) relevance[s] = relevance[s]! + share * best[k]!;
}

type Sentence = {
  readonly sentence: string;
  readonly vector: Float32Array;
  readonly mask: ViewMask | null;
};

function scoreSentence(
  index: RelevanceIndex,
  candidates: readonly number[],
  { sentence, vector, mask }: Sentence,
): number[] {
  const { buffers, scan, snapshot, weights } = index;
  const { ofServer, bestTool, combinedTools } = buffers.ofSentence;
  const { whole } = weights;
  scoreTerms(snapshot, termsOf(index, sentence, mask).terms, buffers.ofSentence);
  scan.setQuery(vector);
  const partial = mask?.partial;
  const cosine = Float32Array.from(candidates, (s) => {
    scan.compare(s, 1);
    if (partial?.servers.has(s) === true) hideTools(index, buffers.ofSentence, s, partial.tools);
    return scan.ofServer[s]!;
  });
  const lexical = Float32Array.from(
    candidates,
    (s) => ofServer[s]! + (1 - whole) * bestTool[s]! + whole * combinedTools[s]!,
  );
  const best = { bestLexical: Math.max(...lexical), bestCosine: Math.max(...cosine) };
  const [byLexical, byCosine] = normalisers(weights, best);
  return candidates.map((_, k) => byLexical * lexical[k]! + byCosine * cosine[k]!);
}
