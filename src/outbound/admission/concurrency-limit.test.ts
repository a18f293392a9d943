import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutboundFailure } from '../outbound-model.ts';
import { createConcurrencyLimit } from './concurrency-limit.ts';

const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof OutboundFailure && error.reason === 'refused' && pattern.test(error.detail);

test('calls to one host wait for their turn in order, and too many are refused', async () => {
  const limit = createConcurrencyLimit({ concurrency: 1, waiting: 2, waitMs: 10_000 });
  assert.equal(limit.acquire('h'), undefined);
  const order: number[] = [];
  const first = limit.acquire('h')?.turn.then(() => order.push(1));
  const second = limit.acquire('h')?.turn.then(() => order.push(2));
  assert.throws(() => limit.acquire('h'), refused(/busy/));
  assert.equal(limit.acquire('another'), undefined);
  limit.release('h');
  await first;
  limit.release('h');
  await second;
  assert.deepEqual(order, [1, 2]);
});

test('whose turn does not come in time is told so, and gives up its place in the queue', async () => {
  const limit = createConcurrencyLimit({ concurrency: 1, waiting: 1, waitMs: 10 });
  limit.acquire('h');
  await assert.rejects(limit.acquire('h')?.turn ?? Promise.resolve(), refused(/no turn/));
  const next = limit.acquire('h')?.turn;
  limit.release('h');
  await next;
});

test('who goes away makes room for the next one', async () => {
  const limit = createConcurrencyLimit({ concurrency: 1, waiting: 1, waitMs: 10_000 });
  limit.acquire('h');
  limit.acquire('h')?.leave();
  const next = limit.acquire('h')?.turn;
  limit.release('h');
  await next;
  limit.release('h');
  assert.equal(limit.acquire('h'), undefined);
});
