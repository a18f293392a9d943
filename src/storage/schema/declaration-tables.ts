import type { Kysely } from 'kysely';

/** What `mcprank apply` made, so that it takes away that alone once a file no longer names it. */
export async function declarations({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('declarations')
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('declarations_pk', ['kind', 'name'])
    .execute();
}
