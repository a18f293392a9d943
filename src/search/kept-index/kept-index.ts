/**
 * The built index, kept beside the store: the next start answers from it at once and applies what changed since. Whatever is
 * wrong with it, it is built anew.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Bytes } from '../../base/id.ts';
import type { Embedder } from '../embedding/embedder.ts';
import { type BuilderFile, type BuiltIndex, smallDocuments } from '../index/builder-client.ts';
import { type Snapshot, serverIds } from '../index/snapshot.ts';
import { readValueFile, writeValueFile } from './value-file.ts';

/** Servers that are there, with the revision of each. */
export type RevisionsOf = () => Promise<
  ReadonlyMap<string, { readonly revision: number; readonly gone: boolean }>
>;

export type KeptIndexOptions = {
  /** Where the files lie. */
  readonly folder: string;
  /** The builder leaves a file of its own beyond so many servers and tools (20,000), when it was idle for so long (a minute). */
  readonly builder?: Pick<BuilderFile, 'beyondDocuments' | 'idleMs'>;
  readonly revisions: RevisionsOf;
  /**
   * Of no use, and built anew. `outdated`: it is of another catalogue, model or version of the code; `unreadable`: damaged, or
   * the system refused; `unwritten`: there is none for the next start.
   */
  readonly onFault: (fault: 'outdated' | 'unreadable' | 'unwritten', error?: unknown) => void;
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

/** Beside a smaller one, a file saves nothing. */
const fewDocuments = 100;
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
  /** Of each server, in the order of the snapshot; 0 where it had changed before it was written. */
  readonly revisions: Float64Array;
};

export function createKeptIndex(embedder: Embedder, options: KeptIndexOptions): KeptIndex {
  const path = join(options.folder, fileName);
  const { onFault } = options;
  let waiting: BuiltIndex | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const write = async ({ snapshot, lexicon }: BuiltIndex): Promise<void> => {
    const stored = await options.revisions();
    const revisionOf = (id: string) => {
      const { revision = 0, gone = true } = stored.get(id) ?? {};
      return gone || revision > snapshot.revision ? 0 : revision;
    };
    const kept: Kept = {
      model: embedder.id,
      code: codeVersion(),
      snapshot,
      terms: [...lexicon.keys()].slice(0, snapshot.termCount).join('\n'),
      revisions: Float64Array.from(serverIds(snapshot), revisionOf),
    };
    mkdirSync(options.folder, { recursive: true });
    await writeValueFile(path, kept);
  };
  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    await writing;
    const built = waiting;
    if (built === undefined) return;
    waiting = undefined;
    writing = write(built).catch((error: unknown) => onFault('unwritten', error));
    await writing;
  };

  return {
    builderFile: {
      path: join(options.folder, analysesName),
      version: `${embedder.id} ${codeVersion()}`,
      ...(options.builder ?? usualBuilder),
      onFault,
    },
    async read() {
      try {
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
      } catch (error) {
        onFault('unreadable', error);
        return null;
      }
    },
    writeLater(built) {
      if (built.snapshot.documentCount <= fewDocuments) return;
      waiting = built;
      clearTimeout(timer);
      timer = setTimeout(() => void flush(), settleMs).unref();
    },
    close: flush,
  };
}

/**
 * Whether each server of the catalogue as it was then is in the index as it is now, and no other one: a store that was put back
 * to an earlier day has revisions of the same numbers and other contents.
 */
function isOf(stored: Awaited<ReturnType<RevisionsOf>>, { snapshot, revisions }: Kept): boolean {
  const ids = serverIds(snapshot);
  const indexed = new Map(ids.map((id, i) => [id, revisions[i]]));
  let unchanged = 0;
  for (const [id, { revision, gone }] of stored) {
    if (revision > snapshot.revision) {
      if (indexed.has(id)) unchanged++;
      continue;
    }
    if (gone) continue;
    if (indexed.get(id) !== revision) return false;
    unchanged++;
  }
  return unchanged === ids.length;
}

/** Of the code that analyses texts and lays them out: what another version made is not used. */
let version: string | undefined;
function codeVersion(): string {
  if (version !== undefined) return version;
  const files = ['../index', '../text', '../embedding'].flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, import.meta.url))
      .filter((name) => /\.([jt]s|wasm)$/.test(name) && !name.includes('.test.'))
      .sort()
      .map((name) => readFileSync(new URL(`${folder}/${name}`, import.meta.url))),
  );
  version = sha256Bytes(Buffer.concat(files));
  return version;
}

/** Of processes that were killed while they wrote. */
function removeLeftOver(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder))
    if (/^search-(index|analyses)\.bin\..*\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
}
