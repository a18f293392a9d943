import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type Kysely, sql } from 'kysely';
import { systemClock } from '../../src/base/clock.ts';
import { checkpointRows } from '../../src/storage/embedded/sqlite-driver.ts';
import { deleteBelow, openStorage, type Storage } from '../../src/storage/storage.ts';
import { bootApp, newDataDir, temporaryFolder } from '../support/app.ts';
import { until } from '../support/programs.ts';

type Tables = { developers: { id: string; name: string; created_at: number } };

const server = { id: 'tides', name: 'Tides', description: 'Tide tables' };
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
  test(`a store whose file was ${what} takes no write that would be lost, and says so once`, async (t) => {
    const dataDir = await newDataDir(t);
    const states: string[] = [];
    const observers = { fileChanged: (state: string) => void states.push(state) };
    const storage = await openStorage({ dataDir, databaseUrl: null }, systemClock, observers);
    t.after(() => storage.close());
    await add(storage, 'kept');
    lose(join(dataDir, 'mcprank.db'));
    for (const act of [
      () => add(storage, 'lost'),
      () => storage.tables<Tables>().deleteFrom('developers').execute(),
      () => storage.writeBehind(async () => assert.fail('it is not begun')),
      () => storage.ping(),
      // Whoever opens the path finds something else.
      () => storage.reports<Tables>().selectFrom('developers').selectAll().execute(),
    ])
      await assert.rejects(act, {
        kind: 'unavailable',
        message: /^The file of the store was (deleted|replaced) /,
      });
    assert.deepEqual(await names(storage), ['kept'], 'what is open is read on');
    assert.equal(states.length, 1);
  });

test('a service whose store was replaced refuses writes, is not ready, says so in a line, goes on reading, and stops as ever', async (t) => {
  const app = await bootApp(t);
  const put = async () => (await app.call('POST', '/v1/admin/servers', { body: server })).status;
  assert.equal(await put(), 200);
  losses['replaced by a copy']?.(join(app.dataDir, 'mcprank.db'));
  assert.equal(await put(), 503, 'the very next write');
  assert.equal((await app.call('GET', '/v1/servers/tides')).status, 200);
  assert.equal((await app.call('GET', '/healthz', { key: null })).status, 200);
  assert.equal((await app.call('GET', '/readyz', { key: null })).status, 503);
  const [line = '{}', ...more] = app.lines.filter((each) => each.includes('"storage.file.lost"'));
  assert.deepEqual(more, []);
  assert.match(line, /"level":"error".*mcprank\.db","state":"replaced","advice":"writes are refused/);
  await app.close();
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

test('whoever asks many long questions has them answered one after the other, between those of others', async (t) => {
  const folder = await newDataDir(t);
  const storage = await openStorage({ dataDir: folder, databaseUrl: null }, systemClock);
  t.after(() => storage.close());
  const answered: string[] = [];
  const ask = async (asker: string) => {
    await storage.reports<Tables>(asker).selectFrom('developers').select('name').execute();
    answered.push(asker);
  };
  const many = Array.from({ length: 80 }, () => ask('many'));
  const one = ask('one');
  const refused = (await Promise.allSettled(many)).filter(({ status }) => status === 'rejected');
  await one;
  assert.ok(answered.indexOf('one') <= 2, `it was answered as number ${answered.indexOf('one')}`);
  assert.equal(refused.length, 80 - 65, 'one under way, and as many wait as may');
  await ask('many');
});

test('of a log the oldest rows go, however many are of one time, and no other', async (t) => {
  const folder = await newDataDir(t);
  const storage = await openStorage({ dataDir: folder, databaseUrl: null }, systemClock);
  t.after(() => storage.close());
  const other = new DatabaseSync(join(folder, 'mcprank.db'));
  const add = (from: number, count: number, at: string) =>
    other.exec(`with recursive n(i) as (select ${from} union all select i + 1 from n where i + 1 < ${from + count})
      insert into developers (id, name, created_at) select 'dev_' || i, i, ${at} from n`);
  add(0, 3_000, '5');
  add(3_000, 5_000, '100 + i');
  other.close();
  const old = { table: 'developers', column: 'created_at', from: -1, below: 3_100 + 4_500 };
  const where = sql<boolean>`id <> 'dev_7'`;
  assert.equal(await deleteBelow(storage.tables(), { ...old, where }), 3_000 + 4_500 - 1);
  const left = await names(storage);
  assert.deepEqual(left, ['7', ...Array.from({ length: 500 }, (_, i) => String(7_500 + i))].sort());
});

test('a loop over rows, inside a transaction or not, lets everything else have its turn', async (t) => {
  const folder = await newDataDir(t);
  const storage = await openStorage({ dataDir: folder, databaseUrl: null }, systemClock);
  t.after(() => storage.close());
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  t.after(() => clearInterval(counting));
  const readOn = async (db: Kysely<Tables>) => {
    const until = performance.now() + 100;
    while (performance.now() < until) await db.selectFrom('developers').selectAll().execute();
    const seen = turns;
    turns = 0;
    return seen;
  };
  assert.ok((await readOn(storage.tables())) > 0);
  assert.ok((await storage.write<Tables, number>(readOn)) > 0);
});

test('what is written a lot goes into the file itself, in the thread of reports, while the store is open', async (t) => {
  const dataDir = await newDataDir(t);
  const file = join(dataDir, 'mcprank.db');
  const storage = await openStorage({ dataDir, databaseUrl: null }, systemClock, {});
  t.after(() => storage.close());
  const many = sql`insert into developers (id, name, created_at)
    with recursive n(i) as (select 1 union all select i + 1 from n where i < ${checkpointRows})
    select 'dev_' || i, 'many ' || i, 1 from n`;
  await storage.writeBehind(async (trx) => void (await many.execute(trx)));
  await until('the rows are in the file', () => rowsInFileAlone(file, dataDir) === checkpointRows);
  // It answers questions as before, and changes nothing.
  const reports = storage.reports<Tables>();
  const { rows } = await sql<{ n: number }>`select count(*) as n from developers`.execute(reports);
  assert.equal(rows[0]?.n, checkpointRows);
  await assert.rejects(sql`delete from developers`.execute(reports));
});

/** Of a copy without the log beside it. */
function rowsInFileAlone(file: string, folder: string): number {
  const copy = join(folder, 'copy.db');
  copyFileSync(file, copy);
  const db = new DatabaseSync(copy, { readOnly: true });
  try {
    return Number(db.prepare('select count(*) as n from developers').get()?.n);
  } catch {
    return 0; // the schema itself is still in the log
  } finally {
    db.close();
  }
}
