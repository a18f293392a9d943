import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { topK } from './top-k.ts';

/** Few distinct values, so that ties and zeros are common. */
const value = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 20 }).map((n) => n / 20),
  fc.float({ min: 0, max: 1, noNaN: true }),
);

test('the highest are those that sorting everything would put first, ties by number, zeros left out', () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 600, size: 'max' }),
      fc.integer({ min: 1, max: 60 }),
      (list, size) => {
        const values = Float32Array.from(list);
        const sorted = [...values.keys()]
          .filter((i) => values[i]! > 0)
          .sort((a, b) => values[b]! - values[a]! || a - b);
        assert.deepEqual(topK(values, size), sorted.slice(0, size));
      },
    ),
    { numRuns: 200 },
  );
});
