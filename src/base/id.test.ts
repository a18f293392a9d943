import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newLogId } from './id.ts';

test('ids of a log sort as they were made, by time and within one millisecond, and none comes twice', () => {
  const ids = [1, 1, 2, 255, 256, 2 ** 40].flatMap((ms) =>
    Array.from({ length: 300 }, () => newLogId('inv', ms)),
  );
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^inv_[0-9a-f]{48}$/);
});
