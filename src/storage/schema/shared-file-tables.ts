import { type Kysely, sql } from 'kysely';

/** SQLite takes the name of any type and keeps bytes as they are. */
const bytes = sql`bytea`;

export async function sharedFiles({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('shared_files')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('generation', 'text', (c) => c.notNull())
    .addColumn('parts', 'bigint', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createTable('shared_file_parts')
    .addColumn('generation', 'text', (c) => c.notNull())
    .addColumn('part', 'bigint', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('bytes', bytes, (c) => c.notNull())
    .addPrimaryKeyConstraint('shared_file_parts_pk', ['generation', 'part'])
    .execute();
}
