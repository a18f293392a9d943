import type { Kysely } from 'kysely';

export async function serverCredentials({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('server_credentials')
    .addColumn('server_id', 'text', (c) => c.primaryKey())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('sealed', 'text', (c) => c.notNull())
    .execute();
}
