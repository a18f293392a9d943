import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitForTurn, workInTurn } from './read-turns.ts';

/** Resolves with the turn's time. */
function turn(): Promise<number> {
  return new Promise((resolve) => waitForTurn(() => resolve(performance.now())));
}

function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('large replies are read a piece in a turn, first come, first served', async () => {
  const order: string[] = [];
  const read = (name: string) =>
    new Promise<void>((resolve) => waitForTurn(() => resolve(void order.push(name))));
  const turns = [read('first'), read('second')];
  setImmediate(() => order.push('somebody else'));
  assert.deepEqual(order, [], 'none at once');
  await Promise.all(turns);
  assert.deepEqual(order, ['first', 'somebody else', 'second']);
});

test('behind work that took long, the next pieces come after twice its time', async () => {
  workInTurn(() => work(20));
  const began = performance.now();
  const [first, second] = await Promise.all([turn(), turn()]);
  assert.ok(first - began >= 38, `after ${first - began} ms`);
  assert.ok(second >= first);
});
