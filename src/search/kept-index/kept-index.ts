/**
 * The built index, kept beside the store: the next start answers from it at once and applies what changed since. Whatever is
 * wrong with it, it is built anew.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SharedFiles } from '../../storage/storage.ts';
import type { Embedder } from '../embedding/embedder.ts';
import { type BuilderFile, type BuiltIndex, fewDocuments, smallDocuments } from '../index/builder-client.ts';
import { type Snapshot, serverIds } from '../index/snapshot.ts';
import { codeVersion } from './code-version.ts';
import { readValueFile, writeValueFile } from './value-file.ts';

/** Of every server's last change: its number, and when it was (milliseconds since 1970). */
export type RevisionsOf = () => Promise<
  ReadonlyMap<string, { readonly revision: number; readonly changedAt: number; readonly gone: boolean }>
>;

export type KeptIndexOptions = {
  /** Where the files lie. */
  readonly folder: string;
  /** The builder leaves a file of its own beyond so many servers and tools (20,000), when it was idle for so long (a minute). */
  readonly builder?: Pick<BuilderFile, 'beyondDocuments' | 'idleMs'>;
  readonly revisions: RevisionsOf;
  /** Where replicas find each other's: one that starts in an empty folder need not build it. */
  readonly shared?: SharedFiles | null;
  /**
   * Of no use, and built anew. `outdated`: it is of another catalogue, model or version of the code; `unreadable`: damaged, or
   * the system refused; `unwritten`: there is none for the next start; `not_shared`: none from or for other replicas.
   */
  readonly onFault: (fault: 'outdated' | 'unreadable' | 'unwritten' | 'not_shared', error?: unknown) => void;
};

export type KeptIndex = {
  /** For the builder's part of it. */
  readonly builderFile: BuilderFile;
  /** null: there is none, or it is of another catalogue, model or version of the code. */
  read(): Promise<BuiltIndex | null>;
  /** Writes it a while after the last of several. */
  writeLater(built: BuiltIndex): void;
  /** Writes what waits. */
  close(): Promise<void>;
};

/** A sync brings many changes within seconds. */
const settleMs = 10_000;
/** The builder of a large catalogue holds as much as the index itself. */
const usualBuilder = { beyondDocuments: smallDocuments, idleMs: 60_000 };
const fileName = 'search-index.bin';
const analysesName = 'search-analyses.bin';

type Kept = {
  readonly model: string;
  readonly code: string;
  readonly snapshot: Snapshot;
  /** A line each, in the order of their numbers. */
  readonly terms: string;
  /** Of each server, in the order of the snapshot, when it changed last; 0 where it had changed again before this was written. */
  readonly changedAt: Float64Array;
};

export function createKeptIndex(embedder: Embedder, options: KeptIndexOptions): KeptIndex {
  const path = join(options.folder, fileName);
  const analysesPath = join(options.folder, analysesName);
  const { onFault } = options;
  const version = `${embedder.id} ${codeVersion()}`;
  let waiting: BuiltIndex | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const write = async ({ snapshot, lexicon }: BuiltIndex, isForAll: boolean): Promise<void> => {
    const kept: Kept = {
      model: embedder.id,
      code: codeVersion(),
      snapshot,
      terms: [...lexicon.keys()].slice(0, snapshot.termCount).join('\n'),
      changedAt: changeTimes(await options.revisions(), snapshot),
    };
    mkdirSync(options.folder, { recursive: true });
    await writeValueFile(path, kept);
    if (!isForAll) return;
    await options.shared?.publish(fileName, version, path).catch((error: unknown) => {
      onFault('not_shared', error);
    });
  };
  /** A process that stops has no time to send it around. */
  const flush = async (isForAll: boolean): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    await writing;
    const built = waiting;
    if (built === undefined) return;
    waiting = undefined;
    writing = write(built, isForAll).catch((error: unknown) => onFault('unwritten', error));
    await writing;
  };

  const readIndex = async (): Promise<BuiltIndex | null> => {
    removeLeftOver(options.folder);
    const isOurs = (head: Partial<Kept>) => {
      const isSame = head.model === embedder.id && head.code === codeVersion();
      if (!isSame) onFault('outdated');
      return isSame;
    };
    const kept = readValueFile(path, isOurs) as Kept | null;
    if (kept === null) return null;
    if (!isOf(await options.revisions(), kept)) {
      onFault('outdated');
      return null;
    }
    const terms = kept.terms === '' ? [] : kept.terms.split('\n');
    return { snapshot: kept.snapshot, lexicon: new Map(terms.map((term, i) => [term, i])) };
  };

  const readOwn = () =>
    readIndex().catch((error: unknown) => {
      onFault('unreadable', error);
      return null;
    });
  const fetchShared = async (): Promise<boolean> => {
    const { shared, folder } = options;
    if (shared === undefined || shared === null) return false;
    try {
      mkdirSync(folder, { recursive: true });
      return await shared.retrieve(fileName, version, path);
    } catch (error) {
      onFault('not_shared', error);
      return false;
    }
  };

  return {
    builderFile: {
      path: analysesPath,
      version,
      ...(options.builder ?? usualBuilder),
      onFault,
    },
    async read() {
      const own = await readOwn();
      const built = own ?? ((await fetchShared()) ? await readOwn() : null);
      // The analyses are of that index and no other.
      if (built === null) removeQuietly(analysesPath);
      return built;
    },
    writeLater(built) {
      // A smaller one is built as fast as it is read.
      if (built.snapshot.documentCount <= fewDocuments) return;
      waiting = built;
      clearTimeout(timer);
      timer = setTimeout(() => void flush(true), settleMs).unref();
    },
    close: () => flush(false),
  };
}

function changeTimes(stored: Awaited<ReturnType<RevisionsOf>>, snapshot: Snapshot): Kept['changedAt'] {
  return Float64Array.from(serverIds(snapshot), (id) => {
    const { revision = 0, changedAt = 0, gone = true } = stored.get(id) ?? {};
    return gone || revision > snapshot.revision ? 0 : changedAt;
  });
}

/**
 * Whether each server of the catalogue as it was then is in the index as it is now, and no other one. Their times tell: a store that
 * was put back to an earlier day comes to the same revisions again, of the same servers, with other contents.
 */
function isOf(stored: Awaited<ReturnType<RevisionsOf>>, { snapshot, changedAt: times }: Kept): boolean {
  const ids = serverIds(snapshot);
  const indexed = new Map(ids.map((id, i) => [id, times[i]]));
  let unchanged = 0;
  for (const [id, { revision, changedAt, gone }] of stored) {
    if (revision > snapshot.revision) {
      if (indexed.has(id)) unchanged++;
      continue;
    }
    if (gone) continue;
    if (indexed.get(id) !== changedAt) return false;
    unchanged++;
  }
  return unchanged === ids.length;
}

/** Where that is refused the folder has said so already. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Nothing can be kept there either.
  }
}

/** Of processes that were killed while they wrote. */
function removeLeftOver(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder))
    if (/^search-(index|analyses)\.bin\..*\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
}
