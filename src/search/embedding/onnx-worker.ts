/**
 * The thread of a model: takes a few texts at a time, gives their vectors. Its one correspondent is `onnx-embedder.ts`.
 * A run of a model is one long step that nothing comes between, so the thread that answers requests must not make it.
 */
import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { TextKind } from './embedder.ts';
import { loadOnnxModel, type OnnxSource } from './onnx-model.ts';
import { paddedDims, unitVectors } from './unit-vectors.ts';

export type ToOnnxWorker = { readonly texts: readonly string[]; readonly kind: TextKind };
export type FromOnnxWorker =
  /** Dimensions of the model's own vectors. */
  | { readonly kind: 'ready'; readonly length: number }
  /** Unit vectors, padded. */
  | { readonly kind: 'vectors'; readonly vectors: Float32Array<ArrayBuffer> }
  /** Of these texts there are none; the thread goes on. */
  | { readonly kind: 'failed'; readonly error: unknown };

const port = parentPort;
if (port === null) throw new Error('onnx-worker.ts runs as a worker thread only');
// Here a priority is a thread's, and its children's; elsewhere it would be the whole process's.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_LOW);

const send = (message: FromOnnxWorker, transfer: readonly ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);

const model = await loadOnnxModel(workerData as OnnxSource);
const [sample = []] = await model.embed(['dimensions'], 'document');
const dims = paddedDims(sample.length);

async function embed({ texts, kind }: ToOnnxWorker): Promise<void> {
  try {
    const vectors = unitVectors(await model.embed(texts, kind), dims);
    send({ kind: 'vectors', vectors }, [vectors.buffer]);
  } catch (error) {
    send({ kind: 'failed', error });
  }
}

port.on('message', (message: ToOnnxWorker) => void embed(message));
send({ kind: 'ready', length: sample.length });
