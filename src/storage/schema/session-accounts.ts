import type { Kysely } from 'kysely';

/** Under which name a session's connection is kept, where a user has several with one server. */
export async function sessionAccounts({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('oauth_sessions').addColumn('account', 'text').execute();
}
