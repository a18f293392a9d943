import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WriteBehind, type WriteBehindOptions } from './write-behind.ts';

/** A store that can be made to fail, and what was written to it. */
function newStore() {
  const batches: string[][] = [];
  const store = { isDown: false, batches };
  const write = async (batch: readonly string[]) => {
    await nextTurn();
    if (store.isDown) throw new Error('the store is down');
    batches.push([...batch]);
    return batch.map((item) => `${item}!`);
  };
  return { store, write };
}

function newQueue(more: Partial<WriteBehindOptions<string, string>> = {}) {
  const { store, write } = newStore();
  const failures: { kept: number; dropped: number }[] = [];
  const queue = new WriteBehind<string, string>({
    write,
    maxQueued: 4,
    batchSize: 3,
    gatherMs: 0,
    retryMs: 1,
    onFailure: (_error, items) => failures.push(items),
    ...more,
  });
  return { queue, store, failures };
}

test('what arrives in one turn or during a write goes into one batch, in order, each caller with its own result', async () => {
  const { queue, store } = newQueue();
  const first = ['a', 'b'].map((item) => queue.commit(item));
  queue.enqueue('c');
  assert.deepEqual(await Promise.all(first), ['a!', 'b!']);
  assert.deepEqual(await Promise.all(['d', 'e'].map((item) => queue.commit(item))), ['d!', 'e!']);
  assert.deepEqual(store.batches, [
    ['a', 'b', 'c'],
    ['d', 'e'],
  ]);
});

test('no batch is larger than its bound, and a full queue refuses and counts', async () => {
  const { queue, store } = newQueue();
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map((item) => queue.enqueue(item)),
    [true, true, true, true, false],
  );
  await assert.rejects(queue.commit('f'), {
    kind: 'unavailable',
    message: 'Too much is waiting to be written',
  });
  await queue.flush();
  assert.deepEqual(store.batches, [['a', 'b', 'c'], ['d']]);
  assert.deepEqual([queue.dropped, queue.size], [1, 0]);
});

test('when the store fails, callers that wait are told, and what was accepted is written later', async () => {
  const { queue, store, failures } = newQueue();
  store.isDown = true;
  queue.enqueue('a');
  await assert.rejects(queue.commit('b'), /the store is down/);
  assert.deepEqual(failures[0], { kept: 1, dropped: 0 });
  await assert.rejects(queue.flush(), /the store is down/);
  store.isDown = false;
  assert.equal(await queue.commit('c'), 'c!');
  assert.deepEqual(store.batches, [['a', 'c']]);
});

test('without retries what could not be written is given up and counted, and the rest goes on', async () => {
  const { queue, store, failures } = newQueue({ retryMs: null });
  store.isDown = true;
  queue.enqueue('a');
  await queue.flush();
  assert.deepEqual([failures, queue.dropped], [[{ kept: 0, dropped: 1 }], 1]);
  store.isDown = false;
  queue.enqueue('b');
  await queue.flush();
  assert.deepEqual(store.batches, [['b']]);
});

test('items with one key that wait together become one, also with those that a failure puts back', async () => {
  const { queue, store } = newQueue({
    keyOf: (item) => item[0] ?? null,
    merge: (waiting, item) => waiting + item.slice(1),
  });
  queue.enqueue('a1');
  queue.enqueue('b1');
  queue.enqueue('a2');
  store.isDown = true;
  const failed = queue.flush();
  await nextTurn();
  queue.enqueue('a3');
  await assert.rejects(failed);
  store.isDown = false;
  await queue.flush();
  assert.deepEqual(store.batches.flat().sort(), ['a123', 'b1']);
});

test('closing writes what waits, refuses what comes later, and fails nobody when the store is away', async () => {
  const { queue, store, failures } = newQueue({ gatherMs: 60_000 });
  queue.enqueue('a');
  await queue.close();
  assert.deepEqual(store.batches, [['a']]);
  assert.equal(queue.enqueue('b'), false);
  await assert.rejects(queue.commit('b'), { message: 'Shutting down' });

  const away = newQueue();
  away.store.isDown = true;
  away.queue.enqueue('a');
  await away.queue.close();
  assert.deepEqual(away.failures, [{ kept: 1, dropped: 0 }]);
  assert.deepEqual(failures, []);
});
