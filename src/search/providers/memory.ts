import { sha256Hex } from '../../base/id.ts';
import type { Embedder } from '../embedder.ts';
import type { EmbeddingStore } from './embedding-store.ts';

/** How far the embedding of documents has come since the start. */
export type Progress = {
  /** Texts whose vectors were in the store, and those that the provider had to make. */
  readonly remembered: number;
  readonly made: number;
};

/** Texts asked of the store, or sent to the provider, in one go. */
const perBatch = 256;
/** Vectors of recent queries; one of 1,536 dimensions is 6 KB. */
const queriesKept = 2_000;

/**
 * An embedder that asks its provider once for a text: vectors of documents are kept in the store, for restarts and for
 * other processes; those of recent queries in memory. Whatever is kept is bound to the provider's vector space.
 */
export function createRememberingEmbedder(
  provider: Embedder,
  store: EmbeddingStore,
  onProgress: (progress: Progress) => void,
): Embedder {
  const { id, dims } = provider;
  const queries = new Map<string, Float32Array>();
  let [remembered, made] = [0, 0];

  const embedQueries = async (texts: readonly string[]): Promise<Float32Array> => {
    const missing = [...new Set(texts.filter((text) => !queries.has(text)))];
    const fresh = missing.length === 0 ? new Float32Array() : await provider.embed(missing, 'query');
    const asked = new Map(missing.map((text, i) => [text, fresh.slice(i * dims, (i + 1) * dims)]));
    const out = new Float32Array(texts.length * dims);
    for (const [i, text] of texts.entries()) out.set(asked.get(text) ?? queries.get(text) ?? [], i * dims);
    for (const [text, vector] of asked) {
      if (queries.size >= queriesKept) queries.delete(queries.keys().next().value ?? '');
      queries.set(text, vector);
    }
    return out;
  };

  const embedBatch = async (texts: readonly string[], out: Float32Array): Promise<void> => {
    const digests = texts.map(sha256Hex);
    const known = await store.find(id, digests);
    const missing = [...new Set(digests.filter((digest) => !known.has(digest)))];
    if (missing.length > 0) {
      const textOf = new Map(digests.map((digest, i) => [digest, texts[i] ?? '']));
      const fresh = await provider.embed(
        missing.map((digest) => textOf.get(digest) ?? ''),
        'document',
      );
      for (const [i, digest] of missing.entries()) known.set(digest, fresh.slice(i * dims, (i + 1) * dims));
      await store.keep(
        id,
        new Map(missing.map((digest) => [digest, known.get(digest) ?? new Float32Array()])),
      );
    }
    for (const [i, digest] of digests.entries()) out.set(known.get(digest) ?? [], i * dims);
    made += missing.length;
    remembered += texts.length - missing.length;
    onProgress({ remembered, made });
  };

  return {
    id,
    dims,
    async embed(texts, kind) {
      if (kind === 'query') return embedQueries(texts);
      const out = new Float32Array(texts.length * dims);
      for (let at = 0; at < texts.length; at += perBatch)
        await embedBatch(texts.slice(at, at + perBatch), out.subarray(at * dims));
      return out;
    },
  };
}
