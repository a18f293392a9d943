import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../src/base/problem.ts';
import { createJobs } from '../../src/jobs/jobs.ts';
import { engines, openTestStore } from '../support/stores.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (const engine of engines) {
  test(`${engine.name}: of several processes one runs a job, and stop waits for it`, {
    skip: engine.skip,
  }, async (t) => {
    const storage = await openTestStore(t, engine);
    const processes = Array.from({ length: 4 }, () =>
      createJobs({ leases: storage.leases, onError: (_job, error) => assert.fail(String(error)) }),
    );
    let runs = 0;
    let finished = 0;
    for (const jobs of processes) {
      jobs.schedule({
        name: 'once an hour',
        everyMs: 3_600_000,
        run: async () => {
          runs++;
          await pause(300);
          finished++;
          return undefined;
        },
      });
    }
    await pause(200);
    await Promise.all(processes.map((jobs) => jobs.stop()));
    assert.deepEqual([runs, finished], [1, 1]);
  });

  test(`${engine.name}: a failing job is reported and comes again when it said`, {
    skip: engine.skip,
  }, async (t) => {
    const storage = await openTestStore(t, engine);
    const faults: unknown[] = [];
    const jobs = createJobs({ leases: storage.leases, onError: (_job, error) => faults.push(error) });
    let runs = 0;
    jobs.schedule({
      name: 'breaks',
      everyMs: 3_600_000,
      run: async () => {
        if (++runs === 1) throw new Problem('upstream_error', 'away', { retryAfterMs: 10 });
        return undefined;
      },
    });
    for (let i = 0; i < 60 && runs < 2; i++) await pause(50);
    await jobs.stop();
    assert.deepEqual([runs, faults.length], [2, 1]);
  });
}
