import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { RpcReply } from '../mcp-model.ts';
import { createUnansweredCalls } from './unanswered-calls.ts';

const reply = {} as RpcReply;

test('a call is over with its answer, in its own session; else when its time is, or with the process', async () => {
  const calls = createUnansweredCalls(20);
  const ends: [string, RpcReply | null][] = [];
  const keep = (session: string, id: string) =>
    calls.keep(session, id, (end) => {
      // Whoever records it takes the first end alone.
      if (!ends.some(([name]) => name === session + id)) ends.push([session + id, end]);
    });
  keep('a', '1');
  calls.answered('b', '1', reply);
  calls.answered('a', '"1"', reply);
  assert.deepEqual(ends, []);
  calls.answered('a', '1', reply);
  assert.deepEqual(ends.splice(0), [['a1', reply]]);
  keep('a', '2');
  calls.sweep();
  assert.deepEqual(ends, []);
  await delay(30);
  calls.sweep();
  assert.deepEqual(ends, [['a2', null]]);
  keep('a', '3');
  calls.close();
  assert.deepEqual(ends.at(-1), ['a3', null]);
});
