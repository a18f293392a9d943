import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLimiter } from './limiter.ts';

function turnable() {
  let at = 0;
  return {
    now: () => at,
    monotonic: () => at,
    advance(ms: number) {
      at += ms;
    },
  };
}

test('a tier of 100 a minute admits exactly 100 at once and the 101st after its emission interval', () => {
  const clock = turnable();
  const limiter = createLimiter(clock);
  const admitted = Array.from({ length: 150 }, () => limiter.take('k', 1, 100)).filter(
    ({ allowed }) => allowed,
  );
  assert.equal(admitted.length, 100);
  const refused = limiter.take('k', 1, 100);
  assert.equal(refused.remaining, 0);
  assert.ok(Math.abs(refused.retryAfterMs - 600) < 1e-6, `retry after ${refused.retryAfterMs}`);
  clock.advance(599);
  assert.equal(limiter.take('k', 1, 100).allowed, false);
  clock.advance(1.001);
  assert.equal(limiter.take('k', 1, 100).allowed, true);
});

test('a refused request takes nothing, and what remains is told truly', () => {
  const clock = turnable();
  const limiter = createLimiter(clock);
  assert.equal(limiter.take('k', 7, 10).remaining, 3);
  assert.equal(limiter.take('k', 4, 10).allowed, false);
  assert.deepEqual([limiter.take('k', 3, 10).allowed, limiter.take('k', 1, 10).allowed], [true, false]);
});

test('nobody gets more than burst plus refill, whatever the pattern, and subjects do not share', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.array(
        fc.record({ wait: fc.integer({ min: 0, max: 5_000 }), cost: fc.integer({ min: 0, max: 5 }) }),
        { maxLength: 200 },
      ),
      (perMinute, calls) => {
        const clock = turnable();
        const limiter = createLimiter(clock);
        let taken = 0;
        for (const { wait, cost } of calls) {
          clock.advance(wait);
          if (limiter.take('a', cost, perMinute).allowed) taken += cost;
          assert.ok(taken <= perMinute + (clock.now() / 60_000) * perMinute + 1e-6);
        }
        assert.equal(limiter.take('b', 1, perMinute).remaining, perMinute - 1);
      },
    ),
  );
});

test('a hundred thousand strangers cannot make it grow without end', () => {
  const clock = turnable();
  const limiter = createLimiter(clock);
  limiter.take('early', 1, 1);
  for (let i = 0; i < 100_001; i++) limiter.take(`stranger ${i}`, 1, 1);
  // The earliest was forgotten to make room: it has its quota again.
  assert.equal(limiter.take('early', 1, 1).allowed, true);
});
