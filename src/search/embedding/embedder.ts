export type TextKind = 'query' | 'document';

/** Text to vectors. A service or a local network answers later, so `embed` may return a promise. */
export type Embedder = {
  /** Names the vector space: vectors of different ids are never compared. */
  readonly id: string;
  /** A multiple of 64. */
  readonly dims: number;
  /** Unit vectors (or zeros, where nothing is known of the text), one after the other. */
  embed(texts: readonly string[], kind: TextKind): Float32Array | Promise<Float32Array>;
  /** A search waits so many milliseconds for the vectors of its query; unless given, for as long as `embed` takes. */
  readonly patienceMs?: number | undefined;
  /** Whether the built-in vectors know a stem. */
  readonly knows?: ((stem: string) => boolean) | undefined;
  /** The built-in table, for the builder thread to embed documents with; others are asked through `embed`. */
  readonly table?: SharedArrayBuffer | undefined;
  close?(): Promise<void>;
};

/** There are no vectors of this query: not in time, or (with a cause) not at all. That says nothing of the next one. */
export class NoVectors extends Error {
  constructor(options?: ErrorOptions) {
    super('there are no vectors of this query', options);
  }
}

/** The vectors of a query. Rejects with `NoVectors` when they take longer than a search waits for them. */
export async function embedQuery(embedder: Embedder, texts: readonly string[]): Promise<Float32Array> {
  const { patienceMs } = embedder;
  const vectors = embedder.embed(texts, 'query');
  if (patienceMs === undefined || !(vectors instanceof Promise)) return vectors;
  const late = Promise.withResolvers<never>();
  const isLate = () => late.reject(new NoVectors());
  // What has come meanwhile is read first: when this process was held up itself, they were not late.
  const timer = setTimeout(() => setImmediate(isLate), patienceMs);
  try {
    return await Promise.race([vectors, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
