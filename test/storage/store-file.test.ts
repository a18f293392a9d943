import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';
import { bootApp, newDataDir, type TestApp, temporaryFolder } from '../support/app.ts';
import { until } from '../support/programs.ts';

type Tables = { developers: { id: string; name: string; created_at: number } };

const server = { id: 'tides', name: 'Tides', description: 'Tide tables' };
const put = async (app: TestApp) => (await app.call('POST', '/v1/admin/servers', { body: server })).status;
const saidOf = (app: TestApp, event: string) => app.lines.filter((line) => line.includes(`"${event}"`));

const add = (storage: Storage, name: string) =>
  storage.write<Tables, unknown>((trx) =>
    trx
      .insertInto('developers')
      .values({ id: `dev_${name}`, name, created_at: 1 })
      .execute(),
  );
const names = async (storage: Storage) =>
  (await storage.tables<Tables>().selectFrom('developers').select('name').orderBy('name').execute()).map(
    ({ name }) => name,
  );

const losses: Readonly<Record<string, (file: string) => void>> = {
  'deleted, log and all': (file) => {
    for (const part of ['', '-wal', '-shm']) rmSync(file + part);
  },
  deleted: (file) => rmSync(file),
  'replaced by a copy': (file) => {
    copyFileSync(file, `${file}.copy`);
    renameSync(`${file}.copy`, file);
  },
  'left without its log': (file) => rmSync(`${file}-wal`),
  'left without the index of its log': (file) => rmSync(`${file}-shm`),
};

for (const [what, lose] of Object.entries(losses))
  test(`a store whose file was ${what} takes no write that would be lost, is not ready and says so once; what is read goes on`, async (t) => {
    const app = await bootApp(t);
    assert.equal(await put(app), 200);
    lose(join(app.dataDir, 'mcprank.db'));
    assert.equal(await put(app), 503, 'the very next write');
    const key = { developer: 'd', name: 'n', tier: 'pro' };
    assert.equal((await app.call('POST', '/v1/admin/keys', { body: key })).status, 503);
    assert.equal((await app.call('GET', '/v1/servers/tides')).status, 200);
    assert.equal((await app.call('GET', '/healthz', { key: null })).status, 200);
    assert.equal((await app.call('GET', '/readyz', { key: null })).status, 503);
    const listed = await app.call('GET', '/v1/servers?text=tide');
    assert.equal(listed.status, 503, 'nothing is read of what stands there now');
    const [line = '{}', ...more] = saidOf(app, 'storage.file.lost');
    assert.deepEqual(more, []);
    assert.match(
      line,
      /"level":"error".*mcprank\.db","state":"(deleted|replaced)","advice":"writes are refused/,
    );
  });

test('the loss is noticed without a request, and a file that is put back is written to again', async (t) => {
  const dataDir = await newDataDir(t);
  const states: string[] = [];
  const observers = { fileChanged: (state: string) => void states.push(state) };
  const storage = await openStorage({ dataDir, databaseUrl: null }, systemClock, observers);
  t.after(() => storage.close());
  const file = join(dataDir, 'mcprank.db');
  renameSync(file, `${file}.away`);
  await until('that it is gone', () => states.length === 1);
  renameSync(`${file}.away`, file);
  await add(storage, 'kept');
  await storage.ping();
  assert.deepEqual(states, ['deleted', 'whole']);
});

test('a transaction in whose course the file goes is not told as written', async (t) => {
  const folder = await newDataDir(t);
  const storage = await openStorage({ dataDir: folder, databaseUrl: null }, systemClock);
  t.after(() => storage.close());
  const losing = storage.write<Tables, unknown>(async (trx) => {
    await trx.insertInto('developers').values({ id: 'd', name: 'd', created_at: 1 }).execute();
    rmSync(join(folder, 'mcprank.db'));
  });
  await assert.rejects(losing, { kind: 'unavailable', message: /was deleted while it was in use/ });
});

test('who reads does not wait for a write that waits for another process', async (t) => {
  const folder = await newDataDir(t);
  const storage = await openStorage({ dataDir: folder, databaseUrl: null }, systemClock);
  t.after(() => storage.close());
  const other = new DatabaseSync(join(folder, 'mcprank.db'));
  t.after(() => other.close());
  other.exec('begin immediate');
  let written = false;
  const writes = ['one', 'two'].map((name) => add(storage, name).then(() => (written = true)));
  assert.deepEqual(await names(storage), []);
  await storage.ping();
  assert.equal(written, false);
  other.exec('commit');
  await Promise.all(writes);
  assert.deepEqual(await names(storage), ['one', 'two'], 'a write that returned is there for who reads next');
});

test('after a stop the file alone is the store, even when another process has it open', async (t) => {
  const folder = await newDataDir(t);
  const storage = await openStorage({ dataDir: folder, databaseUrl: null }, systemClock);
  const other = new DatabaseSync(join(folder, 'mcprank.db'));
  t.after(() => other.close());
  other.exec('select count(*) from developers');
  await add(storage, 'kept');
  await storage.close();
  const elsewhere = temporaryFolder(t);
  copyFileSync(join(folder, 'mcprank.db'), join(elsewhere, 'mcprank.db'));
  const copy = await openStorage({ dataDir: elsewhere, databaseUrl: null }, systemClock);
  assert.deepEqual(await names(copy), ['kept']);
  await copy.close();
  assert.deepEqual(readdirSync(elsewhere), ['mcprank.db']);
});

test('a question over many rows is answered beside everything else, and reads what was written before it', async (t) => {
  const folder = await newDataDir(t);
  const storage = await openStorage({ dataDir: folder, databaseUrl: null }, systemClock);
  t.after(() => storage.close());
  await add(storage, 'kept');
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  t.after(() => clearInterval(counting));
  const rows = await storage.reports<Tables>().selectFrom('developers').select('name').execute();
  assert.deepEqual(
    rows.map(({ name }) => name),
    ['kept'],
  );
  assert.ok(turns > 0, 'the event loop turned meanwhile');
  await assert.rejects(
    storage
      .reports<Tables>()
      .insertInto('developers')
      .values({ id: 'x', name: 'x', created_at: 1 })
      .execute(),
    { kind: 'unavailable', message: /read-only/ },
  );
  const missing = storage.reports<{ nothing: { id: string } }>().selectFrom('nothing').selectAll().execute();
  await assert.rejects(missing, /no such table/);
});
