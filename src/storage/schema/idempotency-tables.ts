import type { Kysely } from 'kysely';

/** What was done under an Idempotency-Key, or is being done. */
export async function idempotency({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('idempotency')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text')
    .addColumn('digest', 'text', (c) => c.notNull())
    .addColumn('holder', 'text')
    .addColumn('lease_until', 'bigint', (c) => c.notNull())
    .addColumn('outcome_sealed', 'text')
    .addColumn('size_bytes', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createIndex('idempotency_developer')
    .on('idempotency')
    .columns(['developer_id', 'size_bytes'])
    .execute();
  await schema.createIndex('idempotency_expires').on('idempotency').column('expires_at').execute();
  // Of sessions whose browser did not come back.
  await schema
    .createIndex('oauth_sessions_issuer')
    .on('oauth_sessions')
    .columns(['issuer', 'status'])
    .execute();
  await schema.createIndex('connections_issuer').on('connections').columns(['issuer', 'status']).execute();
}
