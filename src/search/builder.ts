/**
 * Keeps every server's analysis and assembles snapshots from them. It runs in the builder thread, and in process
 * where no request could wait for it (evaluation, tests).
 */
import type { CatalogChange } from '../catalog/catalog.ts';
import { type Analysis, analyse, documentTexts, type Lexicon } from './analysis.ts';
import type { Embedder } from './embedder.ts';
import { createVectorStore, putVectors, quantise, vectorsAt } from './scan.ts';
import { assemble, type Snapshot } from './snapshot.ts';

export type Builder = {
  readonly lexicon: Lexicon;
  /** Takes changes in revision order; only these servers are read again. */
  apply(changes: readonly CatalogChange[]): Promise<void>;
  build(revision: number): Snapshot;
};

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
        held.set(id, {
          analysis: analyse(server, lexicon),
          ...quantise(embedded.subarray(at, to), embedder.dims),
        });
        at = to;
      }
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
      keepViews(sorted, snapshot);
      return snapshot;
    },
  };
}

/** What a snapshot holds is not held twice: from now on each server's bytes are views of the snapshot. */
function keepViews(sorted: readonly Held[], { pieces, vectors }: Snapshot): void {
  let doc = 0;
  let at = 0;
  for (const one of sorted) {
    const { analysis } = one;
    const own = pieces.subarray(at, at + analysis.pieces.length);
    at += own.length;
    Object.assign(one, {
      analysis: { ...analysis, pieces: own },
      ...vectorsAt(vectors, doc, analysis.toolCount + 1),
    });
    doc += analysis.toolCount + 1;
  }
}
