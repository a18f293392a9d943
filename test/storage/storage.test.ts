import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type Kysely, sql } from 'kysely';
import { systemClock } from '../../src/base/clock.ts';
import { Problem } from '../../src/base/problem.ts';
import { leanInvocations } from '../../src/storage/schema/invocation-tables.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';
import { temporaryFolder } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { engines, openTestStore } from '../support/stores.ts';

type Tables = { developers: { id: string; name: string; created_at: number } };

function addDeveloper(storage: Storage, name: string, afterwards?: () => never): Promise<void> {
  return storage.write<Tables, void>(async (trx, notify) => {
    await trx
      .insertInto('developers')
      .values({ id: `dev_${name}`, name, created_at: 2 ** 41 })
      .execute();
    await notify('keys', name);
    afterwards?.();
  });
}

const setupFault = (pattern: RegExp) => (error: unknown) =>
  error instanceof Problem && pattern.test(error.detail);
const open = (dataDir: string) => openStorage({ dataDir, databaseUrl: null }, systemClock);

for (const engine of engines) {
  test(`${engine.name}: a change and its notice are one: both are there or neither`, {
    skip: engine.skip,
  }, async (t) => {
    const storage = await openTestStore(t, engine);
    const heard: string[] = [];
    storage.subscribe('keys', (payload) => heard.push(payload));
    await addDeveloper(storage, 'kept');
    await assert.rejects(
      addDeveloper(storage, 'lost', () => assert.fail('after the insert')),
      /after the insert/,
    );
    for (let i = 0; i < 40 && heard.length === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(heard, ['kept']);
    const rows = await storage.tables<Tables>().selectFrom('developers').selectAll().execute();
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      [{ id: 'dev_kept', name: 'kept', created_at: 2 ** 41 }],
    );
  });

  test(`${engine.name}: only what is written behind does without the disk, whole or not at all`, {
    skip: engine.skip,
  }, async (t) => {
    const storage = await openTestStore(t, engine);
    const waits = async (on: Kysely<Tables>) => {
      const setting = storage.dialect === 'sqlite' ? sql`pragma synchronous` : sql`show synchronous_commit`;
      const [row] = (await setting.execute(on)).rows;
      return Object.values(row as object)[0];
    };
    const [full, normal] = storage.dialect === 'sqlite' ? [2, 1] : ['on', 'off'];
    const put = (trx: Kysely<Tables>, id: string) =>
      trx.insertInto('developers').values({ id, name: id, created_at: 1 }).execute();
    await storage.writeBehind<Tables>(async (trx) => {
      await put(trx, 'behind');
      assert.equal(await waits(trx), normal);
    });
    const failed = storage.writeBehind<Tables>(async (trx) => {
      await put(trx, 'half');
      assert.fail('after the insert');
    });
    const beside = storage.write<Tables, void>(async (trx) => {
      await put(trx, 'beside');
      assert.equal(await waits(trx), full);
    });
    await assert.rejects(failed, /after the insert/);
    await beside;
    const rows = await storage.tables<Tables>().selectFrom('developers').select('id').orderBy('id').execute();
    assert.deepEqual(
      rows.map(({ id }) => id),
      ['behind', 'beside'],
    );
  });

  test(`${engine.name}: another process hears of a change within a second`, {
    skip: engine.skip,
  }, async (t) => {
    const env = await engine.environment(t);
    const config = {
      dataDir: env.MCPRANK_DATA_DIR ?? '',
      databaseUrl:
        env.DATABASE_URL === undefined
          ? null
          : new (await import('../../src/base/secret.ts')).Secret(env.DATABASE_URL),
    };
    const [here, there] = [await openStorage(config, systemClock), await openStorage(config, systemClock)];
    t.after(() => Promise.all([here.close(), there.close()]));
    const heard = new Promise<string>((resolve) => there.subscribe('keys', resolve));
    const started = performance.now();
    await addDeveloper(here, 'one');
    assert.equal(await heard, 'one');
    assert.ok(performance.now() - started < 1_000);
  });

  test(`${engine.name}: of many who want a job one gets it, and it is due again when said`, {
    skip: engine.skip,
  }, async (t) => {
    const { leases } = await openTestStore(t, engine);
    const taken = await Promise.all(
      Array.from({ length: 8 }, (_, i) => leases.take('job', `holder ${i}`, 10_000)),
    );
    assert.equal(taken.filter(Boolean).length, 1);
    const winner = `holder ${taken.indexOf(true)}`;
    assert.equal(await leases.renew('job', winner, 10_000), true);
    assert.equal(await leases.renew('job', 'somebody else', 10_000), false);
    await leases.release('job', winner, 60_000);
    assert.equal(await leases.take('job', 'next', 10_000), false);
    assert.equal(await leases.take('other job', 'next', 1), true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await leases.take('other job', 'after the lease ran out', 10_000), true);
  });

  test(`${engine.name}: a clock that was put back by an hour delays no job, and takes none from its holder`, {
    skip: engine.skip,
  }, async (t) => {
    const storage = await openTestStore(t, engine);
    const { leases } = storage;
    for (const job of ['at rest', 'held']) assert.equal(await leases.take(job, 'holder', 30_000), true);
    await leases.release('at rest', 'holder', 60_000);
    assert.equal(await leases.take('at rest', 'next', 30_000), false);
    // As the store has it when its clock is put back.
    const jobs = storage.tables<{ jobs: { lease_until: number; next_run_at: number } }>();
    await jobs
      .updateTable('jobs')
      .set((is) => ({
        lease_until: is('lease_until', '+', 3_600_000),
        next_run_at: is('next_run_at', '+', 3_600_000),
      }))
      .execute();
    assert.equal(await leases.take('held', 'next', 30_000), false);
    assert.equal(await leases.take('at rest', 'next', 30_000), true);
  });
}

