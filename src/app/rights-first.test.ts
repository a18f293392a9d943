import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterTheirRights } from './rights-first.ts';

async function* changesOf(...batches: readonly (readonly number[])[]) {
  for (const revisions of batches)
    yield revisions.map((revision) => ({ revision, id: `s${revision}`, server: null }));
}

test('no change is handed on before the rights are as new: where they are, they are not read again', async () => {
  let rights = 2;
  let reads = 0;
  const start = async () => {
    await Promise.resolve();
    reads++;
    rights = 5;
  };
  const isCurrent = (revision: number) => revision <= rights;
  const seen: number[] = [];
  for await (const some of afterTheirRights(changesOf([1, 2], [3, 1], [4, 5]), { isCurrent, start }))
    for (const { revision } of some) {
      assert.ok(isCurrent(revision), `${revision} came before its rights`);
      seen.push(revision);
    }
  assert.deepEqual([seen, reads], [[1, 2, 3, 1, 4, 5], 1]);
});

test('while the rights cannot be read nothing new is searched, and it is an error', async () => {
  const start = () => Promise.reject(new Error('the store has gone'));
  const changes = afterTheirRights(changesOf([1]), { isCurrent: () => false, start });
  await assert.rejects(changes[Symbol.asyncIterator]().next(), /has gone/);
});
