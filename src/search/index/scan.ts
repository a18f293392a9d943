/**
 * The exact nearest-neighbour scan: one query against every document vector, int8, WASM SIMD.
 * 178,000 vectors of 192 bytes are read in little more than a millisecond, so no approximate index is needed.
 *
 * The module is written out here opcode by opcode so that the project needs no
 * second toolchain. It uses the relaxed dot product of signed 8-bit by unsigned 7-bit numbers: the query is
 * shifted by +64 into 0..127, and 64 × the sum of the document's numbers is taken off again (`bias`).
 */

import {
  constant,
  f32,
  get,
  i32,
  load,
  loadSplat,
  moduleWith,
  op,
  pageBytes,
  set,
  shuffle,
  storeLane,
  v128,
  vectorLoad,
  vectorStore,
  zeroVector,
} from './wasm.ts';

/** One snapshot's vectors: the query, three numbers a document, two a server, then the vectors. */
export type VectorStore = {
  readonly memory: WebAssembly.Memory;
  readonly dims: number;
  readonly documents: number;
  readonly servers: number;
};

function layoutOf({ dims, documents, servers }: Omit<VectorStore, 'memory'>) {
  // Both loops take four at a time at most and may touch what lies behind the last one.
  const column = (numbers: number) => Math.ceil(((numbers + 3) * 4) / 64) * 64;
  const bias = Math.ceil(dims / 64) * 64;
  const scale = bias + column(documents);
  const out = scale + column(documents);
  const starts = out + column(documents);
  const best = starts + column(servers + 1);
  const vectors = best + column(servers);
  const pages = Math.ceil((vectors + (documents + 3) * dims) / pageBytes);
  return { bias, scale, out, starts, best, vectors, pages };
}

export function createVectorStore(documents: number, servers: number, dims: number): VectorStore {
  if (dims % 16 !== 0) throw new RangeError(`vector dimensions must be a multiple of 16, not ${dims}`);
  const { pages } = layoutOf({ dims, documents, servers });
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return { memory, dims, documents, servers };
}

/** Copies quantised vectors in, beginning with document `at`. `scales` undo the quantisation. */
export function putVectors(store: VectorStore, at: number, vectors: Int8Array, scales: Float32Array): void {
  const { bias, scale, vectors: base } = layoutOf(store);
  const { buffer } = store.memory;
  new Int8Array(buffer, base + at * store.dims, vectors.length).set(vectors);
  new Float32Array(buffer, scale + at * 4, scales.length).set(scales);
  const biases = new Float32Array(buffer, bias + at * 4, scales.length);
  for (let d = 0; d < scales.length; d++) {
    let sum = 0;
    for (let i = d * store.dims; i < (d + 1) * store.dims; i++) sum += vectors[i] ?? 0;
    biases[d] = 64 * sum;
  }
}

/** A view of the vectors that lie from document `at` on. */
export function vectorsAt(
  store: VectorStore,
  at: number,
  count: number,
): { vectors: Int8Array; scales: Float32Array } {
  const { scale, vectors } = layoutOf(store);
  const { buffer } = store.memory;
  return {
    vectors: new Int8Array(buffer, vectors + at * store.dims, count * store.dims),
    scales: new Float32Array(buffer, scale + at * 4, count),
  };
}

/** Unit vectors as 8-bit numbers, each vector with the scale that undoes it. */
export function quantise(from: Float32Array, dims: number): { vectors: Int8Array; scales: Float32Array } {
  const vectors = new Int8Array(from.length);
  const scales = new Float32Array(from.length / dims);
  for (let d = 0; d < scales.length; d++) {
    let largest = 0;
    for (let i = d * dims; i < (d + 1) * dims; i++) largest = Math.max(largest, Math.abs(from[i] ?? 0));
    if (largest === 0) continue;
    scales[d] = largest / 127;
    for (let i = d * dims; i < (d + 1) * dims; i++) vectors[i] = Math.round(((from[i] ?? 0) * 127) / largest);
  }
  return { vectors, scales };
}

/** Cosines of one query vector, in arrays that the next call writes over. */
export type Scan = {
  /** Takes a query vector for `range`. */
  take(query: Float32Array): void;
  /** Compares the query last taken with `count` servers from `from` on, and with their tools. */
  range(from: number, count: number): void;
  /** Per server: `whole` parts its own cosine, the rest its best tool's; at least 0. */
  readonly ofServer: Float32Array;
  /** Per document. */
  readonly ofDocument: Float32Array;
};

export function createScan(store: VectorStore, docBase: Uint32Array, whole: number): Scan {
  const { memory, dims, documents, servers } = store;
  const { bias, scale, out, starts, best, vectors } = layoutOf(store);
  new Uint32Array(memory.buffer, starts, servers + 1).set(docBase);
  const ofDocument = new Float32Array(memory.buffer, out, documents);
  const ofServer = new Float32Array(memory.buffer, best, servers);
  const instance = new WebAssembly.Instance(moduleFor(dims), { env: { memory } });
  const compare = instance.exports.compare as (...args: number[]) => void;
  const choose = instance.exports.choose as (...args: number[]) => void;
  const queryBytes = new Uint8Array(memory.buffer, 0, dims);
  let queryScale = 0;
  return {
    ofServer,
    ofDocument,
    take(query) {
      let largest = 0;
      for (let i = 0; i < dims; i++) largest = Math.max(largest, Math.abs(query[i]!));
      queryScale = largest / 63;
      const by = largest === 0 ? 0 : 63 / largest;
      for (let i = 0; i < dims; i++) queryBytes[i] = 64 + Math.round(query[i]! * by);
    },
    range(from, count) {
      const doc = docBase[from]!;
      const n = docBase[from + count]! - doc;
      if (n === 0) return;
      const column = doc * 4;
      compare(
        vectors + doc * dims,
        Math.ceil(n / 4),
        bias + column,
        scale + column,
        out + column,
        queryScale,
      );
      choose(starts + from * 4, count, out, best + from * 4, whole);
    },
  };
}

