/**
 * How well each server fits a query: BM25F and cosines over everything, each divided by its best and added.
 * (Dividing by the best beat reciprocal ranks by three points of nDCG.) A long query is also asked sentence by
 * sentence, of its best candidates only: who answers one sentence fully may drown in the whole.
 */
import { createScan, type Scan } from '../index/scan.ts';
import type { Snapshot } from '../index/snapshot.ts';
import {
  idfSeen,
  isKnown,
  type PartialServers,
  type SegmentMask,
  type ViewMask,
} from '../query/seen-terms.ts';
import type { Run } from '../segments/runs.ts';
import type { SearchIndex } from '../segments/search-index.ts';
import { queryCounts } from '../text/text.ts';
import {
  createLexicalScores,
  type LexicalScores,
  type QueryTerm,
  scoreTerms,
  scoreToolsOf,
} from './lexical.ts';
import { topK, topOfSum } from './top-k.ts';

export type RelevanceWeights = {
  /** The share of the vectors; the words have the rest. */
  readonly dense: number;
  /** The share of the server taken as a whole; its best tool has the rest. */
  readonly whole: number;
  /** The share of the best sentence of a long query; the whole query has the rest. */
  readonly sentence: number;
};

/**
 * What relevance is measured with. The arrays of `buffers` and of the segments are filled by each query: to allocate a megabyte a query
 * would cost more than to score it. So one query is ranked at a time, from its first line to its hits without
 * waiting, and no result points in here.
 */
export type RelevanceIndex = {
  readonly searched: SearchIndex;
  readonly weights: RelevanceWeights;
  readonly dims: number;
  readonly segments: readonly SegmentScores[];
  readonly buffers: {
    readonly relevance: Float32Array;
    readonly lexical: Float32Array;
    readonly cosine: Float32Array;
  };
};

/** What each segment is scored with, by its own numbers. */
type SegmentScores = {
  readonly snapshot: Snapshot;
  readonly scan: Scan;
  readonly lexical: Float32Array;
  readonly ofQuery: LexicalScores;
  readonly ofSentence: LexicalScores;
};

export function createRelevanceIndex(searched: SearchIndex, weights: RelevanceWeights): RelevanceIndex {
  const { serverCount, segments } = searched;
  const lexical = new Float32Array(serverCount);
  return {
    searched,
    weights,
    dims: segments[0]?.snapshot.vectors.dims ?? 0,
    segments: segments.map(({ snapshot }) => ({
      snapshot,
      scan: createScan(snapshot.vectors, snapshot.docBase, weights.whole),
      // Of one that is the whole index there is nothing to be copied.
      lexical: segments.length === 1 ? lexical : new Float32Array(snapshot.serverCount),
      ofQuery: createLexicalScores(snapshot),
      ofSentence: createLexicalScores(snapshot),
    })),
    buffers: {
      relevance: new Float32Array(serverCount),
      lexical,
      cosine: new Float32Array(serverCount),
    },
  };
}

