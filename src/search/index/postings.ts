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

/** The average length of each field, over the documents of a kind that fill it. */
export type FieldNorms = Readonly<Record<DocumentKind, readonly number[]>>;

export function averageFieldLengths(corpus: Corpus): FieldNorms {
  const { lengths } = corpus.arrays;
  const averages = (kind: DocumentKind) => {
    const sums = new Float64Array(fieldCount);
    const filled = new Float64Array(fieldCount);
    eachDocument(kind, corpus, (_document, _from, _to, at) => {
      for (let f = 0; f < fieldCount; f++) {
        const length = lengths[at + f]!;
        sums[f]! += length;
        if (length > 0) filled[f]! += 1;
      }
    });
    return Array.from(sums, (sum, f) => sum / (filled[f]! || 1) || 1);
  };
  return { server: averages('server'), tool: averages('tool'), combinedTools: averages('combinedTools') };
}

/** Rarity among documents, a tool counting as its own words and its server's. */
export function inverseDocumentFrequencies(corpus: Corpus, termCount: number): Float32Array {
  const { terms } = corpus.arrays;
  const frequencies = new Uint32Array(termCount);
  /** Of each term the last server, counted from one, that has it among its own words. */
  const lastServer = new Uint32Array(termCount);
  let documents = 0;
  for (const [s, server] of corpus.servers.entries()) {
    const tools = Math.max(1, server.facets.toolCount);
    documents += tools;
    const [own, ofTools, end] = termsOf(server);
    for (let i = own; i < ofTools; i++) {
      lastServer[terms[i]!] = s + 1;
      frequencies[terms[i]!]! += tools;
    }
    for (let i = ofTools; i < end; i++) if (lastServer[terms[i]!] !== s + 1) frequencies[terms[i]!]! += 1;
  }
  const idf = shared(Float32Array, termCount);
  for (let term = 0; term < termCount; term++) {
    const df = frequencies[term]!;
    idf[term] = Math.log(1 + (documents - df + 0.5) / (df + 0.5));
  }
  return idf;
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
