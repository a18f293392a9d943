/**
 * Keeps every server's analysis and assembles snapshots from them. It runs in the builder thread, and in process
 * where no request could wait for it (evaluation, tests).
 */
import type { CatalogChange } from '../../catalog/catalog.ts';
import type { Embedder } from '../embedder.ts';
import { type Analysis, analyse, documentTexts, type Lexicon } from './analysis.ts';
import { assemble, type Snapshot } from './snapshot.ts';
import { createVectorStore, putVectors, quantise, vectorsAt } from './vector-store.ts';

/**
 * How much of the server's vector a tool takes on, and of its tools' mean a server. A server without a description
 * has little to give and much to take. Measured: without this 84 → 50 on finding a known server.
 */
const shares = { described: { toTool: 0.7, toServer: 0.25 }, bare: { toTool: 0.2, toServer: 1 } };

export type Builder = {
  readonly lexicon: Lexicon;
  /** Takes changes in revision order; only these servers are read again. */
  apply(changes: readonly CatalogChange[]): Promise<void>;
  build(revision: number): Snapshot;
};

const poolKeys = ['starts', 'terms', 'counts', 'lengths', 'pieceStarts'] as const;

type Held = { analysis: Analysis; vectors: Int8Array; scales: Float32Array };

export function createBuilder(embedder: Pick<Embedder, 'dims' | 'embed'>): Builder {
  const lexicon: Lexicon = new Map();
  const held = new Map<string, Held>();

  return {
    lexicon,
    async apply(changes) {
      const present = changes.flatMap(({ server }) => (server === null ? [] : [server]));
      // One call for the whole batch: an embedder behind a network is asked once, not once a server.
      const embedded = await embedder.embed(present.flatMap(documentTexts), 'document');
      const fresh: Held[] = [];
      let at = 0;
      for (const { id, server } of changes) {
        if (server === null) {
          held.delete(id);
          continue;
        }
        const to = at + (server.tools.length + 1) * embedder.dims;
        const vectors = embedded.subarray(at, to);
        addContext(vectors, embedder.dims, server.description === '' ? shares.bare : shares.described);
        const one = { analysis: analyse(server, lexicon), ...quantise(vectors, embedder.dims) };
        held.set(id, one);
        fresh.push(one);
        at = to;
      }
      if (embedded.buffer instanceof ArrayBuffer) embedded.buffer.transfer(0);
      pack(fresh);
    },
    build(revision) {
      const sorted = [...held.values()].sort((a, b) =>
        a.analysis.server.id < b.analysis.server.id ? -1 : 1,
      );
      const documents = sorted.reduce((sum, { scales }) => sum + scales.length, 0);
      const store = createVectorStore(documents, sorted.length, embedder.dims);
      let at = 0;
      for (const one of sorted) {
        putVectors(store, at, one);
        at += one.scales.length;
      }
      const analyses = sorted.map(({ analysis }) => analysis);
      const snapshot = assemble(analyses, lexicon.size, revision, store);
      consolidate(sorted, snapshot);
      return snapshot;
    },
  };
}

/**
 * A tool means little without its server, and a server little without its tools: each tool's vector takes on some
 * of the server's own (the first), and the server's some of its tools' mean.
 */
function addContext(vectors: Float32Array, dims: number, share: { toTool: number; toServer: number }): void {
  if (vectors.length === dims) return;
  const own = vectors.slice(0, dims);
  const mean = new Float32Array(dims);
  for (let from = dims; from < vectors.length; from += dims) {
    for (let i = 0; i < dims; i++) mean[i]! += vectors[from + i]!;
    mixIn(vectors.subarray(from, from + dims), own, share.toTool);
  }
  toUnit(mean);
  mixIn(vectors.subarray(0, dims), mean, share.toServer);
}

function mixIn(vector: Float32Array, other: Float32Array, share: number): void {
  for (let i = 0; i < vector.length; i++) vector[i]! += share * other[i]!;
  toUnit(vector);
}

function toUnit(vector: Float32Array): void {
  let square = 0;
  for (const x of vector) square += x * x;
  const by = 1 / (Math.sqrt(square) || 1);
  for (let i = 0; i < vector.length; i++) vector[i]! *= by;
}

/**
 * Moves a batch's words, bytes and vectors into one large array each. Tens of thousands of small allocations that live
 * until the first build would never be given back to the system; of these the next batch takes the place.
 */
function pack(batch: readonly Held[]): void {
  const before = buffersOf(batch);
  for (const key of [...poolKeys, 'pieces'] as const) {
    const views = pooled(batch.map(({ analysis }) => analysis[key]));
    for (const [i, one] of batch.entries()) one.analysis = { ...one.analysis, [key]: views[i] };
  }
  const vectors = pooled(batch.map((one) => one.vectors));
  const scales = pooled(batch.map((one) => one.scales));
  for (const [i, one] of batch.entries()) Object.assign(one, { vectors: vectors[i], scales: scales[i] });
  giveBack(before);
}

/**
 * The same for everything that is held, after a build: bytes and vectors are from now on views of the snapshot, which
 * has them anyway.
 */
function consolidate(sorted: readonly Held[], { pieces, vectors }: Snapshot): void {
  const before = buffersOf(sorted);
  for (const key of poolKeys) {
    const views = pooled(sorted.map(({ analysis }) => analysis[key]));
    for (const [i, one] of sorted.entries()) one.analysis = { ...one.analysis, [key]: views[i] };
  }
  let [doc, byte] = [0, 0];
  for (const one of sorted) {
    const own = pieces.subarray(byte, byte + one.analysis.pieces.length);
    byte += own.length;
    one.analysis = { ...one.analysis, pieces: own };
    Object.assign(one, vectorsAt(vectors, doc, one.analysis.toolCount + 1));
    doc += one.analysis.toolCount + 1;
  }
  giveBack(before);
}

type Pooled = Uint8Array | Uint16Array | Uint32Array | Int8Array | Float32Array;

/** Copies of the arrays, end to end in one. */
function pooled<T extends Pooled>(arrays: readonly T[]): T[] {
  const [first] = arrays;
  if (first === undefined) return [];
  const length = arrays.reduce((sum, array) => sum + array.length, 0);
  const pool = new (first.constructor as new (length: number) => T)(length);
  let at = 0;
  return arrays.map((array) => {
    pool.set(array, at);
    at += array.length;
    return pool.subarray(at - array.length, at) as T;
  });
}

function buffersOf(all: readonly Held[]): Set<ArrayBufferLike> {
  const buffers = new Set<ArrayBufferLike>();
  for (const { analysis, vectors, scales } of all) {
    for (const array of [...poolKeys.map((key) => analysis[key]), analysis.pieces, vectors, scales])
      buffers.add(array.buffer);
  }
  return buffers;
}

/** At once: an idle thread collects no garbage. What is shared with a snapshot stays. */
function giveBack(buffers: ReadonlySet<ArrayBufferLike>): void {
  for (const buffer of buffers) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
