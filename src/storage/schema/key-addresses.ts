import type { Kysely } from 'kysely';

/** JSON array of addresses and networks; null: from anywhere. */
export async function keyAddresses({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('api_keys').addColumn('addresses', 'text').execute();
}