for (const engine of engines) {
  test(`${engine.name}: outcomes of the release before are there after the migration, in order, and their keys are still taken`, {
    skip: engine.skip,
  }, async (t) => {
    const storage = await openTestStore(t, engine);
    const db = storage.tables<{ invocations: { id: string; at: number; idempotency_key: string | null } }>();
    await sql`drop table invocations`.execute(db);
    await sql`create table invocations (id text primary key, developer_id text not null, key_id text not null,
      query_log_id text, server_id text not null, tool_name text not null, success integer not null,
      latency_ms double precision, error_type text, idempotency_key text, at bigint not null)`.execute(db);
    const columns =
      'id, developer_id, key_id, query_log_id, server_id, tool_name, success, latency_ms, error_type, idempotency_key, at';
    const rows = Array.from({ length: 20_001 }, (_, i) => i);
    const add = (ids: readonly number[], at?: number) =>
      sql`insert into invocations (${sql.raw(columns)}) values ${sql.join(
        ids.map(
          (i) =>
            sql`(${`inv_${i % 7}_${i}`}, 'dev', 'key', null, 's', 't', 1, null, null, ${i % 10 === 0 ? `k${i}` : null}, ${at ?? i % 50})`,
        ),
      )}`.execute(db);
    for (let from = 0; from < rows.length; from += 1_000) await add(rows.slice(from, from + 1_000));
    const read = () =>
      db
        .selectFrom('invocations')
        .select(['id', 'at', 'idempotency_key'])
        .orderBy('at')
        .orderBy('id')
        .execute();
    const before = await read();
    await leanInvocations(db as unknown as Kysely<unknown>);
    assert.deepEqual(await read(), before);
    assert.equal(before.length, rows.length);
    await add([21], 999);
    await assert.rejects(add([20], 999), 'a key that was used');
  });
}

