/** What the ranking of a query is measured with, and by what its two halves are made one. */
import { createScan, type Scan } from '../index/scan.ts';
import type { Snapshot } from '../index/snapshot.ts';
import type { SearchIndex } from '../segments/search-index.ts';
import { createLexicalScores, type LexicalScores } from './lexical.ts';

export type RelevanceWeights = {
  /** The share of the vectors; the words have the rest. */
  readonly dense: number;
  /** The share of the server taken as a whole; its best tool has the rest. */
  readonly whole: number;
  /** The share of the best sentence of a long query; the whole query has the rest. */
  readonly sentence: number;
};

/**
 * What relevance is measured with. The arrays of `buffers` and of the segments are filled by each query: to allocate a megabyte a query
 * would cost more than to score it. So one query is ranked at a time, from its first line to its hits without
 * waiting, and no result points in here.
 */
export type RelevanceIndex = {
  readonly searched: SearchIndex;
  readonly weights: RelevanceWeights;
  readonly dims: number;
  readonly segments: readonly SegmentScores[];
  readonly buffers: {
    readonly relevance: Float32Array;
    readonly lexical: Float32Array;
    readonly cosine: Float32Array;
  };
};

/** What each segment is scored with, by its own numbers. */
export type SegmentScores = {
  readonly snapshot: Snapshot;
  readonly scan: Scan;
  readonly lexical: Float32Array;
  readonly ofQuery: LexicalScores;
  readonly ofSentence: LexicalScores;
};

export function createRelevanceIndex(searched: SearchIndex, weights: RelevanceWeights): RelevanceIndex {
  const { serverCount, segments } = searched;
  const lexical = new Float32Array(serverCount);
  return {
    searched,
    weights,
    dims: segments[0]?.snapshot.vectors.dims ?? 0,
    segments: segments.map(({ snapshot }) => ({
      snapshot,
      scan: createScan(snapshot.vectors, snapshot.docBase, weights.whole),
      // Of one that is the whole index there is nothing to be copied.
      lexical: segments.length === 1 ? lexical : new Float32Array(snapshot.serverCount),
      ofQuery: createLexicalScores(snapshot),
      ofSentence: createLexicalScores(snapshot),
    })),
    buffers: {
      relevance: new Float32Array(serverCount),
      lexical,
      cosine: new Float32Array(serverCount),
    },
  };
}

/** What a server is scored with, its number there, and how much higher its documents' numbers are in the index. */
export function placeOf({ searched, segments }: RelevanceIndex, server: number) {
  const segmentNumber = searched.segmentOf(server);
  const segment = segments[segmentNumber]!;
  const local = searched.localOf(server);
  return {
    segment,
    segmentNumber,
    local,
    offset: searched.docBase[server]! - segment.snapshot.docBase[local]!,
  };
}

export type Extremes = {
  readonly bestLexical: number;
  readonly bestCosine: number;
  /** How many standard deviations the best cosine lies above the mean of all. */
  readonly standout: number;
};
/** What brings the best of each half to its share. */
export function normalisers(
  { dense }: RelevanceWeights,
  { bestLexical, bestCosine }: Pick<Extremes, 'bestLexical' | 'bestCosine'>,
): readonly [byLexical: number, byCosine: number] {
  return [(1 - dense) / (bestLexical || 1), dense / (bestCosine || 1)];
}
