import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { Problem } from '../../base/problem.ts';
import { startWorkerThread } from '../../base/worker-thread.ts';
import { type Embedder, NoVectors, type TextKind } from './embedder.ts';
import type { OnnxSource } from './onnx-model.ts';
import type { FromOnnxWorker, ToOnnxWorker } from './onnx-worker.ts';
import { paddedDims } from './unit-vectors.ts';

type Settings = { readonly prompts?: OnnxSource['prompts'] };
type Ask = {
  readonly texts: readonly string[];
  readonly kind: TextKind;
  readonly done: PromiseWithResolvers<Float32Array>;
  readonly vectors: Float32Array;
  /** Texts whose vectors are there. */
  embedded: number;
};

/** Texts of one run: a query that comes meanwhile waits for the end of it. */
const textsPerRun = 4;
/** A search waits so long for the vector of its query; then the built-in ones answer. */
const patienceMs = 50;
/** Queries that wait; beyond it the oldest, whose search was answered long ago, is let go. */
const maxQueries = 32;

/**
 * A sentence-embedding model in a local folder: model.onnx (or onnx/model.onnx), tokenizer.json, and where they are there
 * tokenizer_config.json and config_sentence_transformers.json (its `prompts` for `query` and `document`).
 * The first output is read: [texts, dims] as it is, [texts, tokens, dims] averaged over the tokens of the text.
 *
 * The model works in a thread of its own, at the lowest priority and on all cores but one, a few texts at a time, and
 * queries come before documents. When the thread dies, those who wait are told, and the next one starts it anew.
 * `locate` answers the URL of a package. Throws `setup` where the folder, a package or the model is not to be used.
 */
export async function loadOnnxEmbedder(
  folder: string,
  locate: (name: string) => string = (name) => import.meta.resolve(name),
): Promise<Embedder> {
  const thread = new ModelThread(sourceIn(folder, locate));
  const length = await thread.start().catch((cause: unknown) => {
    throw setupProblem(folder, 'holds a model that cannot be used', cause);
  });
  return {
    id: `onnx ${folder} ${length}`,
    dims: paddedDims(length),
    patienceMs,
    embed: (texts, kind) => thread.embed(texts, kind),
    close: () => thread.close(),
  };
}

/** The model's thread, and who waits for it. */
class ModelThread {
  readonly #source: OnnxSource;
  #worker: Worker | undefined;
  #started = Promise.withResolvers<number>();
  /** Whether it is loading, or has a run under way. */
  #isBusy = false;
  #isClosed = false;
  #dims = 0;
  #current: Ask | undefined;
  readonly #queries: Ask[] = [];
  readonly #documents: Ask[] = [];

  constructor(source: OnnxSource) {
    this.#source = source;
  }

  /** Dimensions of the model's own vectors. */
  start(): Promise<number> {
    this.#startWorker();
    return this.#started.promise;
  }

