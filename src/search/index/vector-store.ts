/** One snapshot's document vectors as 8-bit numbers, in the WebAssembly memory that the scan reads. */

/** The part of WebAssembly's JavaScript interface that is used here; neither the language's nor Node's types carry it. */
declare global {
  namespace WebAssembly {
    class Memory {
      constructor(limits: { initial: number; maximum?: number; shared?: boolean });
      readonly buffer: ArrayBuffer;
    }
    class Module {
      constructor(bytes: Uint8Array);
    }
    class Instance {
      constructor(module: Module, imports: { env: { memory: Memory } });
      readonly exports: Readonly<Record<string, unknown>>;
    }
  }
}

export const pageBytes = 65_536;
/** The scan takes so many dimensions at a turn. */
const dimsStep = 64;

export type VectorStore = {
  readonly memory: WebAssembly.Memory;
  readonly dims: number;
  readonly documents: number;
  readonly servers: number;
};

/** Vectors as 8-bit numbers, what undoes the quantisation of each, and what the scan's unsigned query adds to its product. */
export type QuantisedVectors = {
  readonly vectors: Int8Array;
  readonly scales: Float32Array;
  readonly biases: Float32Array;
};

/** Byte offsets: the query at 0, then three numbers a document, three a server, then the vectors. */
export function layoutOf({ dims, documents, servers }: Omit<VectorStore, 'memory'>) {
  // The scan takes documents in fours and may touch what lies behind the last one.
  const column = (numbers: number) => Math.ceil(((numbers + 3) * 4) / 64) * 64;
  const biases = dims;
  const scales = biases + column(documents);
  const cosines = scales + column(documents);
  const starts = cosines + column(documents);
  const scores = starts + column(servers + 1);
  const bests = scores + column(servers);
  const vectors = bests + column(servers);
  const pages = Math.ceil((vectors + (documents + 3) * dims) / pageBytes);
  return { biases, scales, cosines, starts, scores, bests, vectors, pages };
}

export function createVectorStore(documents: number, servers: number, dims: number): VectorStore {
  if (dims % dimsStep !== 0)
    throw new RangeError(`vector dimensions must be a multiple of ${dimsStep}, not ${dims}`);
  const { pages } = layoutOf({ dims, documents, servers });
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return { memory, dims, documents, servers };
}

/** A view of the vectors that lie from document `at` on. */
export function vectorsAt(store: VectorStore, at: number, count: number): QuantisedVectors {
  const { biases, scales, vectors } = layoutOf(store);
  const { buffer } = store.memory;
  return {
    vectors: new Int8Array(buffer, vectors + at * store.dims, count * store.dims),
    scales: new Float32Array(buffer, scales + at * 4, count),
    biases: new Float32Array(buffer, biases + at * 4, count),
  };
}

/** Unit vectors as 8-bit numbers, each vector with the scale that undoes it. */
export function quantise(from: Float32Array, dims: number): QuantisedVectors {
  const documents = from.length / dims;
  const vectors = new Int8Array(from.length);
  const scales = new Float32Array(documents);
  const biases = new Float32Array(documents);
  for (let d = 0; d < documents; d++) {
    let largest = 0;
    for (let i = d * dims; i < (d + 1) * dims; i++) largest = Math.max(largest, Math.abs(from[i]!));
    if (largest === 0) continue;
    scales[d] = largest / 127;
    let sum = 0;
    for (let i = d * dims; i < (d + 1) * dims; i++) {
      vectors[i] = Math.round((from[i]! * 127) / largest);
      sum += vectors[i]!;
    }
    biases[d] = 64 * sum;
  }
  return { vectors, scales, biases };
}