test('two releases live on one store while a newer one only added to it; one that this release cannot live with is refused in words', async (t) => {
  const folder = temporaryFolder(t);
  const running = await open(folder);
  t.after(() => running.close());
  const db = new DatabaseSync(join(folder, 'mcprank.db'));
  db.exec("insert into kysely_migration (name, timestamp) values ('999_future', 'now')");
  db.exec('create table future (id text); alter table developers add column note text');
  await addDeveloper(running, 'by the old release');
  const restarted = await open(folder);
  await addDeveloper(restarted, 'by the old release after a restart');
  await restarted.close();
  db.exec("insert into counters (name, value) values ('schema_floor', 999)");
  db.close();
  await assert.rejects(open(folder), setupFault(/newer release \(schema 999_future\) .* upgrade mcprank/));
});

test('a file that is no database is refused in words', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(
    join(folder, 'mcprank.db'),
    'this is not a database, it is a sentence that is long enough'.repeat(50),
  );
  await assert.rejects(open(folder), setupFault(/not a SQLite database/));
});

test('a data folder that cannot be written to is refused in words', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'a file');
  writeFileSync(file, '');
  await assert.rejects(
    open(join(file, 'data')),
    setupFault(/cannot be written to: choose another with MCPRANK_DATA_DIR/),
  );
  if (process.getuid?.() === 0) return; // root may write anywhere
  const closed = join(folder, 'closed');
  mkdirSync(closed);
  chmodSync(closed, 0o500);
  await assert.rejects(open(closed), setupFault(/cannot be written to/));
});

test('a full disk fails the write in words, loses nothing that was there, and the store goes on when there is room', async (t) => {
  const folder = temporaryFolder(t);
  const storage = await open(folder);
  t.after(() => storage.close());
  await addDeveloper(storage, 'before');
  const { sql } = await import('kysely');
  await sql`pragma max_page_count = 1`.execute(storage.tables());
  const big = 'x'.repeat(3_000_000);
  await assert.rejects(
    addDeveloper(storage, big),
    (error: unknown) =>
      error instanceof Problem &&
      error.kind === 'unavailable' &&
      /disk of the store is full; nothing was written/.test(error.detail),
  );
  await sql`pragma max_page_count = 1000000`.execute(storage.tables());
  await addDeveloper(storage, 'after');
  const rows = await storage
    .tables<Tables>()
    .selectFrom('developers')
    .select('name')
    .orderBy('created_at')
    .execute();
  assert.deepEqual(rows.map(({ name }) => name).sort(), ['after', 'before']);
});

test('a store locked by another process is told, and the write works once it is free', {
  timeout: 30_000,
  skip: fullRunOnly,
}, async (t) => {
  const folder = temporaryFolder(t);
  const storage = await open(folder);
  t.after(() => storage.close());
  const other = new DatabaseSync(join(folder, 'mcprank.db'));
  t.after(() => other.close());
  other.exec('begin immediate');
  const began = performance.now();
  const refused = await Promise.allSettled(
    ['waits', 'too', 'and so on'].map((name) => addDeveloper(storage, name)),
  );
  for (const outcome of refused) {
    assert.ok(outcome.status === 'rejected' && outcome.reason instanceof Problem);
    assert.equal(outcome.reason.kind, 'unavailable');
    assert.match(outcome.reason.detail, /locked by another process/);
  }
  assert.ok(performance.now() - began < 9_000, 'all of them after five seconds, not one after the other');
  other.exec('rollback');
  await addDeveloper(storage, 'waits');
});

test('a backup made while in use opens as a store with everything in it', async (t) => {
  const folder = temporaryFolder(t);
  const storage = await open(folder);
  t.after(() => storage.close());
  await addDeveloper(storage, 'kept');
  const target = join(temporaryFolder(t), 'mcprank.db');
  await storage.backup(target);
  const copy = await open(join(target, '..'));
  t.after(() => copy.close());
  assert.equal((await copy.tables<Tables>().selectFrom('developers').selectAll().execute()).length, 1);
});
