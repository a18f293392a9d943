/**
 * BM25F's inverted index: per term the documents that have it, with the term's pseudo-frequency there (in 1/256).
 * Server fields are posted once with the server, not once with each tool; `lexical.ts` adds them up.
 */
import { shared } from '../text/shared-array.ts';
import { type Analysis, fieldCount } from './document-analysis.ts';

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

export type DocumentKind = keyof typeof fieldWeights;
/** The average length of each field, over the documents of a kind that fill it. */
export type FieldNorms = Readonly<Record<DocumentKind, readonly number[]>>;

/** A kind's documents in an analysis, from a number up to another. */
function rangeOf(kind: DocumentKind, { toolCount }: Analysis): readonly [from: number, to: number] {
  if (kind === 'server') return [0, 1];
  return kind === 'tool' ? [1, toolCount + 1] : [toolCount + 1, toolCount + 2];
}

export function averageFieldLengths(analyses: readonly Analysis[]): FieldNorms {
  const averageOf = (kind: DocumentKind, field: number) => {
    let [sum, filled] = [0, 0];
    for (const analysis of analyses) {
      const [from, to] = rangeOf(kind, analysis);
      for (let d = from; d < to; d++) {
        const length = analysis.lengths[d * fieldCount + field]!;
        sum += length;
        if (length > 0) filled++;
      }
    }
    return sum / (filled || 1) || 1;
  };
  const averages = (kind: DocumentKind) =>
    Array.from({ length: fieldCount }, (_, field) => averageOf(kind, field));
  return { server: averages('server'), tool: averages('tool'), combinedTools: averages('combinedTools') };
}

/** Rarity among documents, a tool counting as its own words and its server's. */
export function inverseDocumentFrequencies(analyses: readonly Analysis[], termCount: number): Float32Array {
  const frequencies = new Uint32Array(termCount);
  let documents = 0;
  for (const { starts, terms, toolCount } of analyses) {
    const tools = Math.max(1, toolCount);
    documents += tools;
    const ofServer = new Set(terms.subarray(0, starts[1]));
    for (const term of ofServer) frequencies[term]! += tools;
    for (const term of terms.subarray(starts[1], starts[toolCount + 1]))
      if (!ofServer.has(term)) frequencies[term]! += 1;
  }
  const idf = shared(Float32Array, termCount);
  for (const [term, df] of frequencies.entries())
    idf[term] = Math.log(1 + (documents - df + 0.5) / (df + 0.5));
  return idf;
}

/** What is inverted: every analysis, the number of each one's first document, and how many terms there are. */
export type PostingsInput = {
  readonly analyses: readonly Analysis[];
  readonly docBase: Uint32Array;
  readonly termCount: number;
  readonly norms: FieldNorms;
};

/** The postings of one kind of document; servers and combined tools are posted by the number of the server. */
export function invert(kind: DocumentKind, input: PostingsInput): Postings {
  const { analyses, docBase, norms } = input;
  const starts = countPostings(kind, input);
  const total = starts[input.termCount]!;
  const documents = shared(Uint32Array, total);
  const weights = shared(Uint16Array, total);
  const next = starts.slice();
  const scales = new Float64Array(fieldCount);
  const post = ({ starts, terms, counts }: Analysis, d: number, document: number) => {
    for (let i = starts[d]!; i < starts[d + 1]!; i++) {
      const at = next[terms[i]!]!++;
      documents[at] = document;
      weights[at] = weigh(counts[i]!, scales);
    }
  };
  for (const [s, analysis] of analyses.entries()) {
    const [from, to] = rangeOf(kind, analysis);
    for (let d = from; d < to; d++) {
      setFieldScales(scales, analysis.lengths.subarray(d * fieldCount), fieldWeights[kind], norms[kind]);
      post(analysis, d, kind === 'tool' ? docBase[s]! + d : s);
    }
  }
  return { starts, documents, weights };
}

/** Where each term's postings will begin: a counting sort's first pass. */
function countPostings(kind: DocumentKind, { analyses, termCount }: PostingsInput): Uint32Array {
  const starts = shared(Uint32Array, termCount + 1);
  for (const analysis of analyses) {
    const [from, to] = rangeOf(kind, analysis);
    for (const term of analysis.terms.subarray(analysis.starts[from], analysis.starts[to]))
      starts[term + 1]! += 1;
  }
  for (let term = 0; term < termCount; term++) starts[term + 1]! += starts[term]!;
  return starts;
}

/** What one occurrence in each field of a document is worth: a word in a long text says less. */
function setFieldScales(
  scales: Float64Array,
  lengths: Uint16Array,
  weights: readonly number[],
  averages: readonly number[],
): void {
  for (let f = 0; f < fieldCount; f++) {
    const relative = lengths[f]! / averages[f]!;
    scales[f] = weights[f]! / (1 - lengthNorm + lengthNorm * relative);
  }
}

function weigh(counts: number, scales: Float64Array): number {
  let weight = 0;
  for (let f = 0; f < fieldCount; f++) weight += ((counts >>> (f * 8)) & 0xff) * scales[f]!;
  return Math.min(65_535, Math.max(1, Math.round(weight * weightUnit)));
}
