import type { Kysely } from 'kysely';

export async function connections({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('connections')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('provider', 'text', (c) => c.notNull())
    // '' where the provider does not tell who consented.
    .addColumn('account', 'text', (c) => c.notNull())
    .addColumn('label', 'text')
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('scopes', 'text', (c) => c.notNull())
    .addColumn('version', 'bigint', (c) => c.notNull())
    .addColumn('used_version', 'bigint', (c) => c.notNull())
    .addColumn('access_sealed', 'text', (c) => c.notNull())
    .addColumn('refresh_sealed', 'text')
    .addColumn('issued_at', 'bigint', (c) => c.notNull())
    .addColumn('life_ms', 'bigint')
    .addColumn('refresh_at', 'bigint')
    .addColumn('holder', 'text')
    .addColumn('lease_until', 'bigint', (c) => c.notNull())
    .addColumn('failures', 'integer', (c) => c.notNull())
    .addColumn('retry_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('connections_once', ['developer_id', 'user_id', 'provider', 'account'])
    .execute();

  await schema
    .createTable('oauth_sessions')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('app_name', 'text', (c) => c.notNull())
    .addColumn('provider', 'text', (c) => c.notNull())
    .addColumn('scopes', 'text', (c) => c.notNull())
    .addColumn('return_url', 'text')
    .addColumn('require_confirmation', 'integer', (c) => c.notNull())
    .addColumn('expected_account', 'text')
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('error', 'text')
    .addColumn('link_digest', 'text', (c) => c.notNull().unique())
    .addColumn('browser_digest', 'text')
    .addColumn('state_digest', 'text', (c) => c.unique())
    .addColumn('flow_sealed', 'text')
    .addColumn('issuer', 'text')
    .addColumn('grant_sealed', 'text')
    .addColumn('code_digest', 'text')
    .addColumn('tries', 'integer', (c) => c.notNull())
    .addColumn('result', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('oauth_sessions_expiry').on('oauth_sessions').column('expires_at').execute();
  await schema
    .createIndex('oauth_sessions_user')
    .on('oauth_sessions')
    .columns(['developer_id', 'user_id'])
    .execute();

  await schema
    .createTable('oauth_apps')
    .addColumn('developer_id', 'text', (c) => c.primaryKey())
    .addColumn('return_urls', 'text', (c) => c.notNull())
    .addColumn('require_confirmation', 'integer', (c) => c.notNull())
    .execute();

  await schema
    .createTable('oauth_revocations')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('provider', 'text', (c) => c.notNull())
    .addColumn('token_sealed', 'text', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('next_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('oauth_revocations_due').on('oauth_revocations').column('next_at').execute();
}
