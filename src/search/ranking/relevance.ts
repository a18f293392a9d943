/**
 * How well each server fits a query: BM25F and cosines over everything, each divided by its best and added.
 * (Dividing by the best beat reciprocal ranks by three points of nDCG.) A long query is also asked sentence by
 * sentence, of its best candidates only: who answers one sentence fully may drown in the whole.
 */

import { createScan } from '../index/scan.ts';
import type { Snapshot } from '../index/snapshot.ts';
import { countsOf, queryStems } from '../index/text.ts';
import { createLexical, type LexicalScores, type QueryTerm } from './lexical.ts';

export type RelevanceWeights = {
  /** The share of the vectors; the words have the rest. */
  readonly dense: number;
  /** The share of the server taken as a whole; its best tool has the rest. */
  readonly whole: number;
  /** The share of the best sentence of a long query; the whole query has the rest. */
  readonly sentence: number;
};

/** The query as terms, and the sums of their weights: all, and those that the catalogue knows. */
export type Asked = {
  readonly terms: readonly QueryTerm[];
  readonly mass: number;
  readonly knownMass: number;
};

export type Measured = Asked & {
  readonly bestWords: number;
  readonly bestCosine: number;
  /** How many standard deviations the best cosine lies above the mean of all. */
  readonly standout: number;
};

/** The arrays are written over by the next call. */
export type Relevance = {
  readonly ofServer: Float32Array;
  readonly words: Float32Array;
  readonly cosines: Float32Array;
  /** The query, then its sentences if it is long, with a vector each; servers that are not allowed get 0. */
  measure(parts: readonly string[], vectors: Float32Array, allowed: Uint8Array | null): Measured;
  /** How rare a word is in the catalogue; the highest for one that it does not know. */
  weightOf(stem: string): number;
  /** Document numbers of the server's tools that fit the query last measured best, best first; fifty at most. */
  bestTools(server: number, limit: number): number[];
};

/** How many of the best candidates are asked sentence by sentence. */
const candidates = 400;
/** Tools that a reply may show of a server. */
const mostTools = 50;

export function createRelevance(
  snapshot: Snapshot,
  lexicon: ReadonlyMap<string, number>,
  weights: RelevanceWeights,
): Relevance {
  const { serverCount, documentCount, docBase, idf, termCount } = snapshot;
  const { dims } = snapshot.vectors;
  const [lexicalOfQuery, lexicalOfSentence] = [createLexical(snapshot), createLexical(snapshot)];
  const scan = createScan(snapshot.vectors, docBase, weights.whole);
  const unknownWeight = Math.log(1 + 2 * documentCount);
  const words = new Float32Array(serverCount);
  const cosines = new Float32Array(serverCount);
  const ofServer = new Float32Array(serverCount);
  let measured: Measured = { terms: [], mass: 0, knownMass: 0, bestWords: 0, bestCosine: 0, standout: 0 };
  let lexicalScores: LexicalScores | undefined;
  let sentences = false;
  /** Of the best tools of the server at hand. */
  const toolScores = new Float64Array(mostTools);
  let queryVector: Float32Array = new Float32Array(dims);

  /** Terms of a later snapshot than this one are not known here. */
  const weightOfTerm = (term: number) => (term < termCount ? idf[term]! : unknownWeight);

  /** A word said twice is more important, but not twice as important. */
  function ask(text: string): Asked {
    const terms: QueryTerm[] = [];
    let mass = 0;
    let knownMass = 0;
    countsOf(queryStems(text)).forEach((count, stem) => {
      const term = lexicon.get(stem) ?? termCount;
      const weight = Math.sqrt(count) * weightOfTerm(term);
      mass += weight;
      if (term >= termCount) return;
      knownMass += weight;
      terms.push({ term, weight });
    });
    return { terms, mass, knownMass };
  }

  const wordsOf = (s: number, { ofServer: own, bestTool, together }: LexicalScores) =>
    own[s]! + (1 - weights.whole) * bestTool[s]! + weights.whole * together[s]!;

  /** `[factor of the words, factor of the cosines]`: what brings the best of each to its share. */
  const factors = (bestWords: number, bestCosine: number) =>
    [(1 - weights.dense) / (bestWords || 1), weights.dense / (bestCosine || 1)] as const;

  /** Fills `words` and `cosines`. The arrays stand in variables of this call: a lookup for each element is twice as slow. */
  function weigh({ ofServer: own, bestTool, together }: LexicalScores, allowed: Uint8Array | null) {
    const [intoWords, intoCosines, byVectors] = [words, cosines, scan.ofServer];
    const { whole } = weights;
    // One by one: from an array literal V8 does not know that they are numbers, and makes an object of each at every turn.
    let count = 0;
    let bestWords = 0;
    let bestCosine = 0;
    let sum = 0;
    let squares = 0;
    for (let s = 0; s < intoWords.length; s++) {
      if (allowed !== null && allowed[s] !== 1) {
        intoWords[s] = intoCosines[s] = 0;
        continue;
      }
      const w = own[s]! + (1 - whole) * bestTool[s]! + whole * together[s]!;
      const c = byVectors[s]!;
      intoWords[s] = w;
      intoCosines[s] = c;
      count++;
      sum += c;
      squares += c * c;
      bestWords = Math.max(bestWords, w);
      bestCosine = Math.max(bestCosine, c);
    }
    return { bestWords, bestCosine, count, sum, squares };
  }

  function measureQuery(text: string, allowed: Uint8Array | null): void {
    const asked = ask(text);
    lexicalScores = lexicalOfQuery(asked.terms);
    scan.setQuery(queryVector);
    scan.compare(0, serverCount);
    const { bestWords, bestCosine, count, sum, squares } = weigh(lexicalScores, allowed);
    const [byWords, byCosine] = factors(bestWords, bestCosine);
    const [into, fromWords, fromCosines] = [ofServer, words, cosines];
    for (let s = 0; s < into.length; s++) into[s] = byWords * fromWords[s]! + byCosine * fromCosines[s]!;
    const mean = sum / (count || 1);
    const deviation = Math.sqrt(Math.max(0, squares / (count || 1) - mean * mean));
    const standout = deviation === 0 ? 0 : (bestCosine - mean) / deviation;
    measured = { ...asked, bestWords, bestCosine, standout };
  }

  function addSentences(sentences: readonly string[], vectors: Float32Array): void {
    const among = highest(ofServer, candidates);
    const best = new Float32Array(among.length);
    const [w, c] = [new Float32Array(among.length), new Float32Array(among.length)];
    for (const [i, sentence] of sentences.entries()) {
      const scores = lexicalOfSentence(ask(sentence).terms);
      scan.setQuery(vectors.subarray(i * dims, (i + 1) * dims));
      for (const [k, s] of among.entries()) {
        scan.compare(s, 1);
        w[k] = wordsOf(s, scores);
        c[k] = scan.ofServer[s]!;
      }
      const [byWords, byCosine] = factors(Math.max(...w), Math.max(...c));
      for (let k = 0; k < among.length; k++) best[k] = Math.max(best[k]!, byWords * w[k]! + byCosine * c[k]!);
    }
    const share = weights.sentence;
    for (let s = 0; s < serverCount; s++) ofServer[s] = (1 - share) * ofServer[s]!;
    for (const [k, s] of among.entries()) ofServer[s] = ofServer[s]! + share * best[k]!;
  }

  return {
    ofServer,
    words,
    cosines,
    measure(parts, vectors, allowed) {
      queryVector = vectors.subarray(0, dims);
      measureQuery(parts[0] ?? '', allowed);
      sentences = parts.length > 1;
      if (!sentences) return measured;
      addSentences(parts.slice(1), vectors.subarray(dims));
      scan.setQuery(queryVector);
      return measured;
    },
    weightOf: (stem) => weightOfTerm(lexicon.get(stem) ?? termCount),
    bestTools(server, wanted) {
      const limit = Math.min(wanted, mostTools);
      const docs: number[] = [];
      if (limit === 0) return docs;
      const [byWords, byCosine] = factors(measured.bestWords, measured.bestCosine);
      // Sentences have written over the cosines since.
      if (sentences) scan.compare(server, 1);
      for (let doc = docBase[server]! + 1; doc < docBase[server + 1]!; doc++) {
        const score = byWords * (lexicalScores?.ofTool[doc] ?? 0) + byCosine * scan.ofDocument[doc]!;
        if (docs.length === limit && score <= toolScores[limit - 1]!) continue;
        let at = Math.min(docs.length, limit - 1);
        for (; at > 0 && score > toolScores[at - 1]!; at--) {
          docs[at] = docs[at - 1]!;
          toolScores[at] = toolScores[at - 1]!;
        }
        docs[at] = doc;
        toolScores[at] = score;
      }
      return docs;
    },
  };
}

