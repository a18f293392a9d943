import type { Worker } from 'node:worker_threads';
import { CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from 'kysely';
import { Problem } from '../../base/problem.ts';
import { startWorkerThread } from '../../base/worker-thread.ts';
import type { Answer, Question, WorkerData } from './report-worker.ts';
import { bindable } from './statement-runner.ts';

/** Questions of one asker that may wait for the one thread. */
const maxWaiting = 64;
/** A thread costs 10 MB, and a tenth of a second to begin. */
const idleMs = 10_000;

type Asked = { readonly question: Question } & PromiseWithResolvers<readonly unknown[]>;

/**
 * Answers questions over many rows in a thread of its own: SQLite computes where it is asked, and nothing else of the process
 * would go on meanwhile. One at a time, and each asker in turn, however many one of them asks. Begun with the first question,
 * ended when there has been none for a while.
 */
export class ReportThread {
  readonly #file: string;
  readonly #verifyFile: () => void;
  #worker: Worker | undefined;
  #asked = 0;
  /** By asker; whoever comes next stands first. */
  readonly #waiting = new Map<string, Asked[]>();
  #underWay: Asked | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  /** `verifyFile` throws where the path leads to another file by now. */
  constructor(file: string, verifyFile: () => void) {
    this.#file = file;
    this.#verifyFile = verifyFile;
  }

  /** Rejects with SQLite's error and its code, and with `unavailable` where the asker has too many waiting already. */
  async ask<R>({ sql, parameters }: CompiledQuery, asker: string): Promise<R[]> {
    const queue = this.#waiting.get(asker) ?? [];
    if (queue.length >= maxWaiting)
      throw new Problem('unavailable', 'Too many reports are being made', { retryAfterMs: 1_000 });
    this.#verifyFile();
    clearTimeout(this.#idleTimer);
    const question: Question = { id: ++this.#asked, sql, parameters: bindable(parameters) };
    const asked = { question, ...Promise.withResolvers<readonly unknown[]>() };
    queue.push(asked);
    this.#waiting.set(asker, queue);
    this.#next();
    return (await asked.promise) as R[];
  }

  /**
   * Moves what was written into the file itself, as far as no reader is in its way: with three waits for the disk, which the
   * event loop had to sit through otherwise (https://www.sqlite.org/wal.html#ckpt).
   */
  async checkpoint(): Promise<void> {
    await this.ask(CompiledQuery.raw('PRAGMA wal_checkpoint(PASSIVE)'), 'checkpoint');
  }

  /** The next question begins it again. */
  async close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    const worker = this.#worker;
    this.#fail(worker, new Error('the thread of reports was closed'));
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = startWorkerThread(new URL('./report-worker', import.meta.url), {
      workerData: { file: this.#file } satisfies WorkerData,
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    worker.on('message', (answer: Answer) => this.#settle(answer));
    worker.on('error', (error) => this.#fail(worker, error));
    worker.on('exit', () => this.#fail(worker, new Error('the thread of reports ended')));
    return worker;
  }

  #next(): void {
    if (this.#underWay !== undefined) return;
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#worker?.unref();
      this.#idleTimer = setTimeout(() => void this.close(), idleMs).unref();
      return;
    }
    const [asker, [asked, ...rest]] = first;
    this.#waiting.delete(asker);
    // Behind the others.
    if (rest.length > 0) this.#waiting.set(asker, rest);
    this.#underWay = asked;
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(asked?.question);
  }

  #settle(answer: Answer): void {
    const asked = this.#underWay;
    if (asked?.question.id !== answer.id) return;
    this.#underWay = undefined;
    if ('rows' in answer) asked.resolve(answer.rows);
    else asked.reject(Object.assign(new Error(answer.message), { errcode: answer.errcode }));
    this.#next();
  }

  #fail(worker: Worker | undefined, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const left = [this.#underWay, ...[...this.#waiting.values()].flat()];
    this.#underWay = undefined;
    this.#waiting.clear();
    for (const asked of left) asked?.reject(error);
  }
}

/** Kysely over the thread: for reading, one statement at a time. */
export class ReportDriver implements Driver {
  readonly #thread: ReportThread;
  readonly #asker: string;

  constructor(thread: ReportThread, asker: string) {
    this.#thread = thread;
    this.#asker = asker;
  }

  async init(): Promise<void> {
    // The thread begins with the first question.
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return {
      executeQuery: async <R>(query: CompiledQuery): Promise<QueryResult<R>> => ({
        rows: await this.#thread.ask<R>(query, this.#asker),
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

  async destroy(): Promise<void> {
    // The thread is everybody's.
  }
}

async function readsOnly(): Promise<never> {
  throw new Error('a report changes nothing');
}
