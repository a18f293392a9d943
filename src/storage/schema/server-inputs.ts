import type { Kysely } from 'kysely';

/** What each user brings for a server, as JSON text: names and templates, never a value. */
export async function userCredentials({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('servers').addColumn('user_credentials', 'text').execute();
}
