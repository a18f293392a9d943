import type { Kysely } from 'kysely';

export async function signIn({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('sign_in_accounts')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text')
    .addColumn('key_id', 'text')
    .addColumn('issuer', 'text')
    .addColumn('subject', 'text')
    .addColumn('sid', 'text')
    .addColumn('name', 'text')
    .addColumn('groups', 'text', (c) => c.notNull())
    .addColumn('sealed', 'text')
    .addColumn('checked_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('ended_at', 'bigint')
    .execute();
  await schema
    .createIndex('sign_in_accounts_user')
    .on('sign_in_accounts')
    .columns(['developer_id', 'user_id'])
    .execute();
  await schema
    .createTable('sign_in_records')
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('id', 'text', (c) => c.notNull())
    .addColumn('grant_id', 'text')
    .addColumn('account_id', 'text')
    .addColumn('payload', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .addColumn('consumed_at', 'bigint')
    .addPrimaryKeyConstraint('sign_in_records_pk', ['model', 'id'])
    .execute();
  await schema.createIndex('sign_in_records_grant').on('sign_in_records').column('grant_id').execute();
  await schema.createIndex('sign_in_records_account').on('sign_in_records').column('account_id').execute();
  await schema.createIndex('sign_in_records_end').on('sign_in_records').column('expires_at').execute();
  await schema
    .createTable('sign_in_clients')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('metadata', 'text', (c) => c.notNull())
    .addColumn('secret_digest', 'text')
    .addColumn('registered_from', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('used_at', 'bigint')
    .execute();
  await schema
    .createIndex('sign_in_clients_made')
    .on('sign_in_clients')
    .columns(['created_at', 'registered_from'])
    .execute();
}
