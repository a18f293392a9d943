import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addUse, effectiveUse, popularityOf, priorOf, type UseRow, type UseSums } from './popularity.ts';

const today = 20_000;

function use(rows: readonly Omit<UseRow, 'server_id'>[]): number {
  const sums: UseSums = new Map();
  addUse(
    sums,
    rows.map((row) => ({ ...row, server_id: 's' })),
    today,
  );
  return effectiveUse(sums.get('s'), undefined);
}

function near(actual: number | null, expected: number): void {
  assert.ok(actual !== null && Math.abs(actual - expected) < 0.0006, `${actual} is not ${expected}`);
}

const alike = (developers: number, calls: number, age = 0) =>
  Array.from({ length: developers }, (_, i) => ({ developer_id: `d${i}`, day: today - age, calls }));

test('the stated examples: two developers, a hundred', () => {
  near(use(alike(2, 1)), 2 * 0.126);
  near(use(alike(2, 10)), 2 / 3);
  near(popularityOf(0.1, use(alike(100, 10))), 0.662);
});

test('one developer alone moves nothing, however often and long it calls', () => {
  for (const calls of [1, 10, 1_000_000_000]) assert.equal(use(alike(1, calls)), 0);
  const habit = Array.from({ length: 300 }, (_, age) => alike(1, 1_000, age)).flat();
  assert.equal(use(habit), 0);
  near(use([...habit, { developer_id: 'other', day: today, calls: 1 }]), 2 * 0.126);
});

test('use fades: after a month a day is worth half, after ten nothing to speak of', () => {
  near(use(alike(2, 10, 30)), (2 * 0.5) / 2.5);
  assert.ok(use(alike(2, 10, 30)) < use(alike(2, 10)));
  assert.ok(use(alike(2, 10, 300)) < 0.002);
});

test('past and present of one developer count as one developer', () => {
  const older = new Map([['d', 3]]);
  const recent = new Map([
    ['d', 1],
    ['e', 1],
  ]);
  near(effectiveUse(older, recent), 1 / 3 + 1 / 3);
  near(effectiveUse(older, new Map([...recent, ['f', 9]])), 4 / 6 + 1 / 3 + 9 / 11);
});

test('popularity stays within 0..1 and grows with use', () => {
  let last = -1;
  for (const effective of [0, 1, 20, 1_000, 1e9]) {
    const value = popularityOf(0.8, effective);
    assert.ok(value > last && value >= 0 && value <= 1);
    last = value;
  }
});

test('the prior: log-scaled signals, never above what use can reach, and a neutral one for newcomers', () => {
  assert.equal(priorOf(undefined), null);
  assert.equal(priorOf({}), null);
  assert.equal(priorOf({ use_count: -1, stars: 'many', rank_by_usage: 1 }), null);
  near(priorOf({ use_count: 0 }), 0.1);
  near(priorOf({ use_count: 1_000 }), 0.48);
  near(priorOf({ stars: 100, use_count: 1_000 }), 0.48);
  near(priorOf({ downloads: 10_000_000 }), 0.8);
  near(priorOf({ downloads: 1e15 }), 0.8);
  near(priorOf(0.7), 0.7);
  near(priorOf(1_000), 0.48);
  assert.equal(priorOf(Number.NaN), null);
});
