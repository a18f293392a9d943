import type { Kysely } from 'kysely';

/** Of a client that signs itself in: the API key whose rights it has. */
export async function machineClients({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('sign_in_clients').addColumn('key_id', 'text').execute();
}
