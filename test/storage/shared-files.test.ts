import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { createSharedFiles, type SharedFileTables } from '../../src/storage/coordination/shared-files.ts';
import { createSharedNow } from '../../src/storage/coordination/shared-now.ts';
import { temporaryFolder } from '../support/app.ts';
import { type Engine, engines, openTestStore } from '../support/stores.ts';

const [embedded] = engines as readonly [Engine, Engine];

async function open(t: TestContext, engine = embedded) {
  const storage = await openTestStore(t, engine);
  const db = storage.tables<SharedFileTables>();
  let now = 1_800_000_000_000;
  const clock = { ...systemClock, now: () => now };
  const folder = temporaryFolder(t);
  const made = (bytes: Buffer) => {
    writeFileSync(join(folder, 'made'), bytes);
    return join(folder, 'made');
  };
  const wait = (ms: number) => {
    now += ms;
  };
  const files = createSharedFiles(db, createSharedNow(storage.dialect, clock));
  return { db, files, folder, made, wait };
}

/** More than one part, and not a whole number of them. */
const contents = randomBytes(2_500_000);

test('a file that one process put there is fetched whole, by its name and version', async (t) => {
  const { files, folder, made } = await open(t);
  const target = join(folder, 'fetched');
  assert.equal(await files.retrieve('index', '1', target), false);
  await files.publish('index', '1', made(contents));
  assert.equal(await files.retrieve('index', '2', target), false);
  assert.equal(await files.retrieve('other', '1', target), false);
  assert.deepEqual(readdirSync(folder), ['made']);
  assert.equal(await files.retrieve('index', '1', target), true);
  assert.ok(readFileSync(target).equals(contents));
});

test('it is put there again after an hour, or of another version at once; what was there before is gone', async (t) => {
  const { db, files, folder, made, wait } = await open(t);
  const target = join(folder, 'fetched');
  const fetched = async (version: string) => {
    assert.equal(await files.retrieve('index', version, target), true);
    return readFileSync(target, 'utf8');
  };
  await files.publish('index', '1', made(contents));
  await files.publish('index', '1', made(Buffer.from('newer')));
  assert.notEqual(await fetched('1'), 'newer');
  wait(3_600_001);
  await files.publish('index', '1', made(Buffer.from('newer')));
  assert.equal(await fetched('1'), 'newer');
  await files.publish('index', '2', made(Buffer.from('of another release')));
  assert.equal(await fetched('2'), 'of another release');
  assert.equal((await db.selectFrom('shared_file_parts').select('part').execute()).length, 1);
});

test('a file of which a part is missing is not there, and nothing of it is left', async (t) => {
  const { db, files, folder, made } = await open(t);
  await files.publish('index', '1', made(contents));
  await db.deleteFrom('shared_file_parts').where('part', '=', 1).execute();
  assert.equal(await files.retrieve('index', '1', join(folder, 'fetched')), false);
  assert.deepEqual(readdirSync(folder), ['made']);
});

for (const engine of engines)
  test(`${engine.name}: of several processes that put theirs there at once one is there, whole, and nothing of the others`, {
    skip: engine.skip,
  }, async (t) => {
    const { db, files, folder, made } = await open(t, engine);
    const path = made(contents);
    await Promise.all([1, 2, 3].map(() => files.publish('index', '1', path)));
    assert.equal(await files.retrieve('index', '1', join(folder, 'fetched')), true);
    assert.ok(readFileSync(join(folder, 'fetched')).equals(contents));
    assert.equal((await db.selectFrom('shared_file_parts').select('part').execute()).length, 3);
  });
