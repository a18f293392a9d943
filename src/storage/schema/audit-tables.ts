import type { Kysely } from 'kysely';

export async function auditTrail({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('audit')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('actor', 'text', (c) => c.notNull())
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('user_ref', 'text')
    .addColumn('subject', 'text')
    .addColumn('facts', 'text', (c) => c.notNull())
    .execute();
  await schema.createIndex('audit_at').on('audit').columns(['at', 'id']).execute();
  await schema.createIndex('audit_user').on('audit').columns(['user_ref', 'at']).execute();
  await schema
    .createTable('audit_users')
    .addColumn('ref', 'text', (c) => c.primaryKey())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addUniqueConstraint('audit_users_once', ['developer_id', 'user_id'])
    .execute();
}
