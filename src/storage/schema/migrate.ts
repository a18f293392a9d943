import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { Problem } from '../../base/problem.ts';
import { migrations } from './migrations.ts';
import { schemaOf, tableNames } from './table-names.ts';

type Tables = {
  kysely_migration: { name: string };
  counters: { name: string; value: number };
};

/**
 * The release that a store needs at least, as the number of a migration: `counters` has it under this name. A migration
 * that an older release could not live with raises it; all others only add, so two releases can serve one store while
 * replicas are replaced one by one.
 */
const floorName = 'schema_floor';

/** Brings the schema up to date; refuses a store that this release can no longer read. */
export async function migrate(handle: Kysely<unknown>): Promise<void> {
  const db = handle as Kysely<Tables>;
  const names = Object.keys(migrations);
  const applied = await appliedMigrations(db);
  const newer = applied.filter((name) => !names.includes(name));
  if (newer.length > 0) {
    const floor = await floorOf(db);
    if (floor > numberOf(names.at(-1) ?? '0'))
      throw new Problem(
        'setup',
        `The store was written by a newer release (schema ${newer.at(-1)}) that this one cannot share it with: upgrade mcprank, or restore a backup made with this release`,
      );
    // A newer release has only added to the schema: what we know is there as we know it.
    const missing = names.filter((name) => !applied.includes(name));
    if (missing.length > 0)
      throw new Problem(
        'setup',
        `The store lacks the schema ${missing.join(', ')}: it was not migrated in order`,
      );
    return;
  }
  const schema = await schemaOf(handle);
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    // Where there are several, Kysely would take another service's record of migrations for ours.
    ...(schema !== null && { migrationTableSchema: schema }),
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

async function floorOf(db: Kysely<Tables>): Promise<number> {
  const row = await db
    .selectFrom('counters')
    .select('value')
    .where('name', '=', floorName)
    .executeTakeFirst();
  return row?.value ?? 0;
}

function numberOf(name: string): number {
  return Number.parseInt(name, 10);
}

/** Whether a release of ours ever made this schema. */
export async function isOurs(db: Kysely<unknown>): Promise<boolean> {
  return (await appliedMigrations(db as Kysely<Tables>)).length > 0;
}

async function appliedMigrations(db: Kysely<Tables>): Promise<string[]> {
  const tables = await tableNames(db as unknown as Kysely<unknown>, { internal: true });
  if (!tables.includes('kysely_migration')) return [];
  const rows = await db.selectFrom('kysely_migration').select('name').orderBy('name').execute();
  return rows.map((row) => row.name);
}
