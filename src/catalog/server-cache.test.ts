import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import type { CatalogStore } from './catalog-store.ts';
import { createServerCache } from './server-cache.ts';

/** A store of names in two pages, each of which waits to be let go on. */
function setUp() {
  const pages = [2_000, 1].map((size, page) =>
    Array.from({ length: size }, (_, i) => ({
      id: `s${page}-${i}`,
      revision: page * 2_000 + i + 1,
      gone: false,
      tools: [],
    })),
  );
  const asked: PromiseWithResolvers<void>[] = [];
  const store = {
    async namesAfter(after: number) {
      const waiting = Promise.withResolvers<void>();
      asked.push(waiting);
      await waiting.promise;
      return pages.find((page) => (page.at(-1)?.revision ?? 0) > after) ?? [];
    },
  };
  return { cache: createServerCache(store as unknown as CatalogStore, systemClock), asked };
}

const turn = () => new Promise(setImmediate);

test('a list of all servers is a whole one: also while they are first read, and after that failed', async () => {
  const { cache, asked } = setUp();
  const failed = cache.activeIds();
  asked[0]?.reject(new Error('store away'));
  await assert.rejects(failed, /store away/);
  const first = cache.activeIds();
  await turn();
  asked[1]?.resolve();
  await turn();
  const second = cache.activeIds();
  for (let i = 2; i < 6; i++) {
    asked[i]?.resolve();
    await turn();
  }
  assert.deepEqual([(await first).length, (await second).length], [2_001, 2_001]);
});
