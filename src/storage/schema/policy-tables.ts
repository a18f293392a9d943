import type { Kysely } from 'kysely';

export async function policy({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('server_rights')
    .addColumn('server_id', 'text', (c) => c.primaryKey())
    .addColumn('visibility', 'text', (c) => c.notNull())
    .addColumn('owner', 'text', (c) => c.notNull())
    .execute();
  await schema
    .createTable('server_grants')
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('developer', 'text', (c) => c.notNull())
    .addColumn('credentials', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('server_grants_pk', ['server_id', 'developer'])
    .execute();
  await schema
    .createTable('toolsets')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('title', 'text')
    .addColumn('rules', 'text', (c) => c.notNull())
    .addColumn('fallback', 'text', (c) => c.notNull())
    .addColumn('version', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createTable('toolset_bindings')
    .addColumn('toolset', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('toolset_bindings_pk', ['toolset', 'kind', 'subject'])
    .execute();
}
