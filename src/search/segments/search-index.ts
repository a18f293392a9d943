/**
 * What is searched: a snapshot, or one with a few servers beside it that changed since, in a small snapshot of their own (a
 * segment). Each segment is scored by its own numbers; what is ranked has the numbers that one snapshot of all would give:
 * servers in the order of their ids, each document behind its server. Words are as rare, and texts as long, as in all of it
 * together, so the answers are those of one snapshot, to the last digit.
 */
import { inverseDocumentFrequencies } from '../index/postings.ts';
import {
  documentsCounted,
  type ServerColumns,
  type Snapshot,
  serverIds,
  snapshotBytes,
} from '../index/snapshot.ts';
import { openDocuments, type StoredDocuments } from '../index/stored-fields.ts';
import type { WordIndex } from '../text/word-index.ts';
import { joinColumns, joinDocuments } from './joined-columns.ts';
import { mergeRuns, numbersOf, placesOf, type Run } from './runs.ts';

export type Segment = {
  readonly snapshot: Snapshot;
  /** Of each of its servers, the number in the index; -1 for one that changed since, or went. null: they are the same. */
  readonly numbers: Int32Array | null;
  /** Servers with a term, of those that are outdated. */
  readonly outdatedWith: ReadonlyMap<number, ServersWith>;
};

/** How many have a word in their own texts, and how many among their tools'. */
export type ServersWith = { readonly own: number; readonly tools: number };

export type SearchIndex = {
  readonly revision: number;
  readonly serverCount: number;
  readonly documentCount: number;
  readonly termCount: number;
  /** In order. */
  readonly ids: readonly string[];
  readonly docBase: Uint32Array;
  readonly columns: Omit<ServerColumns, 'tags'>;
  readonly documents: StoredDocuments;
  readonly idf: Float32Array;
  /** By whose spelling misspelled words are recognised. */
  readonly words: readonly WordIndex[];
  readonly segments: readonly Segment[];
  readonly runs: readonly Run[];
  readonly bytes: number;
  /** `termCount` for what no document has. */
  termOf(stem: string): number;
  /** Which segment a server lies in, and its number there. */
  segmentOf(server: number): number;
  localOf(server: number): number;
  tagsOf(server: number): readonly string[];
};

/** Where the terms of an index have their numbers; it may know later ones, too. */
export type TermNumbers = Pick<ReadonlyMap<string, number>, 'get'>;

export function wholeIndex({ snapshot, lexicon }: { snapshot: Snapshot; lexicon: TermNumbers }): SearchIndex {
  const { revision, serverCount, documentCount, termCount, docBase, columns, frequencies } = snapshot;
  return {
    ...{ revision, serverCount, documentCount, termCount, docBase, columns },
    ids: serverIds(snapshot),
    documents: openDocuments(snapshot.stored),
    idf: inverseDocumentFrequencies(frequencies, documentsCounted(docBase)),
    words: [snapshot.words],
    segments: [{ snapshot, numbers: null, outdatedWith: new Map() }],
    runs: [{ segment: 0, from: 0, to: 0, count: serverCount }],
    bytes: snapshotBytes(snapshot),
    termOf: termFinder(lexicon, frequencies),
    segmentOf: () => 0,
    localOf: (server) => server,
    tagsOf: tagReader(snapshot),
  };
}

/** What changed since a snapshot was built. */
export type Patch = {
  readonly revision: number;
  /** By number in that snapshot: 1 for a server that changed or went. */
  readonly outdated: Uint8Array;
  readonly outdatedWith: Segment['outdatedWith'];
  /** The servers as they are now. */
  readonly changed: Snapshot;
  /** Of each term, in all of it. */
  readonly frequencies: Uint32Array;
  readonly lexicon: TermNumbers;
};

export function patchedIndex(base: SearchIndex, patch: Patch): SearchIndex {
  const { changed, frequencies, lexicon, revision } = patch;
  const [{ snapshot } = { snapshot: changed }] = base.segments;
  const snapshots = [snapshot, changed];
  const listed = [base.ids, serverIds(changed)] as const;
  const runs = mergeRuns(listed, patch.outdated);
  const ids = runs.flatMap(({ segment, from, count }) => listed[segment]!.slice(from, from + count));
  const places = placesOf(runs, ids.length);
  const docBase = new Uint32Array(ids.length + 1);
  for (let s = 0; s < ids.length; s++) {
    const own = snapshots[places.segments[s]!]!.docBase;
    const local = places.locals[s]!;
    docBase[s + 1] = docBase[s]! + own[local + 1]! - own[local]!;
  }
  const tags = snapshots.map(tagReader);
  const joined = { snapshots, runs, docBase };
  return {
    revision,
    serverCount: ids.length,
    documentCount: docBase[ids.length]!,
    termCount: frequencies.length,
    ids,
    docBase,
    columns: joinColumns(joined),
    documents: joinDocuments(joined, places),
    idf: inverseDocumentFrequencies(frequencies, documentsCounted(docBase)),
    words: [...base.words, changed.words],
    segments: snapshots.map((each, segment) => ({
      snapshot: each,
      numbers: numbersOf(runs, segment, each.serverCount),
      outdatedWith: segment === 0 ? patch.outdatedWith : new Map(),
    })),
    runs,
    bytes: base.bytes + snapshotBytes(changed),
    termOf: termFinder(lexicon, frequencies),
    segmentOf: (server) => places.segments[server]!,
    localOf: (server) => places.locals[server]!,
    tagsOf: (server) => tags[places.segments[server]!]!(places.locals[server]!),
  };
}

function termFinder(lexicon: TermNumbers, frequencies: Uint32Array): SearchIndex['termOf'] {
  const none = frequencies.length;
  return (stem) => {
    const term = lexicon.get(stem) ?? none;
    return term < none && frequencies[term]! > 0 ? term : none;
  };
}

export function tagReader({ columns }: Snapshot): SearchIndex['tagsOf'] {
  let lines: readonly string[] | undefined;
  return (server) => {
    lines ??= columns.tags.split('\n');
    const line = lines[server] ?? '';
    return line === '' ? [] : line.split('\t');
  };
}
