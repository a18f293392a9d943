/** The builder thread: takes changes, gives snapshots. Its one correspondent is `builder-client.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { garbageCollector } from '../../base/garbage-collector.ts';
import type { CatalogChange } from '../../catalog/catalog.ts';
import { embedderFromTable } from '../embedding/built-in-embedder.ts';
import type { Embedder } from '../embedding/embedder.ts';
import type { KeptAnalyses } from '../kept-index/kept-analyses.ts';
import { readValueFile, writeValueFile } from '../kept-index/value-file.ts';
import { createIndexBuilder } from './index-builder.ts';
import type { Snapshot } from './snapshot.ts';

export type WorkerData = Pick<Embedder, 'dims' | 'table'>;
export type ToWorker =
  | { readonly kind: 'changes'; readonly changes: readonly CatalogChange[] }
  | { readonly kind: 'build'; readonly revision: number }
  | { readonly kind: 'vectors'; readonly vectors: Float32Array }
  | { readonly kind: 'keep'; readonly path: string; readonly mark: string }
  /** `terms`: a line each, in the order of their numbers. */
  | {
      readonly kind: 'restore';
      readonly path: string;
      readonly mark: string;
      readonly snapshot: Snapshot;
      readonly terms: string;
    };
export type FromWorker =
  | { readonly kind: 'applied' }
  | { readonly kind: 'built'; readonly snapshot: Snapshot; readonly newTerms: string }
  | { readonly kind: 'embed'; readonly texts: readonly string[] }
  | { readonly kind: 'kept'; readonly error: unknown }
  | { readonly kind: 'restored'; readonly isRestored: boolean; readonly error: unknown };
/** `mark`: what it is of, to the letter. */
type KeptFile = { readonly mark: string; readonly analyses: KeptAnalyses };

const port = parentPort;
if (port === null) throw new Error('build-worker.ts runs as a worker thread only');

let onVectors: ((vectors: Float32Array) => void) | undefined;
const send = (message: FromWorker) => port.postMessage(message);

/** An embedder that is not a table lives in the serving thread and is asked from here. */
function remoteEmbedder(dims: number): Pick<Embedder, 'dims' | 'embed'> {
  return {
    dims,
    embed: (texts) =>
      new Promise((resolve) => {
        onVectors = resolve;
        send({ kind: 'embed', texts });
      }),
  };
}

const { dims, table } = workerData as WorkerData;
const embedder = table === undefined ? remoteEmbedder(dims) : embedderFromTable(table);
let builder = createIndexBuilder(embedder);
let termsSent = 0;
/** After a build the thread may be idle for hours, and an idle thread collects nothing by itself: 80 MB at 150,000 tools. */
const collectGarbage = garbageCollector();

function build(revision: number): void {
  const snapshot = builder.build(revision);
  const newTerms = [...builder.lexicon.keys()].slice(termsSent).join('\n');
  termsSent = builder.lexicon.size;
  send({ kind: 'built', snapshot, newTerms });
  collectGarbage();
}

function restore({ path, mark, snapshot, terms: lines }: Extract<ToWorker, { kind: 'restore' }>): void {
  try {
    const kept = readValueFile(path, (head) => head.mark === mark) as KeptFile | null;
    const terms = lines === '' ? [] : lines.split('\n');
    if (kept !== null) builder = createIndexBuilder(embedder, { snapshot, terms, analyses: kept.analyses });
    termsSent = builder.lexicon.size;
    send({ kind: 'restored', isRestored: kept !== null, error: null });
  } catch (error) {
    send({ kind: 'restored', isRestored: false, error });
  }
}

async function keep(path: string, mark: string): Promise<void> {
  try {
    await writeValueFile(path, { mark, analyses: builder.keep() } satisfies KeptFile);
    send({ kind: 'kept', error: null });
  } catch (error) {
    send({ kind: 'kept', error });
  }
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'vectors':
      onVectors?.(message.vectors);
      return;
    case 'changes':
      await builder.apply(message.changes);
      send({ kind: 'applied' });
      return;
    case 'build':
      build(message.revision);
      return;
    case 'keep':
      await keep(message.path, message.mark);
      return;
    case 'restore':
      restore(message);
  }
}

// A rejected promise here ends the thread with its error, which `builder-client.ts` reports and answers with a new thread.
port.on('message', (message: ToWorker) => void handle(message));
