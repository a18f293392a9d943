import type { Kysely } from 'kysely';

export async function identity({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('vault_canaries')
    .addColumn('kid', 'text', (c) => c.primaryKey())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .execute();
}
