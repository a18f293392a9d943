import { type Kysely, SqliteAdapter, sql } from 'kysely';
import { Problem } from '../../base/problem.ts';

/** Where our tables stand; null: there are no schemas. Two services share a database by the `search_path` of their URLs. */
export async function schemaOf(db: Kysely<unknown>): Promise<string | null> {
  if (db.getExecutor().adapter instanceof SqliteAdapter) return null;
  const { rows } = await sql<{ name: string | null }>`select current_schema() as name`.execute(db);
  const name = rows[0]?.name ?? null;
  if (name === null)
    throw new Problem(
      'setup',
      'DATABASE_URL: its search_path names no schema that is there; create it first',
    );
  return name;
}

/** All tables of ours; `internal`: with those that the migrations are recorded in. */
export async function tableNames(
  db: Kysely<unknown>,
  { internal }: { readonly internal: boolean } = { internal: false },
): Promise<string[]> {
  const schema = await schemaOf(db);
  const tables = await db.introspection.getTables({ withInternalKyselyTables: internal });
  return tables.filter((table) => schema === null || table.schema === schema).map(({ name }) => name);
}
