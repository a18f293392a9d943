import type { Kysely } from 'kysely';

/** How far work that takes its time is, whichever process does it: the last run of each kind. */
export async function longWork({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('long_work')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('run', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('done', 'bigint', (c) => c.notNull())
    // null: nobody knows.
    .addColumn('total', 'bigint')
    .addColumn('unit', 'text', (c) => c.notNull())
    .addColumn('started_at', 'bigint', (c) => c.notNull())
    .addColumn('told_at', 'bigint', (c) => c.notNull())
    .execute();
}

/** Why a run failed, in words that anybody may read; null else. */
export async function longWorkReason({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('long_work').addColumn('reason', 'text').execute();
}
