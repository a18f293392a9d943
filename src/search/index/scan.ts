/**
 * The exact nearest-neighbour scan: one query against every document vector, int8, WASM SIMD (`scan.wat`).
 * 178,000 vectors of 192 bytes are read in little more than a millisecond, so no approximate index is needed.
 *
 * The kernel uses the relaxed dot product of signed 8-bit by unsigned 7-bit numbers: the query is shifted by +64 into
 * 0..127, and 64 × the sum of the document's numbers is taken off again (the store's biases).
 */
import { readFileSync } from 'node:fs';
import { layoutOf, type VectorStore } from './vector-store.ts';

/** Cosines of one query vector, in arrays that the next call writes over. */
export type Scan = {
  /** Sets the query that `compare` compares. */
  setQuery(query: Float32Array): void;
  /** Compares it with `count` servers from number `from` on, and with their tools. */
  compare(from: number, count: number): void;
  /** Per server: a share of its own cosine, the rest its best tool's; at least 0. */
  readonly ofServer: Float32Array;
  /** Per server: its best tool's, or its own where it has no tools. */
  readonly ofBestTool: Float32Array;
  /** Per document. */
  readonly ofDocument: Float32Array;
};

const module = new WebAssembly.Module(readFileSync(new URL('./scan.wasm', import.meta.url)));
/** What `scan.wat` exports; the arguments are addresses, counts and factors, in the order named there. */
type Kernel = (...args: readonly number[]) => void;

export function createScan(store: VectorStore, docBase: Uint32Array, ownShare: number): Scan {
  const { memory, dims, documents, servers } = store;
  const { buffer } = memory;
  const { biases, scales, cosines, starts, scores, bests, vectors } = layoutOf(store);
  new Uint32Array(buffer, starts, servers + 1).set(docBase);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const [compare, combine] = [exports.compare as Kernel, exports.combine as Kernel];
  const queryBytes = new Uint8Array(buffer, 0, dims);
  let queryScale = 0;
  return {
    ofDocument: new Float32Array(buffer, cosines, documents),
    ofServer: new Float32Array(buffer, scores, servers),
    ofBestTool: new Float32Array(buffer, bests, servers),
    setQuery(query) {
      let largest = 0;
      for (let i = 0; i < dims; i++) largest = Math.max(largest, Math.abs(query[i]!));
      queryScale = largest / 63;
      const by = largest === 0 ? 0 : 63 / largest;
      for (let i = 0; i < dims; i++) queryBytes[i] = 64 + Math.round(query[i]! * by);
    },
    compare(from, count) {
      const doc = docBase[from]!;
      const n = docBase[from + count]! - doc;
      if (n === 0) return;
      const row = doc * 4;
      const groups = Math.ceil(n / 4);
      compare(vectors + doc * dims, dims, groups, biases + row, scales + row, queryScale, cosines + row);
      const server = from * 4;
      combine(starts + server, count, cosines, ownShare, scores + server, bests + server);
    },
  };
}
