/**
 * The index as a value: typed arrays over shared memory, assembled beside the running one and handed to the
 * serving thread without a copy. Nothing in it changes after assembly.
 *
 * Documents lie server by server: document `docBase[s]` is server s itself, those after it its tools. Servers
 * are in the order of their ids, so that a lower number wins a tie. A term's postings name a document and the
 * weight of the term in it (BM25F's pseudo-frequency, in 1/256); server fields are posted once with the
 * server, not once with each tool, and `lexical.ts` adds them up.
 */
import { type Analysis, fieldCount } from './analysis.ts';
import type { VectorStore } from './vector-store.ts';

export type Postings = {
  /** Where each term's postings begin; one more for the end. */
  readonly starts: Uint32Array;
  readonly documents: Uint32Array;
  readonly weights: Uint16Array;
};

/** What filters look at, column by column; texts as numbers into `names`. */
export type FactColumns = {
  readonly names: readonly string[];
  readonly transport: Uint16Array;
  readonly auth: Uint16Array;
  readonly category: Uint16Array;
  readonly verified: Uint8Array;
  readonly popularity: Float32Array;
  /** Of the tools; 0 for none. */
  readonly fingerprint: Float64Array;
};

export type Snapshot = {
  readonly revision: number;
  readonly serverCount: number;
  readonly documentCount: number;
  readonly termCount: number;
  readonly docBase: Uint32Array;
  readonly docServer: Uint32Array;
  readonly idf: Float32Array;
  readonly serverPostings: Postings;
  readonly toolPostings: Postings;
  /** The words of all of a server's tools together, posted with the server. */
  readonly togetherPostings: Postings;
  readonly vectors: VectorStore;
  /** Server ids in order, a line each: one text crosses between threads faster than many. */
  readonly ids: string;
  readonly facts: FactColumns;
  /** All fragments end to end, and where each document's begins. */
  readonly pieces: Uint8Array;
  readonly pieceStarts: Float64Array;
};

/** BM25F field weights: flat optimum over twenty query sets (±.5 nDCG for ±50 %). */
const fieldWeights = {
  server: [2, 1, 0, 0],
  tool: [2, 1, 0.7, 0.5],
  together: [2, 1, 0.7, 0.5],
} as const;
const lengthNorm = 0.75;
export const weightUnit = 256;

type DocumentKind = keyof typeof fieldWeights;
type FieldNorms = Readonly<Record<DocumentKind, Float64Array>>;

export function assemble(
  analyses: readonly Analysis[],
  termCount: number,
  revision: number,
  vectors: VectorStore,
): Snapshot {
  const serverCount = analyses.length;
  const docBase = shared(Uint32Array, serverCount + 1);
  for (const [s, a] of analyses.entries()) docBase[s + 1] = (docBase[s] ?? 0) + 1 + a.toolCount;
  const documentCount = docBase[serverCount] ?? 0;
  const docServer = shared(Uint32Array, documentCount);
  for (let s = 0; s < serverCount; s++) docServer.fill(s, docBase[s], docBase[s + 1]);
  const norms = averageLengths(analyses);
  return {
    revision,
    serverCount,
    documentCount,
    termCount,
    docBase,
    docServer,
    idf: inverseFrequencies(analyses, termCount),
    serverPostings: post(analyses, docBase, termCount, norms, 'server'),
    toolPostings: post(analyses, docBase, termCount, norms, 'tool'),
    togetherPostings: post(analyses, docBase, termCount, norms, 'together'),
    vectors,
    ids: analyses.map(({ server }) => server.id).join('\n'),
    facts: factColumns(analyses),
    ...joinPieces(analyses, documentCount),
  };
}

function kindOf(d: number, toolCount: number): DocumentKind {
  if (d === 0) return 'server';
  return d <= toolCount ? 'tool' : 'together';
}

function averageLengths(analyses: readonly Analysis[]): FieldNorms {
  const zeros = () => new Float64Array(fieldCount);
  const sums = { server: zeros(), tool: zeros(), together: zeros() };
  const filled = { server: zeros(), tool: zeros(), together: zeros() };
  for (const { lengths, toolCount } of analyses) {
    for (let i = 0; i < lengths.length; i++) {
      const kind = kindOf(Math.floor(i / fieldCount), toolCount);
      const f = i % fieldCount;
      const length = lengths[i] ?? 0;
      sums[kind][f] = (sums[kind][f] ?? 0) + length;
      if (length > 0) filled[kind][f] = (filled[kind][f] ?? 0) + 1;
    }
  }
  for (const kind of ['server', 'tool', 'together'] as const) {
    for (let f = 0; f < fieldCount; f++) sums[kind][f] = (sums[kind][f] ?? 0) / (filled[kind][f] || 1) || 1;
  }
  return sums;
}