const modules = new Map<number, WebAssembly.Module>();

function moduleFor(dims: number): WebAssembly.Module {
  const known = modules.get(dims);
  if (known !== undefined) return known;
  const functions = {
    compare: { params: [i32, i32, i32, i32, i32, f32], body: compareBody(dims) },
    choose: { params: [i32, i32, i32, i32, f32], body: chooseBody() },
  };
  const made = moduleWith(functions, { shared: true });
  modules.set(dims, made);
  return made;
}

/** compare(vectors, fours, bias, scale, out, queryScale): four documents at a time; the query lies at address 0. */
function compareBody(dims: number): number[] {
  const [vectors, fours, bias, scale, out, queryScale, query] = [0, 1, 2, 3, 4, 5, 6];
  const sums = [7, 8, 9, 10];
  const advance = (local: number, by: number) => [...get(local), ...constant(by), op.add, ...set(local)];
  const blocks: number[] = [];
  for (let at = 0; at < dims; at += 16) {
    blocks.push(...constant(0), ...vectorLoad(at), ...set(query));
    for (const [d, sum] of sums.entries()) {
      blocks.push(
        ...get(vectors),
        ...vectorLoad(d * dims + at),
        ...get(query),
        ...get(sum),
        ...op.dotAdd,
        ...set(sum),
      );
    }
  }
  return [
    ...[1, 5, v128],
    ...[op.loop, op.nothing, ...sums.flatMap((sum) => [...zeroVector, ...set(sum)]), ...blocks],
    ...get(out),
    ...[...fourSums(sums), ...op.toFloats, ...get(bias), ...vectorLoad(0), ...op.subFloats],
    ...[...get(scale), ...vectorLoad(0), ...op.mulFloats, ...get(queryScale), ...op.splat, ...op.mulFloats],
    ...vectorStore,
    ...[...advance(vectors, 4 * dims), ...advance(bias, 16), ...advance(scale, 16), ...advance(out, 16)],
    ...[...get(fours), ...constant(1), op.sub, op.tee, fours, op.branchIf, 0],
    ...[op.end, op.end],
  ];
}

/**
 * choose(starts, servers, cosines, into, whole): for each server `whole` parts its own cosine, the rest its best
 * tool's; a server without tools has its own. All four lanes hold the same number: the vector maximum does not branch,
 * and branches on cosines are mispredicted every other time.
 */
function chooseBody(): number[] {
  const [starts, servers, cosines, into, whole, at, end, own, best] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const advance = (local: number, by: number) => [...get(local), ...constant(by), op.add, ...set(local)];
  const addressOf = (offset: number) => [
    ...[...get(cosines), ...get(starts), ...load(offset), ...constant(2), op.shiftLeft, op.add],
  ];
  const more = [...get(at), ...get(end), op.less];
  return [
    ...[2, 2, i32, 2, v128],
    ...[op.loop, op.nothing, ...addressOf(0), ...set(at), ...addressOf(4), ...set(end)],
    ...[...get(at), ...loadSplat, ...set(own), ...get(own), ...set(best), ...advance(at, 4)],
    ...[...more, op.if, op.nothing, ...get(at), ...loadSplat, ...set(best)],
    ...[op.loop, op.nothing, ...get(best), ...get(at), ...loadSplat, ...op.maxFloats, ...set(best)],
    ...[...advance(at, 4), ...more, op.branchIf, 0, op.end, op.end],
    ...[...get(into), ...get(best), ...get(whole), ...op.splat, ...get(own), ...get(best), ...op.subFloats],
    ...[...op.mulFloats, ...op.addFloats, ...zeroVector, ...op.maxFloats, ...storeLane],
    ...[...advance(starts, 4), ...advance(into, 4)],
    ...[...get(servers), ...constant(1), op.sub, op.tee, servers, op.branchIf, 0],
    ...[op.end, op.end],
  ];
}

/** Each of four vectors summed up, the four sums as one vector. */
function fourSums([a = 0, b = 0, c = 0, d = 0]: readonly number[]): number[] {
  const pairs = (x: number, y: number) => [
    ...[...get(x), ...get(y), ...shuffle([0, 4, 1, 5])],
    ...[...get(x), ...get(y), ...shuffle([2, 6, 3, 7]), ...op.addInts],
  ];
  return [
    ...[...pairs(a, b), ...set(a), ...pairs(c, d), ...set(c)],
    ...[...get(a), ...get(c), ...shuffle([0, 1, 4, 5])],
    ...[...get(a), ...get(c), ...shuffle([2, 3, 6, 7]), ...op.addInts],
  ];
}
