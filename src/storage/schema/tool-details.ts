import type { Kysely } from 'kysely';

/** What else a server says of a tool (title, annotations, outputSchema, …), as JSON text; the revision that the operator pins a server to. */
export async function toolDetails({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('tools').addColumn('details', 'text').execute();
  await schema.alterTable('servers').addColumn('protocol_revision', 'text').execute();
}
