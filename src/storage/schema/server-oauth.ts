import type { Kysely } from 'kysely';

/** Consents with MCP servers stand beside those with providers: under the name `mcp:<server id>`, with what binds them. */
export async function serverOAuth({ schema }: Kysely<unknown>): Promise<void> {
  // SQLite adds one column a statement.
  await schema.alterTable('connections').addColumn('issuer', 'text').execute();
  await schema.alterTable('connections').addColumn('resource', 'text').execute();
  await schema.alterTable('connections').addColumn('asked', 'text').execute();
  await schema.alterTable('connections').addColumn('wanted', 'text').execute();
  await schema.alterTable('connections').addColumn('proof_key_sealed', 'text').execute();
  await schema.alterTable('oauth_sessions').addColumn('resource', 'text').execute();
  await schema.alterTable('oauth_sessions').addColumn('title', 'text').execute();
  await schema
    .alterTable('oauth_sessions')
    .addColumn('proof', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await schema.alterTable('oauth_revocations').addColumn('issuer', 'text').execute();
  await schema.alterTable('oauth_revocations').addColumn('resource', 'text').execute();

  await schema
    .createTable('oauth_clients')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('issuer', 'text', (c) => c.notNull())
    // '' for every server of the issuer.
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('client_id', 'text', (c) => c.notNull())
    .addColumn('secret_sealed', 'text')
    .addColumn('auth_method', 'text', (c) => c.notNull())
    .addColumn('redirect_uri', 'text')
    .addColumn('expires_at', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('oauth_clients_once', ['issuer', 'server_id', 'kind'])
    .execute();
}
