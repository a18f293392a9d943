/**
 * The index as a value: typed arrays over shared memory, assembled beside the running one and handed to the
 * serving thread without a copy. Nothing in it changes after assembly.
 *
 * Documents lie server by server: document `docBase[s]` is server s itself, those after it its tools. Servers
 * are in the order of their ids, so that a lower number wins a tie.
 */

import { shared } from '../text/shared-array.ts';
import type { WordIndex } from '../text/word-index.ts';
import type { Facets } from './document-analysis.ts';
import { type Corpus, joinStoredStarts } from './packed-servers.ts';
import {
  documentFrequencies,
  documentsOf,
  type FieldNorms,
  type FieldTotals,
  fieldTotals,
  invert,
  normsOf,
  type Postings,
} from './postings.ts';
import type { StoredFields } from './stored-fields.ts';
import type { VectorStore } from './vector-store.ts';

/** What filters look at and what order needs, column by column; texts as numbers into `names`. */
export type ServerColumns = {
  readonly names: readonly string[];
  readonly transport: Uint16Array;
  readonly auth: Uint16Array;
  readonly category: Uint16Array;
  readonly verified: Uint8Array;
  readonly trusted: Uint8Array;
  readonly popularity: Float32Array;
  /** A line a server, its tags separated by tabs. */
  readonly tags: string;
  /** Of the tools; 0 for none. */
  readonly fingerprint: Float64Array;
  /** Of what it runs; 0 for none. */
  readonly software: Float64Array;
  /** By document, of tools: what they do, as their server says, packed. */
  readonly hints: Uint8Array;
};

export type Snapshot = {
  readonly revision: number;
  readonly serverCount: number;
  readonly documentCount: number;
  readonly termCount: number;
  readonly docBase: Uint32Array;
  readonly docServer: Uint32Array;
  /** Of each term: how many documents have it. */
  readonly frequencies: Uint32Array;
  /** Four field lengths a document, server by server: its own, its tools', and those of all its tools combined. */
  readonly lengths: Uint16Array;
  readonly fieldTotals: FieldTotals;
  readonly serverPostings: Postings;
  readonly toolPostings: Postings;
  /** The words of all of a server's tools combined, posted with the server. */
  readonly combinedToolsPostings: Postings;
  readonly vectors: VectorStore;
  /** The words by which misspelled ones are recognised. */
  readonly words: WordIndex;
  /** Server ids in order, a line each: one text crosses between threads faster than many. */
  readonly ids: string;
  readonly columns: ServerColumns;
  readonly stored: StoredFields;
};

export function assembleSnapshot(
  corpus: Corpus,
  {
    norms,
    ...facts
  }: Pick<Snapshot, 'termCount' | 'revision' | 'vectors' | 'words'> & {
    /** Of the index that it is to be a part of; else its own. */
    readonly norms?: FieldNorms | undefined;
  },
): Snapshot {
  const facets = corpus.servers.map((one) => one.facets);
  const serverCount = facets.length;
  const docBase = shared(Uint32Array, serverCount + 1);
  for (const [s, { toolCount }] of facets.entries()) docBase[s + 1] = docBase[s]! + 1 + toolCount;
  const documentCount = docBase[serverCount]!;
  const docServer = shared(Uint32Array, documentCount);
  for (let s = 0; s < serverCount; s++) docServer.fill(s, docBase[s], docBase[s + 1]);
  const { termCount } = facts;
  const totals = fieldTotals(corpus);
  const input = { corpus, termCount, norms: norms ?? normsOf(totals) };
  const starts = shared(Float64Array, 2 * documentCount + 1);
  joinStoredStarts(corpus, starts);
  return {
    ...facts,
    serverCount,
    documentCount,
    docBase,
    docServer,
    frequencies: documentFrequencies(corpus, termCount),
    lengths: corpus.arrays.lengths,
    fieldTotals: totals,
    serverPostings: invert('server', input),
    toolPostings: invert('tool', input),
    combinedToolsPostings: invert('combinedTools', input),
    ids: facets.map(({ server }) => server.id).join('\n'),
    columns: { ...serverColumns(facets), hints: toolHints(facets, documentCount) },
    stored: { bytes: corpus.arrays.storedBytes, starts },
  };
}

function toolHints(facets: readonly Facets[], documentCount: number): Uint8Array {
  const packed = shared(Uint8Array, documentCount);
  let at = 0;
  for (const { hints } of facets) {
    at++;
    for (const hint of hints) packed[at++] = Number(hint);
  }
  return packed;
}

function serverColumns(facets: readonly Facets[]): Omit<ServerColumns, 'hints'> {
  const numbers = new Map<string, number>([['none', 0]]);
  const numberOf = (name: string | null) => {
    const number = numbers.get(name ?? 'none') ?? numbers.size;
    numbers.set(name ?? 'none', number);
    return number;
  };
  const columns = {
    transport: shared(Uint16Array, facets.length),
    auth: shared(Uint16Array, facets.length),
    category: shared(Uint16Array, facets.length),
    verified: shared(Uint8Array, facets.length),
    trusted: shared(Uint8Array, facets.length),
    popularity: shared(Float32Array, facets.length),
    fingerprint: shared(Float64Array, facets.length),
    software: shared(Float64Array, facets.length),
  };
  for (const [s, { server }] of facets.entries()) {
    columns.transport[s] = numberOf(server.transport);
    columns.auth[s] = numberOf(server.authType);
    columns.category[s] = numberOf(server.category);
    columns.verified[s] = server.verified ? 1 : 0;
    columns.trusted[s] = server.trusted === true ? 1 : 0;
    columns.popularity[s] = server.popularity;
    columns.fingerprint[s] = server.fingerprint;
    columns.software[s] = server.software;
  }
  const tags = facets.map(({ server }) => server.tags.join('\t')).join('\n');
  return { ...columns, tags, names: [...numbers.keys()] };
}

export function serverIds({ ids }: Snapshot): readonly string[] {
  return ids === '' ? [] : ids.split('\n');
}

/** What it takes up in memory. */
export function snapshotBytes({ stored, vectors, words, ...snapshot }: Snapshot): number {
  const { serverPostings, toolPostings, combinedToolsPostings } = snapshot;
  const postings = [serverPostings, toolPostings, combinedToolsPostings];
  return [
    ...[
      snapshot.docBase,
      snapshot.docServer,
      snapshot.frequencies,
      snapshot.lengths,
      stored.bytes,
      stored.starts,
    ],
    ...postings.flatMap(({ starts, documents, weights }) => [starts, documents, weights]),
    ...[words.letters, words.starts, words.terms, words.buckets, words.entries],
    vectors.memory.buffer,
  ].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** As how many documents its servers count where words are counted. */
export function documentsCounted(docBase: Uint32Array): number {
  let documents = 0;
  for (let s = 1; s < docBase.length; s++) documents += documentsOf(docBase[s]! - docBase[s - 1]! - 1);
  return documents;
}
