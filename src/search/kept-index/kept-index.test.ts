import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { temporaryFolder } from '../../../test/support/app.ts';
import { fullRunOnly, runsOf } from '../../../test/support/full-run.ts';
import { systemClock } from '../../base/clock.ts';
import type { CatalogServer } from '../../catalog/catalog.ts';
import { createIndexBuilder } from '../index/index-builder.ts';
import { createSearch, defaultSearchConfig, loadBuiltInEmbedder, type Search } from '../search.ts';
import type { KeptIndexOptions } from './kept-index.ts';
import { readValueFile, writeValueFile } from './value-file.ts';

const builtIn = loadBuiltInEmbedder();
const subjects = ['weather', 'e-mail', 'calendar', 'database', 'music', 'payments', 'maps', 'news'];
const queries = [
  'send an e-mail',
  'forecast for tomorrow',
  'pay an invoice',
  'where is the nearest café',
  'wheather and paymments',
];

function server(n: number, description = `Looks after ${subjects[n % subjects.length]} ${n}`): CatalogServer {
  return {
    id: `server-${String(n).padStart(3, '0')}`,
    name: `Server ${n}`,
    description,
    remoteUrl: 'https://nobody.example/mcp',
    transport: 'streamable-http',
    authType: n % 3 === 0 ? 'oauth2' : null,
    category: subjects[n % subjects.length] ?? null,
    tags: ['a', `tag ${n}`],
    verified: n % 2 === 0,
    popularity: n / 100,
    tools: [
      { name: `run_${n}`, description: `Runs ${n} of ${subjects[n % 5]}`, inputSchema: '{"type":"object"}' },
    ],
  };
}

let now = 1_800_000_000_000;
/** Servers with the revision of their last change; what is gone stays as a tombstone. */
class Catalogue {
  readonly rows = new Map<string, { revision: number; changedAt: number; server: CatalogServer | null }>();
  readonly readFrom: number[] = [];
  #revision = 0;

  static of(count: number): Catalogue {
    const catalogue = new Catalogue();
    for (let n = 0; n < count; n++) catalogue.put(server(n));
    return catalogue;
  }

