import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { forEachConcurrent } from './concurrency.ts';

test('as many as the limit run at once, in order, and each item once', async () => {
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await forEachConcurrent(Array(10).keys(), { limit: 3 }, async (item) => {
    begun.push(item);
    most = Math.max(most, ++running);
    await nextTurn();
    running--;
  });
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(most, 3);
});

test('after a failure or an abort nothing new is begun', async () => {
  const begun: number[] = [];
  const failing = forEachConcurrent([1, 2, 3, 4, 5], { limit: 2 }, async (item) => {
    begun.push(item);
    await nextTurn();
    if (item === 2) throw new Error('of 2');
  });
  await assert.rejects(failing, /of 2/);
  assert.ok(begun.length < 5, `begun: ${begun}`);

  const controller = new AbortController();
  begun.length = 0;
  await forEachConcurrent([1, 2, 3], { limit: 1, signal: controller.signal }, async (item) => {
    begun.push(item);
    controller.abort();
  });
  assert.deepEqual(begun, [1]);
});
