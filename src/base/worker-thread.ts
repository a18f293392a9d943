import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * A thread of ours. `entry` is its file without the ending: that is .ts where we run from source, and .js in the published
 * build.
 */
export function startWorkerThread(entry: URL, options: Omit<WorkerOptions, 'eval'>): Worker {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  // A compile cache must be on before the first import; without it the thread would carry its own type stripper.
  const start = `require('node:module').enableCompileCache(); import(${JSON.stringify(`${entry.href}.${ending}`)});`;
  return new Worker(start, { ...options, eval: true });
}
