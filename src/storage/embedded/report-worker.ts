/** The thread of long questions, on a connection of its own. Its one correspondent is `report-thread.ts`. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
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
const db = new DatabaseSync((workerData as WorkerData).file, { readOnly: true, timeout: busyTimeoutMs });

function answer({ id, sql, parameters }: Question): Answer {
  try {
    return { id, rows: db.prepare(sql).all(...parameters) };
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    return { id, message, errcode };
  }
}

port.on('message', (question: Question) => port.postMessage(answer(question)));
