import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Storage } from '../../storage/storage.ts';
import type { QueryLogEntry } from '../search-model.ts';
import { createQueryLog } from './query-log.ts';

function entry(i: number): QueryLogEntry {
  return {
    queryLogId: `ql_${i}`,
    at: i,
    keyId: 'key_1',
    developerId: 'dev_1',
    query: 'q',
    snapshot: 1,
    cacheHit: false,
    latencyMs: 1,
    shown: [],
    firstRank: 1,
    total: 0,
  };
}

test('while the store stands still the queue is bounded, what is given up is counted, and nothing is thrown', async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let writes = 0;
  const storage = { writeBehind: () => gate.then(() => void writes++) } as unknown as Storage;
  const log = createQueryLog({ storage, onError: (error) => assert.fail(String(error)) });
  for (let i = 0; i < 25_000; i++) log.record(entry(i));
  assert.equal(log.dropped(), 5_000);
  release();
  await log.flush();
  assert.equal(writes, 40, '20,000 entries in batches of 500');
});

test('a failing store costs its batch, counted and reported, and the next one is written', async () => {
  let fail = true;
  const faults: unknown[] = [];
  const storage = {
    writeBehind: async () => {
      if (fail) throw new Error('disk full');
    },
  } as unknown as Storage;
  const log = createQueryLog({ storage, onError: (error) => faults.push(error) });
  log.record(entry(1));
  await log.flush();
  fail = false;
  log.record(entry(2));
  await log.flush();
  assert.deepEqual([log.dropped(), faults.length], [1, 1]);
});
