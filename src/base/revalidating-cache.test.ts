import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RevalidatingCache } from './revalidating-cache.ts';

type Row = { readonly id: string; readonly owner: string };

function newCache(max = 10) {
  let at = 1;
  const cache = new RevalidatingCache<Row>({
    max,
    maxAgeMs: 1_000,
    now: () => at,
    tagsOf: ({ owner }) => [owner],
  });
  return { cache, advance: (ms: number) => (at += ms) };
}

test('what was read is kept until its time is over, and then only as stale', async () => {
  const { cache, advance } = newCache();
  const row = { id: 'a', owner: 'o' };
  assert.equal(await cache.load('a', async () => row), row);
  advance(999);
  assert.equal(cache.get('a'), row);
  advance(1);
  assert.equal(cache.get('a'), undefined);
  assert.equal(cache.getStale('a'), row);
});

test('a value whose reading began before an invalidation is answered and not kept', async () => {
  const { cache } = newCache();
  const reading = Promise.withResolvers<Row>();
  const early = cache.load('a', () => reading.promise);
  cache.invalidate('of something else');
  const late = cache.load('a', async () => ({ id: 'a', owner: 'new' }));
  reading.resolve({ id: 'a', owner: 'old' });
  assert.equal((await early).owner, 'old');
  assert.equal((await late).owner, 'new');
  assert.equal(cache.get('a')?.owner, 'new');
});

test('calls that miss together share one reading, and a failure is kept from nobody who comes later', async () => {
  const { cache } = newCache();
  let reads = 0;
  const failing = () => cache.load('a', async () => Promise.reject(new Error(`read ${++reads}`)));
  const settled = await Promise.allSettled([failing(), failing()]);
  assert.deepEqual(
    settled.map((each) => each.status),
    ['rejected', 'rejected'],
  );
  assert.equal(reads, 1);
  await assert.rejects(failing(), /read 2/);
});

test('an invalidation finds values by key and by tag, and by no tag that a replaced value had', async () => {
  const { cache } = newCache();
  const put = (id: string, owner: string) => cache.load(id, async () => ({ id, owner }));
  await Promise.all([put('a', 'x'), put('b', 'x'), put('c', 'y')]);
  cache.invalidate('c');
  cache.invalidate('x');
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => cache.get(id)),
    [undefined, undefined, undefined],
  );
  await put('a', 'x');
  await put('a', 'z');
  cache.invalidate('x');
  assert.equal(cache.get('a')?.owner, 'z');
});

test('when it is full the least recently used value goes, and not the others', async () => {
  const { cache } = newCache(3);
  for (const id of ['a', 'b', 'c']) await cache.load(id, async () => ({ id, owner: 'o' }));
  cache.get('a');
  await cache.load('d', async () => ({ id: 'd', owner: 'o' }));
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((id) => cache.get(id)?.id),
    ['a', undefined, 'c', 'd'],
  );
});
