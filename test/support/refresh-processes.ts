import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { TokenRequest } from '../../src/connections/connections.ts';
import { root } from './paths.ts';

export type Order = { readonly request: TokenRequest; readonly times: number };
export type Result = {
  readonly version?: number;
  readonly accessToken?: string;
  readonly problem?: string;
};
export type Told = { readonly ready: true } | { readonly results: readonly Result[] };

export type Worker = {
  /** Makes the calls all at once. */
  ask(order: Order): Promise<readonly Result[]>;
  /** Stops, goes on, or dies at once: as the operating system does it, without warning. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void;
};

/** So many processes of their own on one store. */
export async function startWorkers(
  t: TestContext,
  count: number,
  env: Readonly<Record<string, string>>,
  leaseMs = 10_000,
): Promise<Worker[]> {
  const children = Array.from({ length: count }, () =>
    fork(join(root, 'test/support/refresh-worker.ts'), [JSON.stringify({ env, leaseMs })], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // Not a part of the test run, although started from it.
      execArgv: [],
      env: { PATH: process.env.PATH },
    }),
  );
  t.after(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  await Promise.all(children.map((child) => once(child, 'message')));
  return children.map(workerOf);
}

function workerOf(child: ChildProcess): Worker {
  return {
    async ask(order) {
      const answer = once(child, 'message');
      child.send(order);
      const [told] = (await answer) as [{ results: readonly Result[] }];
      return told.results;
    },
    signal: (signal) => void child.kill(signal),
  };
}
