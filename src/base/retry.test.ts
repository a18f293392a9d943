import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs, parseRetryAfter } from './retry.ts';

test('a pause doubles from the first to the longest, and jitter keeps within its share', () => {
  const plain = { firstMs: 100, maxMs: 1_000 };
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 10_000].map((failures) => backoffMs(plain, failures)),
    [100, 100, 200, 400, 800, 1_000, 1_000],
  );
  const jittered = { ...plain, jitter: 0.25 };
  assert.deepEqual(
    [0, 0.5, 1].map((random) => backoffMs(jittered, 2, random)),
    [150, 200, 250],
  );
});

test('Retry-After is read as seconds or as a date, and as nothing else', () => {
  const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT');
  for (const [value, expected] of [
    ['0', 0],
    [' 120 ', 120_000],
    ['Wed, 21 Oct 2015 07:28:30 GMT', 30_000],
    ['Wed, 21 Oct 2015 07:00:00 GMT', 0],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['12345678901', undefined],
    [undefined, undefined],
    [['1', '2'], undefined],
  ] as const)
    assert.equal(parseRetryAfter(value, now), expected, String(value));
});
