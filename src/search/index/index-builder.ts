/**
 * Keeps every server's analysis and assembles snapshots from them. It runs in the builder thread, and in process
 * where no request could wait for it (evaluation, tests).
 */
import type { CatalogChange, CatalogServer } from '../../catalog/catalog.ts';
import type { Embedder } from '../embedding/embedder.ts';
import { toUnit } from '../embedding/unit-vectors.ts';
import { type KeptAnalyses, keepAnalyses, serversIn, wordsIn } from '../kept-index/kept-analyses.ts';
import { shared } from '../text/shared-array.ts';
import { buildWordIndex, type WordIndex } from '../text/word-index.ts';
import { analyseServer, documentTexts, type Lexicon, type Vocabulary } from './document-analysis.ts';
import { type Corpus, lengthsOf, type PackedServer, pack, packAlone, totalsOf } from './packed-servers.ts';
import type { FieldNorms } from './postings.ts';
import { assembleSnapshot, type Snapshot } from './snapshot.ts';
import { createVectorStore, quantise, vectorsAt } from './vector-store.ts';

/**
 * How much of the server's vector a tool takes on, and of its tools' mean a server. A server without a description
 * has little to give and much to take. Measured: without this 84 → 50 on finding a known server.
 */
const contextShares = { described: { toTool: 0.7, toServer: 0.25 }, bare: { toTool: 0.2, toServer: 1 } };

export type SegmentBuilder = {
  /** Takes changes in revision order; only these servers are read again. */
  apply(changes: readonly CatalogChange[]): Promise<void>;
  /** `norms`: of the index that it is to be a part of; else its own. */
  build(revision: number, norms?: FieldNorms): Snapshot;
  /** What it would have to analyse anew, beside the snapshot of the build just before; `before` takes it back. Good until the next build. */
  keep(): KeptAnalyses;
};

/** Builds a whole index. */
export type IndexBuilder = SegmentBuilder & { readonly lexicon: ReadonlyMap<string, number> };

/** Where a builder begins that does not begin with nothing. */
export type BuiltBefore = {
  readonly snapshot: Snapshot;
  /** In the order of their numbers. */
  readonly terms: readonly string[];
  readonly analyses: KeptAnalyses;
};

export function createIndexBuilder(
  embedder: Pick<Embedder, 'dims' | 'embed'>,
  before?: BuiltBefore,
): IndexBuilder {
  const lexicon = new Map(before?.terms.map((term, i) => [term, i]));
  return { lexicon, ...createSegmentBuilder(embedder, lexicon, before) };
}

export function createSegmentBuilder(
  embedder: Pick<Embedder, 'dims' | 'embed'>,
  lexicon: Lexicon,
  before?: BuiltBefore,
): SegmentBuilder {
  const { dims } = embedder;
  const vocabulary: Vocabulary = {
    words: before === undefined ? new Map() : wordsIn(before.analyses),
    runs: new Set(),
  };
  let words: WordIndex | undefined = before?.snapshot.words;
  /** In the order of their ids, in arrays that lie in the last snapshot's memory or beside it. */
  let corpus: Corpus | null = before === undefined ? null : serversIn(before.analyses, before.snapshot);
  const servers = new Map(corpus?.servers.map((one) => [one.facets.server.id, one]));
  /** Since the last build. */
  let fresh: PackedServer[] = [];
  const isPresent = (one: PackedServer) => servers.get(one.facets.server.id) === one;

  const index = (server: CatalogServer, vectors: Float32Array): PackedServer => {
    addContext(vectors, dims, server.description === '' ? contextShares.bare : contextShares.described);
    return packAlone(analyseServer(server, lexicon, vocabulary), quantise(vectors, dims));
  };

  return {
    async apply(changes) {
      const present = changes.flatMap(({ server }) => server ?? []);
      // One call for the whole batch: an embedder behind a network is asked once, not once a server.
      const embedded = await embedder.embed(present.flatMap(documentTexts), 'document');
      const batch: PackedServer[] = [];
      let at = 0;
      for (const { id, server } of changes) {
        if (server === null) {
          servers.delete(id);
          continue;
        }
        const to = at + (server.tools.length + 1) * dims;
        const indexed = index(server, embedded.subarray(at, to));
        servers.set(id, indexed);
        batch.push(indexed);
        at = to;
      }
      if (embedded.buffer instanceof ArrayBuffer) embedded.buffer.transfer(0);
      pack(batch, dims);
      fresh.push(...batch);
    },
    build(revision, norms) {
      // Sorted but for the fresh ones: that is nearly as quick as to merge them.
      const sorted = [...(corpus?.servers ?? []), ...fresh].filter(isPresent).sort(byId);
      const { server, document, byte } = totalsOf(sorted);
      const vectors = createVectorStore(document, server, dims);
      const storedBytes = shared(Uint8Array, byte);
      const lengths = shared(Uint16Array, lengthsOf({ document, server }));
      const arrays = pack(sorted, dims, { ...vectorsAt(vectors, 0, document), storedBytes, lengths });
      corpus = { servers: sorted, arrays };
      fresh = [];
      // The vocabulary only grows: of the same size it is the same.
      if (words?.terms.length !== vocabulary.words.size) words = buildWordIndex(vocabulary.words);
      return assembleSnapshot(corpus, { termCount: lexicon.size, revision, vectors, words, norms });
    },
    keep() {
      if (corpus === null || fresh.length > 0) throw new Error('there is nothing to keep before a build');
      return keepAnalyses(corpus, vocabulary.words);
    },
  };
}

function byId(a: PackedServer, b: PackedServer): number {
  return a.facets.server.id < b.facets.server.id ? -1 : 1;
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
