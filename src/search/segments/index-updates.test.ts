import assert from 'node:assert/strict';
import { test } from 'node:test';
import { searchedServer } from '../../../test/support/search-room.ts';
import type { CatalogChange } from '../../catalog/catalog.ts';
import type { BuiltIndex } from '../index/builder-client.ts';
import { createIndexBuilder } from '../index/index-builder.ts';
import { loadBuiltInEmbedder } from '../search.ts';
import { createIndexUpdates } from './index-updates.ts';

const builtIn = loadBuiltInEmbedder();
const servers = 60;

/** A catalogue of sixty servers with a tool each, a builder that waits to be let go on, and what it told. */
function setUp() {
  const rows = new Map<string, CatalogChange>();
  let revision = 0;
  const put = (id: string, text = 'tides', inputSchema = '{}') => {
    const tools = [{ name: `run_${id}`, description: `Runs ${text}`, inputSchema }];
    rows.set(id, { id, revision: ++revision, server: searchedServer(id, `Tells ${text}`, { tools }) });
  };
  for (let n = 0; n < servers; n++) put(`s${n}`);
  const state = {
    reads: [] as number[],
    embeds: true,
    readable: true,
    readsLate: false,
    merged: [] as unknown[],
  };
  async function* changesSince(after: number) {
    state.reads.push(after);
    if (!state.readable) throw new Error('store away');
    const fresh = [...rows.values()].filter((row) => row.revision > after);
    if (fresh.length > 0) yield fresh.sort((a, b) => a.revision - b.revision);
  }
  const builds: PromiseWithResolvers<void>[] = [];
  const build = async (): Promise<BuiltIndex> => {
    const waiting = Promise.withResolvers<void>();
    builds.push(waiting);
    const begun = [revision, [...rows.values()]] as const;
    await waiting.promise;
    const [to, all] = state.readsLate ? ([revision, [...rows.values()]] as const) : begun;
    const builder = createIndexBuilder(builtIn);
    await builder.apply(all);
    return { snapshot: builder.build(to), lexicon: builder.lexicon };
  };
  const updates = createIndexUpdates({
    changesSince,
    embedder: {
      ...builtIn,
      embed(texts, kind) {
        if (!state.embeds) throw new Error('no vectors');
        return builtIn.embed(texts, kind);
      },
    },
    builder: { build, close: async () => undefined },
    onMerged: (error) => state.merged.push(error),
  });
  const next = async () => {
    const update = await updates.next();
    const { index, whole } = update ?? assert.fail('nothing was new');
    return { ids: new Set(index.ids), revision: index.revision, isWhole: whole !== null, index };
  };
  const first = async () => {
    const found = next();
    await new Promise(setImmediate);
    builds[0]?.resolve();
    assert.equal((await found).isWhole, true);
  };
  return {
    put,
    remove: (id: string) => rows.set(id, { id, revision: ++revision, server: null }),
    state,
    builds,
    updates,
    next,
    first,
  };
}

test('a change is read beside the snapshot, once; nothing is built, and nothing new is no update', async () => {
  const { put, remove, state, builds, updates, next, first } = setUp();
  await first();
  assert.equal(await updates.next(), null);
  put('new');
  remove('s3');
  const { ids, isWhole, revision } = await next();
  assert.deepEqual([ids.has('new'), ids.has('s3'), ids.size, isWhole], [true, false, servers, false]);
  put('newer');
  assert.equal((await next()).ids.size, servers + 1);
  assert.deepEqual([state.reads.at(-1), builds.length], [revision, 1]);
});

test('what takes long to be read is not read in the serving thread, however few servers it is', async () => {
  const { put, builds, next, first } = setUp();
  await first();
  const schema = (letters: number) => JSON.stringify({ enum: ['x'.repeat(letters)] });
  put('s5', 'tides', schema(90_000));
  assert.equal((await next()).isWhole, false);
  put('s6', 'tides', schema(110_000));
  const found = next();
  while (builds.length < 2) await new Promise(setImmediate);
  builds[1]?.resolve();
  assert.equal((await found).isWhole, true);
});

test('what has become much is merged behind, while changes go on being found', async () => {
  const { put, state, builds, next, first } = setUp();
  await first();
  for (let n = 0; n < 5; n++) put(`s${n}`, 'waves');
  assert.equal((await next()).isWhole, false);
  assert.equal(builds.length, 2, 'it is being merged');
  put('meanwhile');
  const found = await next();
  assert.deepEqual([found.ids.has('meanwhile'), found.isWhole, builds.length], [true, false, 2]);
  builds[1]?.resolve();
  while (state.merged.length === 0) await new Promise(setImmediate);
  assert.deepEqual(state.merged, [null]);
  const merged = await next();
  // The snapshot was begun before that one came: it lies beside it.
  assert.deepEqual(
    [merged.ids.has('meanwhile'), merged.isWhole, merged.index.segments.length],
    [true, true, 2],
  );
  assert.equal(merged.index.segments[1]?.snapshot.serverCount, 1);
});

test('a merge that fails is told, and tried again with the next change', async () => {
  const { put, state, builds, next, first } = setUp();
  await first();
  for (let n = 0; n < 5; n++) put(`s${n}`, 'waves');
  await next();
  builds[1]?.reject(new Error('disk'));
  while (state.merged.length === 0) await new Promise(setImmediate);
  assert.match(String(state.merged[0]), /disk/);
  put('later');
  assert.ok((await next()).ids.has('later'));
  assert.equal(builds.length, 3);
});

test('what failed halfway is read again from the snapshot on', async () => {
  const { put, state, updates, next, first } = setUp();
  await first();
  put('new');
  await next();
  put('newer');
  state.embeds = false;
  await assert.rejects(updates.next(), /no vectors/);
  state.embeds = true;
  const { ids, isWhole } = await next();
  assert.deepEqual([ids.has('new'), ids.has('newer'), isWhole], [true, true, false]);
});

test('a merged snapshot behind which the store failed is used when that is back: it may know what nothing else told', async () => {
  const { put, state, builds, updates, next, first } = setUp();
  await first();
  for (let n = 0; n < 5; n++) put(`s${n}`, 'waves');
  await next();
  put('unpatched');
  state.readsLate = true;
  builds[1]?.resolve();
  while (state.merged.length === 0) await new Promise(setImmediate);
  state.readable = false;
  await assert.rejects(updates.next(), /store away/);
  state.readable = true;
  const { ids, isWhole } = await next();
  assert.deepEqual([ids.has('unpatched'), isWhole], [true, true]);
  assert.equal(await updates.next(), null);
});
