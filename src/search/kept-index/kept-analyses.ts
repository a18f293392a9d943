/**
 * What the builder knows of each server beside the snapshot, as one value: a builder that takes it back goes on as if it had
 * never been let go, and builds the very same snapshots.
 */
import type { IndexedServer } from '../index/array-pool.ts';
import { type Analysis, fieldCount, type Vocabulary } from '../index/document-analysis.ts';
import type { Snapshot } from '../index/snapshot.ts';
import { vectorsAt } from '../index/vector-store.ts';

export type KeptAnalyses = {
  /** Of each server in the order of the snapshot, as JSON: what filters and order look at. */
  readonly facts: string;
  readonly starts: Uint32Array;
  readonly terms: Uint32Array;
  readonly counts: Uint32Array;
  readonly lengths: Uint16Array;
  readonly storedStarts: Uint32Array;
  /** Words as they are written, a line each, and their terms. */
  readonly words: string;
  readonly wordTerms: Uint32Array;
};
type Facts = Pick<Analysis, 'server' | 'toolCount' | 'hints'>;

export function keepAnalyses(
  sorted: readonly IndexedServer[],
  vocabulary: Vocabulary['words'],
): KeptAnalyses {
  const analyses = sorted.map(({ analysis }) => analysis);
  const facts: Facts[] = analyses.map(({ server, toolCount, hints }) => ({ server, toolCount, hints }));
  return {
    facts: JSON.stringify(facts),
    starts: joined(
      Uint32Array,
      analyses.map(({ starts }) => starts),
    ),
    terms: joined(
      Uint32Array,
      analyses.map(({ terms }) => terms),
    ),
    counts: joined(
      Uint32Array,
      analyses.map(({ counts }) => counts),
    ),
    lengths: joined(
      Uint16Array,
      analyses.map(({ lengths }) => lengths),
    ),
    storedStarts: joined(
      Uint32Array,
      analyses.map(({ stored }) => stored.starts),
    ),
    words: [...vocabulary.keys()].join('\n'),
    wordTerms: Uint32Array.from(vocabulary.values()),
  };
}

/** Bytes and vectors are views of the snapshot, which has them anyway. */
export function serversIn(kept: KeptAnalyses, { stored, vectors }: Snapshot): IndexedServer[] {
  const cut = {
    starts: pieces(kept.starts),
    terms: pieces(kept.terms),
    counts: pieces(kept.counts),
    lengths: pieces(kept.lengths),
    storedStarts: pieces(kept.storedStarts),
  };
  let [document, byte] = [0, 0];
  return (JSON.parse(kept.facts) as Facts[]).map((facts) => {
    const documents = facts.toolCount + 1;
    const starts = cut.starts(documents + 2);
    const terms = starts.at(-1) ?? 0;
    const storedStarts = cut.storedStarts(2 * documents + 1);
    const bytes = stored.bytes.subarray(byte, byte + (storedStarts.at(-1) ?? 0));
    const analysis: Analysis = {
      ...facts,
      starts,
      terms: cut.terms(terms),
      counts: cut.counts(terms),
      lengths: cut.lengths((documents + 1) * fieldCount),
      stored: { bytes, starts: storedStarts },
    };
    const quantised = vectorsAt(vectors, document, documents);
    document += documents;
    byte += bytes.length;
    return { analysis, ...quantised };
  });
}

export function wordsIn({ words, wordTerms }: KeptAnalyses): Vocabulary['words'] {
  const written = words === '' ? [] : words.split('\n');
  return new Map(written.map((word, i) => [word, wordTerms[i] ?? 0]));
}

type Joinable = Uint32Array | Uint16Array;

function joined<T extends Joinable>(of: new (length: number) => T, arrays: readonly T[]): T {
  const all = new of(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** One after the other. */
function pieces<T extends Joinable>(all: T): (length: number) => T {
  let at = 0;
  return (length) => {
    at += length;
    return all.subarray(at - length, at) as T;
  };
}
