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

test('the stated examples: one call, a full day, a habit, a hundred developers', () => {
  near(use([{ developer_id: 'd', day: today, calls: 1 }]), 0.126);
  near(use([{ developer_id: 'd', day: today, calls: 10 }]), 0.333);
  const habit = Array.from({ length: 300 }, (_, age) => ({
    developer_id: 'd',
    day: today - age,
    calls: 1_000_000,
  }));
  near(use(habit), 0.956);
  near(popularityOf(0.1, use(habit)), 0.141);
  const crowd = Array.from({ length: 100 }, (_, i) => ({ developer_id: `d${i}`, day: today, calls: 10 }));
  near(popularityOf(0.1, use(crowd)), 0.662);
});

test('one developer can move a server by no more than one developer may, however often it calls', () => {
  const most = popularityOf(0.1, 1) - 0.1;
  for (const calls of [10, 1_000, 1_000_000_000]) {
    const moved = popularityOf(0.1, use([{ developer_id: 'd', day: today, calls }])) - 0.1;
    near(moved, popularityOf(0.1, 1 / 3) - 0.1);
    assert.ok(moved < most);
  }
  assert.ok(most < 0.043);
});

test('use fades: after a month a day is worth half, after ten nothing to speak of', () => {
  const fresh = use([{ developer_id: 'd', day: today, calls: 10 }]);
  const month = use([{ developer_id: 'd', day: today - 30, calls: 10 }]);
  near(month, 0.5 / 2.5);
  assert.ok(month < fresh);
  assert.ok(use([{ developer_id: 'd', day: today - 300, calls: 10 }]) < 0.001);
});

test('past and present of one developer count as one developer', () => {
  const older = new Map([['d', 3]]);
  const recent = new Map([
    ['d', 1],
    ['e', 1],
  ]);
  near(effectiveUse(older, recent), 4 / 6 + 1 / 3);
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