/** Rarity among documents, a tool counting as its own words and its server's. */
function inverseFrequencies(analyses: readonly Analysis[], termCount: number): Float32Array {
  const frequency = new Uint32Array(termCount);
  let documents = 0;
  for (const { starts, terms, toolCount } of analyses) {
    documents += Math.max(1, toolCount);
    const ofServer = new Set<number>(terms.subarray(0, starts[1]));
    for (const term of ofServer) frequency[term] = (frequency[term] ?? 0) + Math.max(1, toolCount);
    for (let i = starts[1] ?? 0; i < (starts[toolCount + 1] ?? 0); i++) {
      const term = terms[i] ?? 0;
      if (!ofServer.has(term)) frequency[term] = (frequency[term] ?? 0) + 1;
    }
  }
  const idf = shared(Float32Array, termCount);
  for (let t = 0; t < termCount; t++) {
    const df = frequency[t] ?? 0;
    idf[t] = Math.log(1 + (documents - df + 0.5) / (df + 0.5));
  }
  return idf;
}

function post(
  analyses: readonly Analysis[],
  docBase: Uint32Array,
  termCount: number,
  norms: FieldNorms,
  kind: DocumentKind,
): Postings {
  const starts = shared(Uint32Array, termCount + 1);
  const range = ({ toolCount }: Analysis): readonly [number, number] => {
    if (kind === 'server') return [0, 1];
    return kind === 'tool' ? [1, toolCount + 1] : [toolCount + 1, toolCount + 2];
  };
  for (const a of analyses) {
    const [from, to] = range(a);
    for (let i = a.starts[from] ?? 0; i < (a.starts[to] ?? 0); i++) {
      const next = (a.terms[i] ?? 0) + 1;
      starts[next] = (starts[next] ?? 0) + 1;
    }
  }
  for (let t = 0; t < termCount; t++) starts[t + 1] = (starts[t + 1] ?? 0) + (starts[t] ?? 0);
  const total = starts[termCount] ?? 0;
  const documents = shared(Uint32Array, total);
  const weights = shared(Uint16Array, total);
  const cursor = starts.slice(0, termCount);
  const scale = new Float64Array(fieldCount);
  for (const [s, a] of analyses.entries()) {
    const [from, to] = range(a);
    for (let d = from; d < to; d++) {
      fieldScales(a.lengths.subarray(d * fieldCount), kind, norms, scale);
      for (let i = a.starts[d] ?? 0; i < (a.starts[d + 1] ?? 0); i++) {
        const term = a.terms[i] ?? 0;
        const at = cursor[term] ?? 0;
        cursor[term] = at + 1;
        documents[at] = kind === 'tool' ? (docBase[s] ?? 0) + d : s;
        weights[at] = weightOf(a.counts[i] ?? 0, scale);
      }
    }
  }
  return { starts, documents, weights };
}

/** What one occurrence in each field of a document is worth: a word in a long text says less. */
function fieldScales(lengths: Uint16Array, kind: DocumentKind, norms: FieldNorms, scale: Float64Array): void {
  for (let f = 0; f < fieldCount; f++) {
    const relative = (lengths[f] ?? 0) / (norms[kind][f] ?? 1);
    scale[f] = (fieldWeights[kind][f] ?? 0) / (1 - lengthNorm + lengthNorm * relative);
  }
}

function weightOf(counts: number, scale: Float64Array): number {
  let weight = 0;
  for (let f = 0; f < fieldCount; f++) weight += ((counts >>> (f * 8)) & 0xff) * (scale[f] ?? 0);
  return Math.min(65_535, Math.max(1, Math.round(weight * weightUnit)));
}

function factColumns(analyses: readonly Analysis[]): FactColumns {
  const n = analyses.length;
  const names = new Map<string, number>([['none', 0]]);
  const nameOf = (text: string | null) => {
    const name = text ?? 'none';
    if (!names.has(name)) names.set(name, names.size);
    return names.get(name) ?? 0;
  };
  const transport = shared(Uint16Array, n);
  const auth = shared(Uint16Array, n);
  const category = shared(Uint16Array, n);
  const verified = shared(Uint8Array, n);
  const popularity = shared(Float32Array, n);
  const fingerprint = shared(Float64Array, n);
  for (const [s, { server }] of analyses.entries()) {
    transport[s] = nameOf(server.transport);
    auth[s] = nameOf(server.authType);
    category[s] = nameOf(server.category);
    verified[s] = server.verified ? 1 : 0;
    popularity[s] = server.popularity;
    fingerprint[s] = server.fingerprint;
  }
  return { names: [...names.keys()], transport, auth, category, verified, popularity, fingerprint };
}

function joinPieces(analyses: readonly Analysis[], documentCount: number) {
  const pieceStarts = shared(Float64Array, documentCount + 1);
  let doc = 0;
  let at = 0;
  for (const a of analyses) {
    for (let d = 0; d <= a.toolCount; d++) pieceStarts[doc++] = at + (a.pieceStarts[d] ?? 0);
    at += a.pieces.length;
  }
  pieceStarts[doc] = at;
  const pieces = shared(Uint8Array, at);
  at = 0;
  for (const a of analyses) {
    pieces.set(a.pieces, at);
    at += a.pieces.length;
  }
  return { pieces, pieceStarts };
}

type Typed = Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;
type TypedClass<T extends Typed> = { new (buffer: SharedArrayBuffer): T; readonly BYTES_PER_ELEMENT: number };

/** A typed array that both threads may read. */
function shared<T extends Typed>(of: TypedClass<T>, length: number): T {
  return new of(new SharedArrayBuffer(length * of.BYTES_PER_ELEMENT));
}