/** What a server is scored with, its number there, and how much higher its documents' numbers are in the index. */
function placeOf({ searched, segments }: RelevanceIndex, server: number) {
  const segmentNumber = searched.segmentOf(server);
  const segment = segments[segmentNumber]!;
  const local = searched.localOf(server);
  return {
    segment,
    segmentNumber,
    local,
    offset: searched.docBase[server]! - segment.snapshot.docBase[local]!,
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
    readonly mask: ViewMask | null;
  };

/** How many of the best candidates are asked sentence by sentence. */
const sentenceCandidates = 400;

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

/**
 * Servers' scores as if they had the seen tools alone. Their words combined are not at hand, and a server's own vector has taken
 * on all its tools: the best of those that are seen stands for both. `among`: of these servers alone.
 */
function hideTools(
  { snapshot, scan }: SegmentScores,
  scores: LexicalScores,
  mask: SegmentMask | undefined,
  among?: Uint32Array,
): void {
  if (mask?.partial == null) return;
  const { locals, places, starts, hidden } = mask.partial;
  const { docBase } = snapshot;
  const { ofServer, ofBestTool, ofDocument } = scan;
  const { bestTool, combinedTools, ofTool } = scores;
  const asked = among ?? locals;
  for (let i = 0; i < asked.length; i++) {
    const local = asked[i]!;
    const place = places[local]!;
    if (place === 0) continue;
    let words = 0;
    let nearest = 0;
    for (let at = starts[place - 1]!; at < starts[place]!; at++) {
      const document = hidden[at]!;
      words = Math.max(words, ofTool[document]!);
      nearest = Math.max(nearest, ofDocument[document]!);
      ofTool[document] = 0;
      ofDocument[document] = Number.NEGATIVE_INFINITY;
    }
    // Only where a hidden one was the best is another to be found.
    if (words > 0 && words >= bestTool[local]!) bestTool[local] = bestOfTools(ofTool, docBase, local);
    combinedTools[local] = bestTool[local]!;
    const best = ofBestTool[local]!;
    ofServer[local] =
      nearest < best || best < 0 ? Math.max(0, best) : bestOfTools(ofDocument, docBase, local);
  }
}

/** At least 0. */
function bestOfTools(scores: Float32Array, docBase: Uint32Array, server: number): number {
  let best = 0;
  for (let d = docBase[server]! + 1; d < docBase[server + 1]!; d++) best = Math.max(best, scores[d]!);
  return best;
}

/** How rare a word is in what is seen of the catalog; the highest for one that nothing there has. */
export function idfOf({ searched }: RelevanceIndex, stem: string, mask: ViewMask | null): number {
  return idfOfTerm(searched, searched.termOf(stem), mask);
}

function idfOfTerm(searched: SearchIndex, term: number, mask: ViewMask | null): number {
  if (isKnown(searched, term, mask)) return idfSeen(searched, term, mask);
  const documents = mask === null ? searched.documentCount : mask.serverCount + mask.toolCount;
  return Math.log(1 + 2 * documents);
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
  const { server, limit } = tools;
  if (limit === 0) return [];
  const { segment, segmentNumber, local, offset } = placeOf(index, server);
  const { snapshot, scan, ofQuery } = segment;
  const [byLexical, byCosine] = normalisers(index.weights, scores);
  const mask = scores.mask?.segments[segmentNumber];
  const place = mask?.partial?.places[local] ?? 0;
  if (scores.bySentence) scan.compare(local, 1);
  if (mask?.partial != null && place !== 0) hideCosines(mask.partial, place, scan);
  const range = { from: snapshot.docBase[local]! + 1, to: snapshot.docBase[local + 1]! };
  const seen = place === 0 ? null : mask!.tools;
  if (range.to - range.from > 1)
    scoreToolsOf(snapshot, scores.terms, { range, seen, ofTool: ofQuery.ofTool });
  const sum = { a: ofQuery.ofTool, byA: byLexical, b: scan.ofDocument, byB: vectorShare * byCosine };
  const best = topOfSum(range, limit, sum);
  return (seen === null ? best : best.filter((tool) => seen[tool] === 1)).map((tool) => tool + offset);
}

/** A server's hidden tools are the least near of all. */
function hideCosines({ starts, hidden }: PartialServers, place: number, { ofDocument }: Scan): void {
  for (let at = starts[place - 1]!; at < starts[place]!; at++)
    ofDocument[hidden[at]!] = Number.NEGATIVE_INFINITY;
}

/** A word said twice is more important, but not twice as important. */
function termsOf(index: RelevanceIndex, text: string, mask: ViewMask | null): QueryTerms {
  const { searched } = index;
  const terms: QueryTerm[] = [];
  let totalIdf = 0;
  let coveredIdf = 0;
  queryCounts(text).forEach((count, stem) => {
    const term = searched.termOf(stem);
    const weight = Math.sqrt(count) * idfOfTerm(searched, term, mask);
    totalIdf += weight;
    if (!isKnown(searched, term, mask)) return;
    coveredIdf += weight;
    terms.push({ term, weight });
  });
  return { terms, totalIdf, coveredIdf };
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
  const { buffers, dims } = index;
  const { relevance } = buffers;
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
  const { segments, searched, weights } = index;
  const { whole } = weights;
  const { terms } = termsOf(index, sentence, mask);
  for (const { snapshot, scan, ofSentence } of segments) {
    scoreTerms(snapshot, terms, ofSentence);
    scan.setQuery(vector);
  }
  for (const s of candidates) segments[searched.segmentOf(s)]!.scan.compare(searched.localOf(s), 1);
  if (mask !== null)
    for (const [n, segment] of segments.entries()) {
      const here = candidates.filter((s) => searched.segmentOf(s) === n).map(searched.localOf);
      hideTools(segment, segment.ofSentence, mask.segments[n], Uint32Array.from(here));
    }
  const cosine = Float32Array.from(
    candidates,
    (s) => segments[searched.segmentOf(s)]!.scan.ofServer[searched.localOf(s)]!,
  );
  const lexical = Float32Array.from(candidates, (s) => {
    const { ofServer, bestTool, combinedTools } = segments[searched.segmentOf(s)]!.ofSentence;
    const local = searched.localOf(s);
    return ofServer[local]! + (1 - whole) * bestTool[local]! + whole * combinedTools[local]!;
  });
  const best = { bestLexical: Math.max(...lexical), bestCosine: Math.max(...cosine) };
  const [byLexical, byCosine] = normalisers(weights, best);
  return candidates.map((_, k) => byLexical * lexical[k]! + byCosine * cosine[k]!);
}
