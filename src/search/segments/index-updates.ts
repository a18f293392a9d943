/**
 * Keeps an index up to date: few changes are read into a patch beside the snapshot, and found within milliseconds; many, or
 * one that changes the weight of other words, are built into a new snapshot. What has become much beside the snapshot is merged
 * behind the searches, while changes are patched in as before.
 */
import type { CatalogChange } from '../../catalog/catalog.ts';
import type { Embedder } from '../embedding/embedder.ts';
import {
  type BuilderClient,
  type BuiltIndex,
  type ChangesSince,
  fewDocuments,
} from '../index/builder-client.ts';
import { createPatchBuilder, documentsIn, lettersOf, type PatchBuilder } from './patch-builder.ts';
import { type SearchIndex, wholeIndex } from './search-index.ts';

/** What to search from now on; `whole`: the snapshot that it has, where that is a new one. */
export type IndexUpdate = { readonly index: SearchIndex; readonly whole: BuiltIndex | null };

export type IndexUpdates = {
  /** Reads what is new. null when nothing was; rejects when store or builder failed. One at a time. */
  next(): Promise<IndexUpdate | null>;
  /** There is a snapshot already. */
  startFrom(built: BuiltIndex): void;
  close(): Promise<void>;
};

export type IndexUpdatesDeps = {
  readonly changesSince: ChangesSince;
  readonly embedder: Embedder;
  readonly builder: BuilderClient;
  /** A merged snapshot is there for `next` (null), or why not. */
  readonly onMerged: (error: unknown) => void;
};

/**
 * Of a snapshot's servers and tools so many may lie beside it or be outdated, before it is merged: to build a patch of that size
 * anew, as each change does, takes as long as to score some queries.
 */
const patchedShare = 1 / 8;
/** Letters of one server and its tools, which are read at a turn: some 20 ms. */
const patchedLetters = 100_000;

export function createIndexUpdates(deps: IndexUpdatesDeps): IndexUpdates {
  const { changesSince, embedder, builder, onMerged } = deps;
  /** null before the first. */
  let last: BuiltIndex | null = null;
  /** What changed since, up to a revision. */
  let patch: PatchBuilder | undefined;
  let revision = 0;
  /** Until somebody was told of it. */
  let merged: BuiltIndex | null = null;
  let merging: Promise<void> | undefined;
  let isClosed = false;

  function startFrom(built: BuiltIndex): void {
    last = built;
    patch = undefined;
    revision = built.snapshot.revision;
  }

  function merge(): void {
    const done = (error: unknown) => {
      merging = undefined;
      onMerged(error);
    };
    merging ??= builder.build(last).then((built) => {
      merged = built;
      done(null);
    }, done);
  }

  function startFromMerged(): BuiltIndex | null {
    if (merged !== null && merged !== last) startFrom(merged);
    return merged;
  }

  /** Only now: had the store failed before, nothing newer would be there to be read, and what was merged never be used. */
  function told(update: IndexUpdate): IndexUpdate {
    if (merged === last) merged = null;
    return update;
  }

  /** null: all is to be built anew. */
  async function patchIn(built: BuiltIndex, changes: readonly CatalogChange[]): Promise<SearchIndex | null> {
    const { documentCount } = built.snapshot;
    if (documentCount <= fewDocuments) return null;
    patch ??= createPatchBuilder(embedder, built);
    if (patch.documents() > 2 * patchedShare * documentCount) return null;
    const to = changes.at(-1)?.revision ?? revision;
    await patch.apply(changes);
    const index = patch.build(to);
    if (index === null) return null;
    revision = to;
    if (patch.documents() > patchedShare * documentCount) merge();
    return index;
  }

  return {
    async next() {
      if (isClosed) throw new Error('search is closed');
      const whole = startFromMerged();
      if (last !== null) {
        const most = patchedShare * last.snapshot.documentCount;
        const changes = await readFew(changesSince, revision, most);
        if (changes?.length === 0) return whole && told({ index: wholeIndex(whole), whole });
        const index = changes === null ? null : await patchIn(last, changes);
        if (index !== null) return told({ index, whole });
      }
      await merging;
      startFromMerged();
      const built = await builder.build(last);
      startFrom(built);
      merged = null;
      return { index: wholeIndex(built), whole: built };
    },
    startFrom,
    close() {
      isClosed = true;
      return builder.close();
    },
  };
}

/** What is newer than a revision; null if there is more than that, or takes long to read. */
async function readFew(
  changesSince: ChangesSince,
  after: number,
  most: number,
): Promise<CatalogChange[] | null> {
  const few: CatalogChange[] = [];
  let documents = 0;
  for await (const changes of changesSince(after)) {
    if (changes.some((change) => lettersOf(change) > patchedLetters)) return null;
    for (const change of changes) documents += documentsIn(change);
    if (documents > most) return null;
    few.push(...changes);
  }
  return few;
}