/** Sort keys hold a number of a server beside what it is sorted by: 2^21 servers at most. */
const slots = 2 ** 21;

/** The numbers of the `size` highest of values that are not negative, zeros left out, highest first; ties by number. */
export function highest(values: Float32Array, size: number): number[] {
  // Such floats order like their bits, so a key holds value and number exactly, and sorting needs no callback.
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const floor = floorOf(bits, size);
  if (scratch.length < bits.length) scratch = new Float64Array(bits.length);
  const keys = scratch;
  let found = 0;
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i]!;
    if (value >= floor) keys[found++] = (0x7fffffff - value) * slots + i;
  }
  return firstOf(keys, found, size);
}
/** Used again by every call: the memory of a new one is outside the heap, and costs more than what is done with it. */
let scratch = new Float64Array(0);
let blockScratch = new Int32Array(0);

/** No more than the `size`-th highest, and seldom much less: so many blocks have at least one number that is as high. */
function floorOf(bits: Int32Array, size: number): number {
  const blocks = 2 * size;
  const length = Math.ceil(bits.length / blocks);
  if (length < 4) return 1;
  if (blockScratch.length !== blocks) blockScratch = new Int32Array(blocks);
  const most = blockScratch;
  for (let block = 0, i = 0; block < blocks; block++) {
    let best = 0;
    for (const end = Math.min(bits.length, i + length); i < end; i++) best = Math.max(best, bits[i]!);
    most[block] = best;
  }
  return Math.max(1, most.sort()[blocks - size]!);
}

/** The numbers of the lowest of the first `count` keys, made as `sortKey` does: highest final score first; ties by number. */
export function firstOf(keys: Float64Array, count: number, size: number): number[] {
  sort(keys, count);
  const numbers = new Array<number>(Math.min(size, count));
  for (let i = 0; i < numbers.length; i++) {
    const key = keys[i]!;
    // Not `%`: the remainder of large doubles is found bit by bit.
    numbers[i] = key - Math.floor(key / slots) * slots;
  }
  return numbers;
}

/** Up to so many keys, often in order almost, are sorted faster here than by a call into native code. */
const fewKeys = 64;

function sort(keys: Float64Array, count: number): void {
  if (count > fewKeys) {
    keys.subarray(0, count).sort();
    return;
  }
  for (let i = 1; i < count; i++) {
    const key = keys[i]!;
    let at = i;
    for (; at > 0 && keys[at - 1]! > key; at--) keys[at] = keys[at - 1]!;
    keys[at] = key;
  }
}

/** Sorts by a score of four decimals, highest first. */
export function sortKey(score: number, server: number): number {
  return (10_000 - Math.round(score * 10_000)) * slots + server;
}
