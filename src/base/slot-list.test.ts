import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SlotList } from './slot-list.ts';

test('holds what was added and not deleted, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(20))), (steps) => {
      const items = Array.from({ length: 21 }, (_, name) => ({ slot: -1, name }));
      const list = new SlotList<(typeof items)[number]>();
      const expected = new Set<(typeof items)[number]>();
      for (const [isAdded, name] of steps) {
        const item = items[name];
        if (item === undefined) continue;
        if (!isAdded) assert.equal(list.delete(item), expected.delete(item));
        else if (!expected.has(item)) {
          list.add(item);
          expected.add(item);
        }
        assert.deepEqual(new Set(list.all()), expected);
        assert.equal(list.all().length, expected.size);
        assert.equal(list.find((each) => each === item) === item, expected.has(item));
      }
    }),
  );
});
