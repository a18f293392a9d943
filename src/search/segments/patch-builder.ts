/**
 * Reads the few servers that changed since a snapshot was built into a segment beside it, in this thread: that takes a few
 * milliseconds, and to build the snapshot anew takes as long as all of it is large.
 */
import { setImmediate } from 'node:timers/promises';
import type { CatalogChange } from '../../catalog/catalog.ts';
import type { Embedder } from '../embedding/embedder.ts';
import type { Lexicon } from '../index/document-analysis.ts';
import { createSegmentBuilder } from '../index/index-builder.ts';
import { lengthsOf } from '../index/packed-servers.ts';
import {
  addFieldLengths,
  documentsOf,
  type FieldNorms,
  firstFrom,
  normsOf,
  type Postings,
} from '../index/postings.ts';
import type { Snapshot } from '../index/snapshot.ts';
import { numberOf } from './runs.ts';
import {
  patchedIndex,
  type SearchIndex,
  type ServersWith,
  type TermNumbers,
  wholeIndex,
} from './search-index.ts';

export type PatchBuilder = {
  /** Servers and tools that are read with it, and those that it leaves out of the snapshot. */
  documents(): number;
  apply(changes: readonly CatalogChange[]): Promise<void>;
  /** null: texts have become longer or shorter on the whole, and every word's weight with them. */
  build(revision: number): SearchIndex | null;
};

export function createPatchBuilder(
  embedder: Pick<Embedder, 'dims' | 'embed'>,
  built: { readonly snapshot: Snapshot; readonly lexicon: TermNumbers },
): PatchBuilder {
  const { snapshot } = built;
  const base = wholeIndex(built);
  const norms = normsOf(snapshot.fieldTotals);
  const lexicon = lexiconOver(built.lexicon, snapshot.termCount);
  const builder = createSegmentBuilder(embedder, lexicon);
  const outdated = new Uint8Array(snapshot.serverCount);
  const outdatedWith = new Map<number, ServersWith>();
  const frequencies = snapshot.frequencies.slice();
  const fieldTotals = snapshot.fieldTotals.slice();
  let outdatedDocuments = 0;
  let changed: Snapshot | undefined;

  /** Servers that no change named before. */
  function leaveOut(servers: readonly number[]): void {
    const leaving = new Uint8Array(snapshot.serverCount);
    for (const server of servers) {
      outdated[server] = leaving[server] = 1;
      const [document, end] = [snapshot.docBase[server]!, snapshot.docBase[server + 1]!];
      outdatedDocuments += end - document;
      const at = lengthsOf({ document, server });
      addFieldLengths(fieldTotals, snapshot.lengths, { at, toolCount: end - document - 1 }, -1);
    }
    if (servers.length > 0) takeOffWords(snapshot, leaving, { frequencies, outdatedWith });
  }

  return {
    documents: () => outdatedDocuments + (changed?.documentCount ?? 0),
    async apply(changes) {
      for (const few of slicesOf(changes)) {
        await builder.apply(few);
        await setImmediate();
      }
      const known = new Set(changes.map(({ id }) => numberOf(base.ids, id)));
      leaveOut([...known].filter((server) => server >= 0 && outdated[server] === 0));
    },
    build(revision) {
      changed = builder.build(revision, norms);
      const totals = fieldTotals.map((total, i) => total + changed!.fieldTotals[i]!);
      if (!isSame(normsOf(totals), norms)) return null;
      const all = new Uint32Array(lexicon.size);
      all.set(frequencies);
      for (let term = 0; term < changed.termCount; term++) all[term]! += changed.frequencies[term]!;
      const patch = { revision, changed, lexicon, outdated, frequencies: all };
      return patchedIndex(base, { ...patch, outdatedWith: new Map(outdatedWith) });
    },
  };
}

/** Servers and tools that are read at a turn, in the thread that serves, and letters of theirs: five milliseconds. */
const sliceDocuments = 100;
const sliceLetters = 25_000;

export function documentsIn({ server }: CatalogChange): number {
  return 1 + (server?.tools.length ?? 0);
}

export function lettersOf({ server }: CatalogChange): number {
  if (server === null) return 0;
  return server.tools.reduce(
    (sum, tool) => sum + tool.description.length + tool.inputSchema.length,
    server.description.length,
  );
}

function* slicesOf(changes: readonly CatalogChange[]): Generator<CatalogChange[]> {
  let slice: CatalogChange[] = [];
  let [documents, letters] = [0, 0];
  for (const change of changes) {
    slice.push(change);
    documents += documentsIn(change);
    letters += lettersOf(change);
    if (documents < sliceDocuments && letters < sliceLetters) continue;
    yield slice;
    slice = [];
    [documents, letters] = [0, 0];
  }
  if (slice.length > 0) yield slice;
}

/** The numbers of a snapshot's terms, and behind them those of terms that it does not have. */
function lexiconOver(known: TermNumbers, termCount: number): Lexicon & TermNumbers {
  const more = new Map<string, number>();
  return {
    get size() {
      return termCount + more.size;
    },
    get(stem) {
      const term = known.get(stem);
      return term !== undefined && term < termCount ? term : more.get(stem);
    },
    set: (stem, term) => more.set(stem, term),
  };
}

/** Counts the words of leaving servers off, and those servers by their words. */
function takeOffWords(
  snapshot: Snapshot,
  leaving: Uint8Array,
  { frequencies, outdatedWith }: { frequencies: Uint32Array; outdatedWith: Map<number, ServersWith> },
): void {
  const { serverPostings, combinedToolsPostings, toolPostings, docBase, termCount } = snapshot;
  /** Of each server the last term, counted from one, that it has among its own words. */
  const lastOwn = new Uint32Array(leaving.length);
  for (let term = 0; term < termCount; term++) {
    const own = leavingOf(serverPostings, term, leaving);
    const tools = leavingOf(combinedToolsPostings, term, leaving);
    for (const server of own) {
      lastOwn[server] = term + 1;
      frequencies[term]! -= documentsOf(docBase[server + 1]! - docBase[server]! - 1);
    }
    for (const server of tools)
      if (lastOwn[server] !== term + 1)
        frequencies[term]! -= postedBetween(toolPostings, term, docBase[server]!, docBase[server + 1]!);
    if (own.length + tools.length === 0) continue;
    const before = outdatedWith.get(term) ?? { own: 0, tools: 0 };
    outdatedWith.set(term, { own: before.own + own.length, tools: before.tools + tools.length });
  }
}

/** The servers of a term that are leaving. */
function leavingOf({ starts, documents }: Postings, term: number, leaving: Uint8Array): readonly number[] {
  const servers: number[] = [];
  for (let i = starts[term]!, end = starts[term + 1]!; i < end; i++)
    if (leaving[documents[i]!] === 1) servers.push(documents[i]!);
  return servers;
}

function postedBetween({ starts, documents }: Postings, term: number, first: number, end: number): number {
  const [from, to] = [starts[term]!, starts[term + 1]!];
  return firstFrom(documents, from, to, end) - firstFrom(documents, from, to, first);
}

function isSame(a: FieldNorms, b: FieldNorms): boolean {
  const kinds = Object.keys(a) as (keyof FieldNorms)[];
  return kinds.every((kind) => a[kind].every((norm, field) => norm === b[kind][field]));
}