  async embed(texts: readonly string[], kind: TextKind): Promise<Float32Array> {
    if (this.#isClosed) throw closed();
    if (texts.length === 0) return new Float32Array(0);
    const done = Promise.withResolvers<Float32Array>();
    const ask = { texts, kind, done, vectors: new Float32Array(texts.length * this.#dims), embedded: 0 };
    if (kind === 'document') this.#documents.push(ask);
    else if (this.#queries.push(ask) > maxQueries) this.#queries.shift()?.done.reject(new NoVectors());
    this.#next();
    return done.promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    const wasBusy = this.#isBusy;
    this.#end(closed());
    if (worker === undefined) return;
    // A thread that is ended in the middle of a run takes the whole process along: the runtime throws where nobody catches.
    if (wasBusy) await Promise.race([once(worker, 'message'), once(worker, 'exit')]).catch(() => undefined);
    await worker.terminate();
  }

  #startWorker(): void {
    const worker = startWorkerThread(new URL('./onnx-worker', import.meta.url), { workerData: this.#source });
    this.#worker = worker;
    this.#isBusy = true;
    this.#started = Promise.withResolvers();
    // Of a later start those hear who asked.
    this.#started.promise.catch(() => undefined);
    const end = (error: Error) => {
      if (this.#worker === worker) this.#end(error);
    };
    worker.on('error', (error) => end(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => end(new Error('the thread of the model ended')));
    worker.on('message', (message: FromOnnxWorker) => {
      if (this.#worker !== worker) return;
      this.#isBusy = false;
      this.#receive(message);
      this.#next();
    });
  }

  #receive(message: FromOnnxWorker): void {
    if (message.kind === 'ready') {
      this.#dims = paddedDims(message.length);
      this.#started.resolve(message.length);
      return;
    }
    const ask = this.#current;
    this.#current = undefined;
    if (ask === undefined) return;
    if (message.kind === 'failed') return void ask.done.reject(new NoVectors({ cause: message.error }));
    ask.vectors.set(message.vectors, ask.embedded * this.#dims);
    ask.embedded += textsPerRun;
    if (ask.embedded >= ask.texts.length) ask.done.resolve(ask.vectors);
    else if (ask.kind === 'document') this.#documents.unshift(ask);
    else this.#queries.push(ask);
  }

  /** The newest query, whose search is still waiting; else the next documents. */
  #next(): void {
    if (this.#isBusy) return;
    if (this.#queries.length + this.#documents.length === 0) {
      // Only a thread at work keeps the process alive.
      this.#worker?.unref();
      return;
    }
    if (this.#worker === undefined) return void this.#startWorker();
    const ask = this.#queries.pop() ?? this.#documents.shift();
    if (ask === undefined) return;
    this.#current = ask;
    this.#isBusy = true;
    this.#worker.ref();
    const texts = ask.texts.slice(ask.embedded, ask.embedded + textsPerRun);
    this.#worker.postMessage({ texts, kind: ask.kind } satisfies ToOnnxWorker);
  }

  #end(error: Error): void {
    this.#worker = undefined;
    this.#isBusy = false;
    this.#started.reject(error);
    const asks = [this.#current, ...this.#queries.splice(0), ...this.#documents.splice(0)];
    this.#current = undefined;
    for (const ask of asks) ask?.done.reject(error);
  }
}

function closed(): Error {
  return new Error('the model is closed');
}

/** Throws `setup`. */
function sourceIn(folder: string, locate: (name: string) => string): OnnxSource {
  const file = ['model.onnx', 'onnx/model.onnx'].map((name) => join(folder, name)).find(existsSync);
  if (file === undefined) throw setupProblem(folder, 'has no model.onnx');
  const [runtimeUrl = '', tokenizersUrl = ''] = ['onnxruntime-node', '@huggingface/tokenizers'].map((name) =>
    locatePackage(name, locate),
  );
  const tokenizer = readJson(folder, 'tokenizer.json');
  if (tokenizer === null) throw setupProblem(folder, 'has no tokenizer.json');
  const settings = readJson(folder, 'config_sentence_transformers.json') as Settings | null;
  return {
    file,
    tokenizer,
    tokenizerConfig: readJson(folder, 'tokenizer_config.json') ?? {},
    prompts: settings?.prompts ?? {},
    runtimeUrl,
    tokenizersUrl,
    // One core answers requests.
    threads: Math.max(1, availableParallelism() - 1),
  };
}

function locatePackage(name: string, locate: (name: string) => string): string {
  try {
    return locate(name);
  } catch (cause) {
    throw new Problem(
      'setup',
      `MCPRANK_EMBEDDINGS=onnx:… needs the packages onnxruntime-node and @huggingface/tokenizers: npm install onnxruntime-node @huggingface/tokenizers`,
      { cause },
    );
  }
}

function readJson(folder: string, name: string): object | null {
  const file = join(folder, name);
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object;
  } catch (cause) {
    throw setupProblem(folder, `has a ${name} that is not JSON`, cause);
  }
}

function setupProblem(folder: string, why: string, cause?: unknown): Problem {
  return new Problem('setup', `MCPRANK_EMBEDDINGS: the folder ${folder} ${why}`, { cause });
}
