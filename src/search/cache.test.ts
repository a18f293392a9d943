import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createByteCache } from './cache.ts';

test('the cache never holds more bytes than it may, and what it returns is what was put last', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    value: fc.nat(),
    bytes: fc.nat({ max: 130 }),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const cache = createByteCache<number>(100);
      const last = new Map<string, number>();
      for (const { key, value, bytes } of steps) {
        cache.set(key, value, bytes);
        last.set(key, value);
        assert.ok(cache.stats().bytes <= 100);
        const found = cache.get(key);
        assert.equal(found, bytes > 100 ? undefined : last.get(key));
      }
    }),
  );
});

test('the entry not asked for longest goes first', () => {
  const cache = createByteCache<string>(2);
  cache.set('a', 'a', 1);
  cache.set('b', 'b', 1);
  cache.get('a');
  cache.set('c', 'c', 1);
  assert.equal(cache.get('b'), undefined);
  assert.equal(cache.get('a'), 'a');
});
