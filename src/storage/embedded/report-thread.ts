import { Worker } from 'node:worker_threads';
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';
import { Problem } from '../../base/problem.ts';
import type { Answer, Question, WorkerData } from './report-worker.ts';
import { bindable } from './statement-runner.ts';

/** Questions that may wait for the one thread. */
const maxWaiting = 64;
/** A thread costs 10 MB, and a tenth of a second to begin. */
const idleMs = 10_000;

/**
 * Answers questions over many rows in a thread of its own: SQLite computes where it is asked, and nothing else of the process
 * would go on meanwhile. Begun with the first question, ended when there has been none for a while.
 */
export class ReportThread {
  readonly #file: string;
  readonly #verifyFile: () => void;
  #worker: Worker | undefined;
  #asked = 0;
  readonly #waiting = new Map<number, PromiseWithResolvers<readonly unknown[]>>();
  #idleTimer: NodeJS.Timeout | undefined;

  /** `verifyFile` throws where the path leads to another file by now. */
  constructor(file: string, verifyFile: () => void) {
    this.#file = file;
    this.#verifyFile = verifyFile;
  }

  /** Rejects with SQLite's error and its code, and with `unavailable` where too many wait already. */
  async ask<R>({ sql, parameters }: CompiledQuery): Promise<R[]> {
    if (this.#waiting.size >= maxWaiting)
      throw new Problem('unavailable', 'Too many reports are being made', { retryAfterMs: 1_000 });
    this.#verifyFile();
    clearTimeout(this.#idleTimer);
    const question: Question = { id: ++this.#asked, sql, parameters: bindable(parameters) };
    const answer = Promise.withResolvers<readonly unknown[]>();
    this.#waiting.set(question.id, answer);
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(question);
    return (await answer.promise) as R[];
  }

  async close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = startWorker({ file: this.#file });
    worker.on('message', (answer: Answer) => this.#settle(answer));
    worker.on('error', (error) => this.#fail(worker, error));
    worker.on('exit', () => this.#fail(worker, new Error('the thread of reports ended')));
    return worker;
  }

  #settle(answer: Answer): void {
    const { resolve, reject } = this.#waiting.get(answer.id) ?? {};
    this.#waiting.delete(answer.id);
    if ('rows' in answer) resolve?.(answer.rows);
    else reject?.(Object.assign(new Error(answer.message), { errcode: answer.errcode }));
    if (this.#waiting.size > 0) return;
    this.#worker?.unref();
    this.#idleTimer = setTimeout(() => void this.#worker?.terminate(), idleMs).unref();
  }

  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function startWorker(data: WorkerData): Worker {
  // Run from source the file is .ts, from the published build .js.
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const entry = new URL(`./report-worker.${ending}`, import.meta.url);
  // A compile cache must be on before the first import; without it the thread would carry its own type stripper.
  const start = `require('node:module').enableCompileCache(); import(${JSON.stringify(entry.href)});`;
  return new Worker(start, { eval: true, workerData: data, resourceLimits: { maxYoungGenerationSizeMb: 4 } });
}

/** Kysely over the thread: for reading, one statement at a time. */
export class ReportDriver implements Driver {
  readonly #thread: ReportThread;

  constructor(thread: ReportThread) {
    this.#thread = thread;
  }

  async init(): Promise<void> {
    // The thread begins with the first question.
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return {
      executeQuery: async <R>(query: CompiledQuery): Promise<QueryResult<R>> => ({
        rows: await this.#thread.ask<R>(query),
      }),
      streamQuery: () => {
        throw new Error('a report is one answer');
      },
    };
  }

  beginTransaction = readsOnly;
  commitTransaction = readsOnly;
  rollbackTransaction = readsOnly;

  async releaseConnection(): Promise<void> {
    // There is nothing to give back.
  }

  destroy(): Promise<void> {
    return this.#thread.close();
  }
}

async function readsOnly(): Promise<never> {
  throw new Error('a report changes nothing');
}
