/**
 * Keeps every server's analysis and assembles snapshots from them. It runs in the builder thread, and in process
 * where no request could wait for it (evaluation, tests).
 */
import type { CatalogChange } from '../../catalog/catalog.ts';
import type { Embedder } from '../embedder.ts';
import { type Analysis, analyse, documentTexts, type Lexicon } from './analysis.ts';
import { createVectorStore, putVectors, quantise, vectorsAt } from './scan.ts';
import { assemble, type Snapshot } from './snapshot.ts';

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
      let at = 0;
      for (const { id, server } of changes) {
        if (server === null) {
          held.delete(id);
          continue;
        }
        const to = at + (server.tools.length + 1) * embedder.dims;
        const vectors = embedded.subarray(at, to);
        addContext(vectors, embedder.dims, server.description === '' ? shares.bare : shares.described);
        held.set(id, { analysis: analyse(server, lexicon), ...quantise(vectors, embedder.dims) });
        at = to;
      }
      if (embedded.buffer instanceof ArrayBuffer) embedded.buffer.transfer(0);
    },
    build(revision) {
      const sorted = [...held.values()].sort((a, b) =>
        a.analysis.server.id < b.analysis.server.id ? -1 : 1,
      );
      const documents = sorted.reduce((sum, { scales }) => sum + scales.length, 0);
      const store = createVectorStore(documents, embedder.dims);
      let at = 0;
      for (const { vectors, scales } of sorted) {
        putVectors(store, at, vectors, scales);
        at += scales.length;
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
 * Moves what is held into a few large arrays: bytes and vectors are from now on views of the snapshot that has them
 * anyway, words lie end to end. Tens of thousands of small allocations would never be given back to the system.
 */
function consolidate(sorted: readonly Held[], { pieces, vectors }: Snapshot): void {
  const pools = poolKeys.map((key) => {
    const length = sorted.reduce((sum, { analysis }) => sum + analysis[key].length, 0);
    return key === 'lengths' ? new Uint16Array(length) : new Uint32Array(length);
  });
  const used = poolKeys.map(() => 0);
  const before = new Set<ArrayBuffer>();
  let [doc, byte] = [0, 0];
  for (const one of sorted) {
    const { analysis } = one;
    const moved = Object.fromEntries(
      poolKeys.map((key, k) => {
        const from = used[k]!;
        const to = from + analysis[key].length;
        used[k] = to;
        pools[k]!.set(analysis[key], from);
        return [key, pools[k]!.subarray(from, to)];
      }),
    );
    for (const array of [...poolKeys.map((key) => analysis[key]), analysis.pieces, one.vectors, one.scales]) {
      if (array.buffer instanceof ArrayBuffer) before.add(array.buffer);
    }
    const own = pieces.subarray(byte, byte + analysis.pieces.length);
    byte += own.length;
    one.analysis = { ...analysis, ...moved, pieces: own };
    Object.assign(one, vectorsAt(vectors, doc, analysis.toolCount + 1));
    doc += analysis.toolCount + 1;
  }
  // Given back at once: an idle thread collects no garbage.
  for (const buffer of before) buffer.transfer(0);
}
