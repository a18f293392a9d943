/**
 * What the builder knows of each server beside the snapshot, as one value: a builder that takes it back goes on as if it had
 * never been let go, and builds the very same snapshots.
 */
import type { Facets, Vocabulary } from '../index/document-analysis.ts';
import { type Corpus, type ServerArrays, unpack } from '../index/packed-servers.ts';
import type { Snapshot } from '../index/snapshot.ts';
import { vectorsAt } from '../index/vector-store.ts';

export type KeptAnalyses = Omit<ServerArrays, 'storedBytes' | 'lengths' | 'vectors' | 'scales' | 'biases'> & {
  /** Of each server in the order of the snapshot, as JSON: what filters and order look at. */
  readonly facets: string;
  /** Words as they are written, a line each, and their terms. */
  readonly words: string;
  readonly wordTerms: Uint32Array;
};

export function keepAnalyses({ servers, arrays }: Corpus, vocabulary: Vocabulary['words']): KeptAnalyses {
  const { starts, terms, counts, storedStarts } = arrays;
  return {
    ...{ starts, terms, counts, storedStarts },
    facets: JSON.stringify(servers.map(({ facets }) => facets)),
    words: [...vocabulary.keys()].join('\n'),
    wordTerms: Uint32Array.from(vocabulary.values()),
  };
}

/** Bytes, lengths and vectors are the snapshot's, which has them anyway. */
export function serversIn(
  { facets, starts, terms, counts, storedStarts }: KeptAnalyses,
  { stored, lengths, vectors }: Snapshot,
): Corpus {
  const arrays: ServerArrays = {
    ...{ starts, terms, counts, lengths, storedStarts, storedBytes: stored.bytes },
    ...vectorsAt(vectors, 0, vectors.documents),
  };
  return { servers: unpack(arrays, JSON.parse(facets) as Facets[]), arrays };
}

export function wordsIn({ words, wordTerms }: KeptAnalyses): Vocabulary['words'] {
  const written = words === '' ? [] : words.split('\n');
  return new Map(written.map((word, i) => [word, wordTerms[i] ?? 0]));
}
