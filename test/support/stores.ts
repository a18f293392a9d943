import type { TestContext } from 'node:test';
import pg from 'pg';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';
import { createVault } from '../../src/vault/vault.ts';
import { newDataDir, temporaryFolder } from './app.ts';

export type Engine = {
  readonly name: string;
  readonly skip: string | false;
  /** The environment of an app on a fresh store of this kind. */
  environment(t: TestContext): Promise<Record<string, string>>;
};

/** A vault with a key of its own. */
export const testVault = createVault({
  keys: [{ kid: 'test', key: Buffer.alloc(32, 1) }],
  clock: systemClock,
});

let databases = 0;

/** Every store test runs on each of these. */
export const engines: readonly Engine[] = [
  { name: 'SQLite', skip: false, environment: async (t) => ({ MCPRANK_DATA_DIR: await newDataDir(t) }) },
  {
    name: 'PostgreSQL',
    skip: process.env.TEST_DATABASE_URL === undefined ? 'needs PostgreSQL: npm run test:full' : false,
    environment: async (t) => ({ MCPRANK_DATA_DIR: temporaryFolder(t), DATABASE_URL: await freshDatabase() }),
  },
];

/** A store of the engine's kind, closed with the test. */
export async function openTestStore(
  t: TestContext,
  engine: Engine,
  clock: Clock = systemClock,
): Promise<Storage> {
  const env = await engine.environment(t);
  const storage = await openStorage(
    {
      dataDir: env.MCPRANK_DATA_DIR ?? '',
      databaseUrl: env.DATABASE_URL === undefined ? null : new Secret(env.DATABASE_URL),
    },
    clock,
  );
  t.after(() => storage.close());
  return storage;
}

async function freshDatabase(): Promise<string> {
  const server = process.env.TEST_DATABASE_URL ?? '';
  const name = `test_${process.pid}_${++databases}`;
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
