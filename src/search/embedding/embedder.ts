export type TextKind = 'query' | 'document';

/** Text to vectors. A service or a local network answers later, so `embed` may return a promise. */
export type Embedder = {
  /** Names the vector space: vectors of different ids are never compared. */
  readonly id: string;
  /** A multiple of 64. */
  readonly dims: number;
  /** Unit vectors (or zeros, where nothing is known of the text), one after the other. */
  embed(texts: readonly string[], kind: TextKind): Float32Array | Promise<Float32Array>;
  /** The built-in table, for the builder thread to embed documents with; others are asked through `embed`. */
  readonly table?: SharedArrayBuffer | undefined;
};