  put(one: CatalogServer): void {
    this.rows.set(one.id, { revision: ++this.#revision, changedAt: ++now, server: one });
  }

  remove(id: string): void {
    this.rows.set(id, { revision: ++this.#revision, changedAt: ++now, server: null });
  }

  /** The store fails behind the first batch. */
  breaksOff = false;

  async *changesSince(after: number) {
    this.readFrom.push(after);
    const changes = [...this.rows].map(([id, row]) => ({ id, ...row }));
    const fresh = changes.filter(({ revision }) => revision > after).sort((a, b) => a.revision - b.revision);
    if (fresh.length > 0) yield fresh;
    if (this.breaksOff && fresh.length > 0) throw new Error('disk');
  }

  revisions = async () =>
    new Map([...this.rows].map(([id, row]) => [id, { ...row, gone: row.server === null }]));
}

async function start(
  t: TestContext,
  folder: string,
  catalogue: Catalogue,
  {
    embedder = builtIn,
    builder,
    shared = null,
  }: { embedder?: typeof builtIn } & Pick<KeptIndexOptions, 'builder' | 'shared'> = {},
) {
  const faults: string[] = [];
  catalogue.readFrom.length = 0;
  const search = createSearch({
    changesSince: (after) => catalogue.changesSince(after),
    embedder,
    kept: {
      folder,
      revisions: catalogue.revisions,
      shared,
      onFault: (fault) => faults.push(fault),
      ...(builder !== undefined && { builder }),
    },
    clock: systemClock,
    newQueryLogId: () => 'ql',
    recordQuery: () => undefined,
    config: defaultSearchConfig,
    onError: (error) => assert.fail(String(error)),
  });
  t.after(() => search.close());
  await search.start();
  return { search, faults };
}

const caller = { keyId: 'key_1', developerId: 'dev_1' };
async function answersOf(search: Search) {
  const options = { limit: 20, toolLimit: 5, filters: {}, explain: true, minScore: 0 };
  const found = await Promise.all(queries.map((query) => search.find({ caller, query, ...options })));
  return found.map(({ page }) => [
    page.serverIds,
    page.total,
    page.correctedQuery,
    JSON.stringify(page.hits),
  ]);
}

/** A folder with the index of a catalogue of sixty servers, and what it answers. */
async function keep(t: TestContext) {
  const folder = temporaryFolder(t);
  const catalogue = Catalogue.of(60);
  const { search, faults } = await start(t, folder, catalogue);
  const answers = await answersOf(search);
  await search.close();
  assert.deepEqual(faults, []);
  return { folder, catalogue, answers, path: join(folder, 'search-index.bin') };
}

test('an index that was kept answers as the one that was built, and is not built again', async (t) => {
  const { folder, catalogue, answers, path } = await keep(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { search, faults } = await start(t, folder, catalogue);
  assert.deepEqual(await answersOf(search), answers);
  await search.settled();
  assert.deepEqual([faults, new Set(catalogue.readFrom)], [[], new Set([60])]);
});

test('what changed while nobody was there is in the next build, and the kept index answers until then', async (t) => {
  const { folder, catalogue, answers } = await keep(t);
  catalogue.put(server(3, 'Tells the tides of the harbour'));
  catalogue.put(server(60, 'Tells the tides of the sea'));
  catalogue.remove('server-004');
  const { search, faults } = await start(t, folder, catalogue);
  assert.deepEqual(await answersOf(search), answers);
  // Nobody asks for it.
  while (search.stats().revision !== 63) await delay(5);
  const fresh = await start(t, temporaryFolder(t), catalogue);
  assert.deepEqual(await answersOf(search), await answersOf(fresh.search));
  assert.deepEqual([search.stats().servers, faults], [60, []]);
  await search.close();
  const again = await start(t, folder, catalogue);
  await again.search.settled();
  // Kept is the snapshot; what lies beside it is read again, and nothing else.
  assert.deepEqual(new Set(catalogue.readFrom), new Set([60, 63]));
  assert.deepEqual(await answersOf(again.search), await answersOf(fresh.search));
});

test('a kept index that is cut off or damaged anywhere, or of another model or catalogue, is built anew', {
  skip: fullRunOnly,
}, async (t) => {
  const { folder, catalogue, answers, path } = await keep(t);
  const whole = readFileSync(path);
  const expect = async (faultIs: RegExp, of = catalogue, embedder = builtIn) => {
    const { search, faults } = await start(t, folder, of, { embedder });
    if (of === catalogue) assert.deepEqual(await answersOf(search), answers);
    assert.match(faults.join(), faultIs);
    assert.equal(of.readFrom[0], 0);
    await search.close();
  };
  for (const share of [0, 0.001, 0.999]) {
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
    await expect(/^unreadable$/);
  }
  for (const share of [0, 0.5]) {
    const damaged = Buffer.from(whole);
    const at = 20 + Math.floor((whole.length - 21) * share);
    damaged[at] = damaged[at]! ^ 0x10;
    writeFileSync(path, damaged);
    // In its head it may look like another version's.
    await expect(/^(unreadable|outdated)$/);
  }
  writeFileSync(path, whole);
  await expect(/^outdated$/, catalogue, { ...builtIn, id: 'another' });
  // The store was put back to an earlier day and has come as far again: the same numbers, other servers.
  const other = Catalogue.of(58);
  other.put(server(70));
  other.put(server(71));
  writeFileSync(path, whole);
  await expect(/^outdated$/, other);
});

test('what another replica put there is used where it is whole, and a start is right whatever it is', async (t) => {
  const { catalogue, answers, path } = await keep(t);
  const whole = readFileSync(path);
  const damaged = Buffer.from(whole);
  damaged[damaged.length - 9] = damaged.at(-9)! ^ 1;
  const startWith = async (retrieve: (to: string) => boolean) => {
    const shared = {
      publish: async () => undefined,
      retrieve: async (_name: string, _version: string, to: string) => retrieve(to),
    };
    const { search, faults } = await start(t, temporaryFolder(t), catalogue, { shared });
    assert.deepEqual(await answersOf(search), answers);
    return [faults, catalogue.readFrom[0] === 0 ? 'built' : 'taken'];
  };
  const put = (bytes: Buffer) => (to: string) => {
    writeFileSync(to, bytes);
    return true;
  };
  assert.deepEqual(await startWith(put(whole)), [[], 'taken']);
  assert.deepEqual(await startWith(() => false), [[], 'built']);
  assert.deepEqual(await startWith(put(damaged)), [['unreadable'], 'built']);
  assert.deepEqual(await startWith(put(whole.subarray(0, 5_000))), [['unreadable'], 'built']);
  const down = () => {
    throw new Error('the database is gone');
  };
  assert.deepEqual(await startWith(down), [['not_shared'], 'built']);
});

/** So much longer than the others that all words weigh something else. */
function longServer(n: number): CatalogServer {
  return server(n, `Tells the tides of harbour ${n}. ${'Tides come and go. '.repeat(40 * n)}`);
}

/** As with the largest catalogues. */
const large = { beyondDocuments: 100, idleMs: 60_000 };

test('a builder that was let go goes on where it was: what did not change is not read again', {
  skip: fullRunOnly,
}, async (t) => {
  const folder = temporaryFolder(t);
  const catalogue = Catalogue.of(60);
  const first = await start(t, folder, catalogue, { builder: { ...large, idleMs: 20 } });
  // It goes by itself.
  while (!existsSync(join(folder, 'search-analyses.bin'))) await delay(5);
  const change = async (search: Search, n: number) => {
    catalogue.readFrom.length = 0;
    catalogue.put(longServer(n));
    await search.settled();
    assert.equal(Math.min(...catalogue.readFrom), 60 + n - 3, 'not from the beginning');
  };
  await change(first.search, 3);
  await first.search.close();
  const second = await start(t, folder, catalogue, { builder: large });
  await change(second.search, 4);
  const fresh = await start(t, temporaryFolder(t), catalogue);
  assert.deepEqual(await answersOf(second.search), await answersOf(fresh.search));
  await second.search.close();
  writeFileSync(join(folder, 'search-analyses.bin'), 'damaged');
  const third = await start(t, folder, catalogue, { builder: large });
  catalogue.put(longServer(8));
  await third.search.settled();
  assert.deepEqual([third.faults, catalogue.readFrom.includes(0)], [['unreadable'], true]);
  const anew = await start(t, temporaryFolder(t), catalogue);
  assert.deepEqual(await answersOf(third.search), await answersOf(anew.search));
});

test('what a builder left of a catalogue that is another one now is not taken back', {
  skip: fullRunOnly,
}, async (t) => {
  const folder = temporaryFolder(t);
  const first = await start(t, folder, Catalogue.of(60), { builder: large });
  await first.search.close();
  // The store was put back to an earlier day: as many revisions, the same words, and other facts.
  const catalogue = new Catalogue();
  for (let n = 0; n < 60; n++) catalogue.put({ ...server(n), popularity: (60 - n) / 100 });
  // One whose builder left nothing.
  const second = await start(t, folder, catalogue);
  await second.search.close();
  const third = await start(t, folder, catalogue, { builder: large });
  catalogue.put(longServer(59));
  await third.search.settled();
  const fresh = await start(t, temporaryFolder(t), catalogue);
  assert.deepEqual(await answersOf(third.search), await answersOf(fresh.search));
});

test('what a builder had read when the store failed is not left for the next one', {
  skip: fullRunOnly,
}, async (t) => {
  const folder = temporaryFolder(t);
  const catalogue = Catalogue.of(60);
  const first = await start(t, folder, catalogue, { builder: large });
  // More than a patch takes.
  for (let n = 3; n < 260; n++) catalogue.put({ ...server(n), tools: [] });
  catalogue.breaksOff = true;
  await assert.rejects(first.search.settled(), /disk/);
  await first.search.close();
  catalogue.breaksOff = false;
  const second = await start(t, folder, catalogue, { builder: large });
  await second.search.settled();
  const fresh = await start(t, temporaryFolder(t), catalogue);
  assert.deepEqual(await answersOf(second.search), await answersOf(fresh.search));
});

test('a builder that was taken back builds what the one before would have built, to the byte', async () => {
  const numbers = fc.array(fc.tuple(fc.nat(40), fc.nat(12)), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(numbers, numbers, async (before, after) => {
      let revision = 0;
      const changesOf = (list: readonly (readonly [number, number])[]) =>
        list.map(([n, of]) => {
          const one = server(n, `Looks after ${subjects[of % subjects.length]} and number ${of}`);
          return { id: one.id, revision: ++revision, server: of === 0 ? null : one };
        });
      const original = createIndexBuilder(builtIn);
      await original.apply(changesOf(before));
      const snapshot = original.build(revision);
      const terms = [...original.lexicon.keys()];
      const taken = createIndexBuilder(builtIn, {
        snapshot,
        terms,
        analyses: structuredClone(original.keep()),
      });
      const changes = changesOf(after);
      for (const builder of [original, taken]) await builder.apply(changes);
      const { vectors, ...built } = original.build(revision);
      const { vectors: same, ...again } = taken.build(revision);
      assert.deepEqual(again, built);
      assert.deepEqual(new Uint8Array(same.memory.buffer), new Uint8Array(vectors.memory.buffer));
    }),
    { numRuns: runsOf(40) },
  );
});

test('what a killed process was writing is removed, and the index before it is used', async (t) => {
  const { folder, catalogue, answers } = await keep(t);
  writeFileSync(join(folder, 'search-index.bin.123.tmp'), 'half');
  const { search, faults } = await start(t, folder, catalogue);
  assert.deepEqual([await answersOf(search), faults], [answers, []]);
  assert.deepEqual(readdirSync(folder), ['search-index.bin']);
});

test('a folder that cannot be had costs the file and nothing else', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  const { search, faults } = await start(t, join(file, 'folder'), Catalogue.of(60));
  assert.equal((await answersOf(search)).length, queries.length);
  await search.close();
  assert.deepEqual(faults, ['unreadable', 'unwritten']);
  const later = await start(t, join(temporaryFolder(t), 'missing yet'), Catalogue.of(60));
  await later.search.close();
  assert.deepEqual(later.faults, []);
});

test('a value comes back as it was written; memory is set aside for no more than the file has', async (t) => {
  const path = join(temporaryFolder(t), 'value');
  const value = {
    revision: 7,
    none: null,
    names: ['one', 'ä', ''],
    long: 'ü'.repeat(2_000),
    nested: { numbers: Float64Array.from([1.5, -0, Number.MAX_SAFE_INTEGER]), bytes: new Uint8Array(0) },
  };
  await writeValueFile(path, value);
  assert.deepEqual(
    readValueFile(path, () => true),
    value,
  );
  assert.equal(
    readValueFile(path, ({ revision }) => revision === 8),
    null,
  );
  const text = readFileSync(path, 'latin1').replace('"bytes":4000', '"bytes":9e15');
  writeFileSync(path, text, 'latin1');
  assert.throws(() => readValueFile(path, () => true), /cut off/);
  assert.ok(existsSync(path));
});
