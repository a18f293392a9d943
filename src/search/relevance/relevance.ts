/**
 * How well each server fits a query: BM25F and cosines over everything, each divided by its best and added.
 * (Dividing by the best beat reciprocal ranks by three points of nDCG.)
 */
import type { ViewMask } from '../query/seen-terms.ts';
import type { Run } from '../segments/runs.ts';
import { addBestSentence } from './best-sentence.ts';
import { hideTools } from './hidden-tools.ts';
import { type LexicalScores, scoreTerms } from './lexical.ts';
import { type QueryTerms, termsOf } from './query-terms.ts';
import { type Extremes, normalisers, type RelevanceIndex, type SegmentScores } from './relevance-index.ts';

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

/** Every server's scores for one query, by number; valid until the next one is scored. */
export type ServerScores = QueryTerms &
  Extremes & {
    readonly relevance: Float32Array;
    readonly lexical: Float32Array;
    readonly cosine: Float32Array;
    /** The scan was asked sentence by sentence since. */
    readonly bySentence: boolean;
    readonly mask: ViewMask | null;
  };

export function scoreServers(
  index: RelevanceIndex,
  { parts, vectors, allowed, mask }: RelevanceQuery,
): ServerScores {
  const { segments, buffers, dims } = index;
  const queryVector = vectors.subarray(0, dims);
  const bySentence = parts.length > 1;
  const { terms, totalIdf, coveredIdf } = termsOf(index, parts[0] ?? '', mask);
  for (const { snapshot, scan, ofQuery } of segments) {
    scoreTerms(snapshot, terms, ofQuery);
    scan.setQuery(queryVector);
    scan.compare(0, snapshot.serverCount);
  }
  for (const [s, segment] of segments.entries()) hideTools(segment, segment.ofQuery, mask?.segments[s]);
  const extremes = collectScores(index, allowed);
  combineScores(index, extremes);
  if (bySentence) {
    addBestSentence(index, { sentences: parts.slice(1), vectors: vectors.subarray(dims), mask });
    for (const { scan } of segments) scan.setQuery(queryVector);
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
    mask,
  };
}

/** Takes over words' and vectors' scores of the allowed servers, and finds the best of each. */
function collectScores(index: RelevanceIndex, allowed: Uint8Array | null): Extremes {
  const { buffers, searched, segments, weights } = index;
  const { lexical, cosine } = buffers;
  let best = 0;
  for (const { ofQuery, lexical: own } of segments) best = combineWords(ofQuery, weights.whole, own);
  for (const run of searched.runs) copyScores(segments[run.segment]!, buffers, run);
  let count = cosine.length;
  if (allowed !== null) ({ best, count } = keepAllowed(buffers, allowed));
  else if (segments.length > 1) best = highest(lexical);
  return { bestLexical: best, ...measureCosines(cosine, count) };
}

/** The others get 0. Answers the best by words, and how many there are. */
function keepAllowed({ lexical, cosine }: RelevanceIndex['buffers'], allowed: Uint8Array) {
  let best = 0;
  let count = 0;
  for (let s = 0; s < allowed.length; s++) {
    const keep = allowed[s]!;
    const words = lexical[s]! * keep;
    lexical[s] = words;
    cosine[s] = cosine[s]! * keep;
    count += keep;
    if (words > best) best = words;
  }
  return { best, count };
}

function highest(scores: Float32Array): number {
  let best = 0;
  for (let s = 0; s < scores.length; s++) if (scores[s]! > best) best = scores[s]!;
  return best;
}

/** Shorter ones are copied sooner than asked for. */
const longRun = 200;

function copyScores(
  { lexical, scan }: SegmentScores,
  into: { readonly lexical: Float32Array; readonly cosine: Float32Array },
  run: Run,
): void {
  if (lexical !== into.lexical) copyRun(lexical, into.lexical, run);
  copyRun(scan.ofServer, into.cosine, run);
}

function copyRun(of: Float32Array, into: Float32Array, { from, to, count }: Run): void {
  if (count >= longRun) into.set(of.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) into[to + i] = of[from + i]!;
}

/** Answers the best of them. */
function combineWords(
  { ofServer, bestTool, combinedTools }: LexicalScores,
  whole: number,
  into: Float32Array,
): number {
  let best = 0;
  for (let s = 0; s < into.length; s++) {
    // As it is kept: a sum is longer than that, and whoever looks for the best among these finds the shorter one.
    const words = Math.fround(ofServer[s]! + (1 - whole) * bestTool[s]! + whole * combinedTools[s]!);
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
