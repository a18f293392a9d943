import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUuids, newLogId } from './id.ts';

test('ids of a log sort as they were made, by time and within one millisecond, and none comes twice', () => {
  const ids = [1, 1, 2, 255, 256, 2 ** 40].flatMap((ms) =>
    Array.from({ length: 300 }, () => newLogId('inv', ms)),
  );
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^inv_[0-9a-f]{48}$/);
});

test('UUIDs of version 7 say their time, sort as they were made, and none comes twice, also when the clock stands or steps back', () => {
  const newUuid = createUuids();
  const ids = [2 ** 40, 2 ** 40, 2 ** 40 + 1, 2 ** 40 - 5, 2 ** 41].flatMap((ms) =>
    Array.from({ length: 5_000 }, () => newUuid(ms)),
  );
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const [first = ''] = ids;
  assert.equal(Number.parseInt(first.replace('-', '').slice(0, 12), 16), 2 ** 40);
});
