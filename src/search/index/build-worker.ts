/** The builder thread: takes changes, gives snapshots. Its one correspondent is `builder-client.ts`. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import type { CatalogChange } from '../../catalog/catalog.ts';
import { embedderFromTable } from '../embedding/built-in-embedder.ts';
import type { Embedder } from '../embedding/embedder.ts';
import { createIndexBuilder } from './index-builder.ts';
import type { Snapshot } from './snapshot.ts';

export type WorkerData = Pick<Embedder, 'dims' | 'table'>;
export type ToWorker =
  | { readonly kind: 'changes'; readonly changes: readonly CatalogChange[] }
  | { readonly kind: 'build'; readonly revision: number }
  | { readonly kind: 'vectors'; readonly vectors: Float32Array };
export type FromWorker =
  | { readonly kind: 'applied' }
  | { readonly kind: 'built'; readonly snapshot: Snapshot; readonly newTerms: string }
  | { readonly kind: 'embed'; readonly texts: readonly string[] };

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
const builder = createIndexBuilder(table === undefined ? remoteEmbedder(dims) : embedderFromTable(table));
let termsSent = 0;
/** After a build the thread may be idle for hours, and an idle thread collects nothing by itself: 80 MB at 150,000 tools. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === 'vectors') {
    onVectors?.(message.vectors);
  } else if (message.kind === 'changes') {
    await builder.apply(message.changes);
    send({ kind: 'applied' });
  } else {
    const snapshot = builder.build(message.revision);
    const newTerms = [...builder.lexicon.keys()].slice(termsSent).join('\n');
    termsSent = builder.lexicon.size;
    send({ kind: 'built', snapshot, newTerms });
    collectGarbage();
  }
}

// A rejected promise here ends the thread with its error, which `builder-client.ts` reports and answers with a new thread.
port.on('message', (message: ToWorker) => void handle(message));
