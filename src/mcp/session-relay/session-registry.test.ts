import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSessionRegistry } from './session-registry.ts';
import { createStreamSlots } from './stream-slots.ts';

const lifeMs = 1_000;

function openRegistry() {
  let time = 0;
  const ended: string[] = [];
  const registry = createSessionRegistry(() => time, lifeMs, { all: 5, each: 3 });
  const add = (developer: string, id: string) => registry.add(developer, id, () => void ended.push(id));
  return { ...registry, add, ended, wait: (ms: number) => (time += ms) };
}

test('a developer’s least recently used session is ended for its next; nobody’s for another developer', () => {
  const { add, used, ended } = openRegistry();
  for (const id of ['a1', 'a2', 'a3']) assert.ok(add('a', id));
  used('a', 'a1');
  assert.ok(add('a', 'a4'));
  assert.deepEqual(ended, ['a2']);
  assert.ok(add('b', 'b1') && add('b', 'b2'));
  assert.equal(add('b', 'b3'), false, 'five in all');
  assert.equal(add('c', 'c1'), false);
  assert.deepEqual(ended, ['a2']);
});

test('a session that was ended makes room; one whose time is over is ended once', () => {
  const { add, forget, sweep, ended, wait } = openRegistry();
  for (const id of ['a1', 'a2', 'a3']) add('a', id);
  forget('a', 'a1');
  forget('a', 'a1');
  add('a', 'a4');
  add('a', 'a4');
  assert.deepEqual([add('b', 'b0'), add('c', 'c0')], [true, true], 'the same one again is one');
  forget('b', 'b0');
  forget('c', 'c0');
  assert.deepEqual(ended, []);
  wait(lifeMs + 1);
  add('b', 'b1');
  sweep();
  sweep();
  assert.deepEqual(ended, ['a2', 'a3', 'a4']);
});

test('streams are bounded in all, at a server, and of a developer at it; who leaves makes room; a close ends all', () => {
  const cut: string[] = [];
  const slots = createStreamSlots({ all: 4, server: 3, developer: 2 });
  const take = (server: string, developer: string) =>
    slots.take(server, developer, () => void cut.push(`${developer} at ${server}`));
  const first = take('x', 'a');
  assert.ok(take('x', 'a') !== null);
  assert.equal(take('x', 'a'), null, 'two of one developer');
  assert.ok(take('x', 'b') !== null);
  assert.equal(take('x', 'c'), null, 'three at one server');
  assert.ok(take('y', 'a') !== null);
  assert.equal(take('z', 'a'), null, 'four in all');
  first?.();
  first?.();
  assert.ok(take('z', 'a') !== null);
  slots.close();
  assert.deepEqual(cut.sort(), ['a at x', 'a at y', 'a at z', 'b at x']);
  const closed = createStreamSlots();
  closed.close();
  assert.equal(
    closed.take('w', 'd', () => undefined),
    null,
    'nobody in any more',
  );
});
