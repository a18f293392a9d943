import { createBoundedCache } from '../../base/bounded-cache.ts';
import { sha256Hex } from '../../base/id.ts';
import type { Embedder } from './embedder.ts';
import type { EmbeddingStore } from './embedding-store.ts';

/** How far the embedding of documents has come since the start, in texts. */
export type EmbeddingProgress = {
  /** Whose vectors were in the store. */
  readonly cached: number;
  /** Whose vectors the provider had to make. */
  readonly embedded: number;
};

/** Texts asked of the store, or sent to the provider, in one go. */
const perBatch = 256;
/** Vectors of recent queries; one of 1,536 dimensions is 6 KB. */
const queriesKept = 2_000;

/**
 * An embedder that asks its provider once for a text: vectors of documents are kept in the store, for restarts and for
 * other processes; those of recent queries in memory. Whatever is kept is bound to the provider's vector space.
 */
export function createCachedEmbedder(
  provider: Embedder,
  store: EmbeddingStore,
  onProgress: (progress: EmbeddingProgress) => void,
): Embedder {
  const { id, dims, patienceMs } = provider;
  const queries = createBoundedCache<Float32Array>(queriesKept);
  let [cached, embedded] = [0, 0];

  /** The vectors that the provider makes of these texts, by the same keys. */
  const embedMissing = async (
    texts: ReadonlyMap<string, string>,
    kind: 'query' | 'document',
  ): Promise<Map<string, Float32Array>> => {
    if (texts.size === 0) return new Map();
    const fresh = await provider.embed([...texts.values()], kind);
    return new Map([...texts.keys()].map((key, i) => [key, fresh.slice(i * dims, (i + 1) * dims)]));
  };

  const embedQueries = async (texts: readonly string[]): Promise<Float32Array> => {
    const known = new Map(texts.map((text) => [text, queries.get(text)]));
    const missing = texts.filter((text) => known.get(text) === undefined);
    const fresh = await embedMissing(new Map(missing.map((text) => [text, text])), 'query');
    for (const [text, vector] of fresh) queries.set(text, vector);
    const out = new Float32Array(texts.length * dims);
    for (const [i, text] of texts.entries()) out.set(fresh.get(text) ?? known.get(text) ?? [], i * dims);
    return out;
  };

  const embedBatch = async (texts: readonly string[], out: Float32Array): Promise<void> => {
    const digests = texts.map(sha256Hex);
    const stored = await store.find(id, digests);
    const missing = new Map(
      texts.flatMap((text, i) => {
        const digest = digests[i] ?? '';
        return stored.has(digest) ? [] : [[digest, text] as const];
      }),
    );
    const fresh = await embedMissing(missing, 'document');
    if (fresh.size > 0) await store.keep(id, fresh);
    for (const [i, digest] of digests.entries())
      out.set(stored.get(digest) ?? fresh.get(digest) ?? [], i * dims);
    embedded += fresh.size;
    cached += texts.length - fresh.size;
    onProgress({ cached, embedded });
  };

  return {
    id,
    dims,
    patienceMs,
    close: async () => provider.close?.(),
    async embed(texts, kind) {
      if (kind === 'query') return embedQueries(texts);
      const out = new Float32Array(texts.length * dims);
      for (let at = 0; at < texts.length; at += perBatch)
        await embedBatch(texts.slice(at, at + perBatch), out.subarray(at * dims));
      return out;
    },
  };
}
