/** The thread of long questions and of checkpoints, on a connection of its own. Its one correspondent is `report-thread.ts`. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

export type WorkerData = { readonly file: string };
export type Question = {
  readonly id: number;
  readonly sql: string;
  readonly parameters: readonly SQLInputValue[];
};
export type Answer = { readonly id: number } & (
  | { readonly rows: readonly unknown[] }
  | { readonly message: string; readonly errcode: number | undefined }
);

/** For another process's lock, which a reader meets only while the file is being opened or closed. */
const busyTimeoutMs = 5_000;

const port = parentPort;
if (port === null) throw new Error('report-worker.ts runs as a worker thread only');
const file = pathToFileURL((workerData as WorkerData).file);
// Where there is none any more, none is made.
file.searchParams.set('mode', 'rw');
const db = new DatabaseSync(file, { timeout: busyTimeoutMs });
// It changes nothing, and may still move what others wrote into the file (https://www.sqlite.org/pragma.html#pragma_query_only).
db.exec('PRAGMA query_only = ON');

function answer({ id, sql, parameters }: Question): Answer {
  try {
    return { id, rows: db.prepare(sql).all(...parameters) };
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    return { id, message, errcode };
  }
}

port.on('message', (question: Question) => port.postMessage(answer(question)));
