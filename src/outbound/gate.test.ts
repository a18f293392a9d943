import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGates, defaultGateLimits, type GateLimits } from './gate.ts';
import { OutboundFailure } from './model.ts';

function gatesAt(limits: Partial<GateLimits>) {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  return {
    gates: createGates(clock, { ...defaultGateLimits, ...limits }),
    advance: (ms: number) => {
      now += ms;
    },
  };
}

const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof OutboundFailure && error.reason === 'refused' && pattern.test(error.detail);

test('the breaker opens after failures in a row, lets one probe through, and closes when it answers', () => {
  const { gates, advance } = gatesAt({ failures: 3, openMs: 1_000, openMaxMs: 3_000 });
  const fail = () => {
    gates.enter('h');
    gates.leave('h', 'failed');
  };
  const open = () => assert.throws(() => gates.enter('h'), refused(/h cannot be reached/));
  fail();
  fail();
  gates.enter('h');
  gates.leave('h', 'ok');
  fail();
  fail();
  gates.enter('h');
  gates.leave('h', 'neutral');
  fail();
  open();
  gates.enter('another');

  advance(1_000);
  gates.enter('h');
  open();
  gates.leave('h', 'failed');
  advance(1_999);
  open();
  advance(1);
  fail();
  advance(2_999);
  open();
  advance(1);
  gates.enter('h');
  gates.leave('h', 'ok');
  fail();
  gates.enter('h');
});

test('calls to one host wait for their turn in order, and too many are refused', async () => {
  const { gates } = gatesAt({ concurrency: 1, waiting: 2 });
  assert.equal(gates.enter('h'), undefined);
  const order: number[] = [];
  const first = gates.enter('h')?.then(() => order.push(1));
  const second = gates.enter('h')?.then(() => order.push(2));
  assert.throws(() => gates.enter('h'), refused(/busy/));
  assert.equal(gates.enter('another'), undefined);
  gates.leave('h', 'ok');
  await first;
  gates.leave('h', 'failed');
  await second;
  assert.deepEqual(order, [1, 2]);
});

test('whose turn does not come in time is told so, and gives up its place in the queue', async () => {
  const { gates } = gatesAt({ concurrency: 1, waiting: 1, waitMs: 10 });
  gates.enter('h');
  await assert.rejects(gates.enter('h') ?? Promise.resolve(), refused(/no turn/));
  const next = gates.enter('h');
  gates.leave('h', 'ok');
  await next;
});
