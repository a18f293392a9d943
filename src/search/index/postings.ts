/**
 * BM25F's inverted index: per term the documents that have it, with the term's pseudo-frequency there (in 1/256).
 * Server fields are posted once with the server, not once with each tool; `lexical.ts` adds them up.
 */
import { shared } from '../text/shared-array.ts';
import { fieldCount } from './document-analysis.ts';
import { type Corpus, type DocumentKind, eachDocument, termsOf } from './packed-servers.ts';

export type Postings = {
  /** Where each term's postings begin; one more for the end. */
  readonly starts: Uint32Array;
  readonly documents: Uint32Array;
  readonly weights: Uint16Array;
};

/** BM25F field weights: flat optimum over twenty query sets (±0.5 nDCG for ±50 %). */
const fieldWeights = {
  server: [2, 1, 0, 0],
  tool: [2, 1, 0.7, 0.5],
  combinedTools: [2, 1, 0.7, 0.5],
} as const;
const lengthNorm = 0.75;
export const weightUnit = 256;

const kinds = ['server', 'tool', 'combinedTools'] as const;

/** Of each field of each kind of document: the sum of its lengths, and of how many documents; whole numbers, so that order does not matter. */
export type FieldTotals = Float64Array;

export function fieldTotals({ servers, arrays: { lengths } }: Corpus): FieldTotals {
  const totals = shared(Float64Array, 2 * kinds.length * fieldCount);
  let at = 0;
  for (const { facets } of servers) at = addFieldLengths(totals, lengths, { at, ...facets });
  return totals;
}

/** Adds one server's lengths, which begin at `at` (with `times` -1, takes them off again), and answers where the next one's begin. */
export function addFieldLengths(
  totals: FieldTotals,
  lengths: Uint16Array,
  { at, toolCount }: { readonly at: number; readonly toolCount: number },
  times: 1 | -1 = 1,
): number {
  for (let d = 0; d < toolCount + 2; d++) {
    const kind = d === 0 ? 0 : d <= toolCount ? 1 : 2;
    for (let f = 0; f < fieldCount; f++) {
      const length = lengths[at + d * fieldCount + f]!;
      if (length === 0) continue;
      const total = 2 * (kind * fieldCount + f);
      totals[total]! += times * length;
      totals[total + 1]! += times;
    }
  }
  return at + (toolCount + 2) * fieldCount;
}

/** What a field's length is measured by: the average length over the documents of a kind that fill it. */
export type FieldNorms = Readonly<Record<DocumentKind, readonly number[]>>;

/**
 * Steps of averages in an octave, of 9 %: so that one changed server changes the weight of no words but its own. It is as if a
 * field weighed at most 3 % more or less, which changes nothing (see `fieldWeights`).
 */
const normSteps = 8;

export function normsOf(totals: FieldTotals): FieldNorms {
  const norms = (kind: number) =>
    Array.from({ length: fieldCount }, (_, f) => {
      const [sum = 0, filled = 0] = totals.subarray(2 * (kind * fieldCount + f));
      return sum === 0 ? 1 : 2 ** (Math.round(Math.log2(sum / filled) * normSteps) / normSteps);
    });
  return { server: norms(0), tool: norms(1), combinedTools: norms(2) };
}

/** Of how many documents each term is, a tool counting as its own words and its server's. */
export function documentFrequencies(corpus: Corpus, termCount: number): Uint32Array {
  const { terms } = corpus.arrays;
  const frequencies = shared(Uint32Array, termCount);
  /** Of each term the last server, counted from one, that has it among its own words. */
  const lastServer = new Uint32Array(termCount);
  for (const [s, server] of corpus.servers.entries()) {
    const weight = documentsOf(server.facets.toolCount);
    const [own, ofTools, end] = termsOf(server);
    for (let i = own; i < ofTools; i++) {
      lastServer[terms[i]!] = s + 1;
      frequencies[terms[i]!]! += weight;
    }
    for (let i = ofTools; i < end; i++) if (lastServer[terms[i]!] !== s + 1) frequencies[terms[i]!]! += 1;
  }
  return frequencies;
}

/** As how many documents a server counts there. */
export function documentsOf(toolCount: number): number {
  return Math.max(1, toolCount);
}

export function inverseDocumentFrequencies(frequencies: Uint32Array, documents: number): Float32Array {
  const idf = new Float32Array(frequencies.length);
  for (let term = 0; term < idf.length; term++)
    idf[term] = inverseDocumentFrequency(frequencies[term]!, documents);
  return idf;
}

export function inverseDocumentFrequency(frequency: number, documents: number): number {
  return Math.log(1 + (documents - frequency + 0.5) / (frequency + 0.5));
}

/** Whose words are inverted, and how many terms there are. */
export type PostingsInput = {
  readonly corpus: Corpus;
  readonly termCount: number;
  readonly norms: FieldNorms;
};

/** The postings of one kind of document; servers and combined tools are posted by the number of the server. */
export function invert(kind: DocumentKind, { corpus, termCount, norms }: PostingsInput): Postings {
  const { terms, counts, lengths } = corpus.arrays;
  const starts = countPostings(kind, corpus, termCount);
  const total = starts[termCount]!;
  const documents = shared(Uint32Array, total);
  const weights = shared(Uint16Array, total);
  const next = starts.slice();
  const scales = new Float64Array(fieldCount);
  eachDocument(kind, corpus, (document, from, to, lengthsAt) => {
    setFieldScales(scales, lengths, lengthsAt, fieldWeights[kind], norms[kind]);
    for (let i = from; i < to; i++) {
      const at = next[terms[i]!]!++;
      documents[at] = document;
      weights[at] = weigh(counts[i]!, scales);
    }
  });
  return { starts, documents, weights };
}

/** Where each term's postings will begin: a counting sort's first pass. */
function countPostings(kind: DocumentKind, corpus: Corpus, termCount: number): Uint32Array {
  const { terms } = corpus.arrays;
  const starts = shared(Uint32Array, termCount + 1);
  eachDocument(kind, corpus, (_document, from, to) => {
    for (let i = from; i < to; i++) starts[terms[i]! + 1]! += 1;
  });
  for (let term = 0; term < termCount; term++) starts[term + 1]! += starts[term]!;
  return starts;
}

/** What one occurrence in each field of a document is worth: a word in a long text says less. */
function setFieldScales(
  scales: Float64Array,
  lengths: Uint16Array,
  at: number,
  weights: readonly number[],
  averages: readonly number[],
): void {
  for (let f = 0; f < fieldCount; f++) {
    const relative = lengths[at + f]! / averages[f]!;
    scales[f] = weights[f]! / (1 - lengthNorm + lengthNorm * relative);
  }
}

function weigh(counts: number, scales: Float64Array): number {
  let weight = 0;
  for (let f = 0; f < fieldCount; f++) weight += ((counts >>> (f * 8)) & 0xff) * scales[f]!;
  return Math.min(65_535, Math.max(1, Math.round(weight * weightUnit)));
}

/** Where in a stretch of ascending numbers the first lies that is not below another (binary search). */
export function firstFrom(ascending: Uint32Array, from: number, to: number, least: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
