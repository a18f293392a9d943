import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';
import { bootApp, temporaryFolder } from '../support/app.ts';
import { engines } from '../support/stores.ts';

type Tables = { developers: { id: string; name: string; created_at: number } };

const [, postgres = assert.fail()] = engines;
const add = (storage: Storage, name: string) =>
  storage.write<Tables, void>(async (trx, notify) => {
    await trx
      .insertInto('developers')
      .values({ id: `dev_${name}`, name, created_at: 1 })
      .execute();
    await notify('keys', name);
  });

test('PostgreSQL: two services share a database by their search_path, each with its own tables, notices and copies', {
  skip: postgres.skip,
}, async (t) => {
  const { DATABASE_URL = '' } = await postgres.environment(t);
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  await client.query('create schema one; create schema "Two";');
  await client.end();
  const urlOf = (schema: string) => {
    const url = new URL(DATABASE_URL);
    url.searchParams.set('options', `-csearch_path="${schema}"`);
    return url.href;
  };
  const open = async (url: string) => {
    const storage = await openStorage(
      { dataDir: temporaryFolder(t), databaseUrl: new Secret(url) },
      systemClock,
    );
    t.after(() => storage.close());
    const heard: string[] = [];
    storage.subscribe('keys', (payload) => heard.push(payload));
    return { storage, heard };
  };
  await assert.rejects(open(urlOf('nowhere')), { kind: 'setup', message: /search_path names no schema/ });
  // One of them in the schema of old.
  const services = [await open(DATABASE_URL), await open(urlOf('one')), await open(urlOf('Two'))];
  const beside = await open(urlOf('Two'));
  for (const [i, { storage }] of services.entries()) await add(storage, `of ${i}`);
  const [, , two = assert.fail()] = services;
  while (beside.heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(beside.heard, ['of 2']);
  for (const [i, { storage, heard }] of services.entries()) {
    const rows = await storage.tables<Tables>().selectFrom('developers').select('name').execute();
    assert.deepEqual([rows.map(({ name }) => name), heard], [[`of ${i}`], [`of ${i}`]]);
  }
  const file = join(temporaryFolder(t), 'two.db');
  await two.storage.backup(file);
  const copy = await openStorage({ dataDir: temporaryFolder(t), databaseUrl: null }, systemClock);
  t.after(() => copy.close());
  assert.equal((await copy.restore(file)).developers, 1);
  const again = await open(urlOf('Two'));
  await again.storage.ping();
});

test('PostgreSQL: a socket in a folder does as well as a host', { skip: postgres.skip }, async (t) => {
  const { DATABASE_URL = '', ...env } = await postgres.environment(t);
  const { pathname, username } = new URL(DATABASE_URL);
  const admin = new pg.Client({ connectionString: DATABASE_URL });
  await admin.connect();
  const settings = await admin.query<{ folder: string; port: string }>(
    "select current_setting('unix_socket_directories') as folder, current_setting('port') as port",
  );
  await admin.end();
  const { folder = '', port = '' } = settings.rows[0] ?? {};
  for (const authority of [`${username}@`, `${username}@localhost`]) {
    const url = `postgres://${authority}${pathname}?host=${folder}&port=${port}`;
    const app = await bootApp(t, { ...env, DATABASE_URL: url });
    assert.equal((await app.call('GET', '/v1/servers')).status, 200);
    await app.close();
  }
});

test('PostgreSQL: whoever wants no new store is told where it looked, without the password, and nothing is made', {
  skip: postgres.skip,
}, async (t) => {
  const { DATABASE_URL = '' } = await postgres.environment(t);
  const url = new URL(DATABASE_URL);
  url.password = 'hunter2';
  const open = (newStore?: (place: string) => void) =>
    openStorage({ dataDir: temporaryFolder(t), databaseUrl: new Secret(url.href) }, systemClock, {
      ...(newStore !== undefined && { newStore }),
    });
  const told: string[] = [];
  const refuse = (place: string) => {
    told.push(place);
    throw new Error('refused');
  };
  await assert.rejects(open(refuse), /refused/);
  await assert.rejects(open(refuse), /refused/);
  assert.deepEqual(told, Array(2).fill(`PostgreSQL at ${url.host}${url.pathname}`), 'it is still not there');
  await (await open()).close();
  await (await open(refuse)).close();
});
