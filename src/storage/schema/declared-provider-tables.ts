import type { Kysely } from 'kysely';

/** OAuth providers that `mcprank apply` made; their secrets rest sealed. */
export async function declaredProviders({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('declared_providers')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('row', 'text', (c) => c.notNull())
    .addColumn('secrets_sealed', 'text')
    .execute();
}
