import type { Kysely } from 'kysely';

export async function approvals({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('approvals')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text')
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('method', 'text', (c) => c.notNull())
    .addColumn('tool', 'text', (c) => c.notNull())
    .addColumn('definition', 'text')
    .addColumn('arguments_digest', 'text', (c) => c.notNull())
    .addColumn('arguments_sealed', 'text')
    .addColumn('toolset', 'text', (c) => c.notNull())
    .addColumn('version', 'bigint', (c) => c.notNull())
    .addColumn('self', 'integer', (c) => c.notNull())
    .addColumn('binding', 'text', (c) => c.notNull())
    .addColumn('slot', 'text')
    .addColumn('decided_by', 'text')
    .addColumn('decided_at', 'bigint')
    .addColumn('note', 'text')
    .addColumn('used_at', 'bigint')
    .addColumn('rounds', 'integer', (c) => c.notNull())
    .execute();
  // One open approval for one call, whichever process is asked; null where it is open no more.
  await schema.createIndex('approvals_slot').unique().on('approvals').column('slot').execute();
  await schema.createIndex('approvals_state').on('approvals').columns(['state', 'id']).execute();
  await schema
    .createIndex('approvals_developer')
    .on('approvals')
    .columns(['developer_id', 'state'])
    .execute();
  await schema
    .createTable('confirmed_tools')
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('tool', 'text', (c) => c.notNull())
    .addColumn('definition', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('confirmed_tools_pk', ['server_id', 'tool'])
    .execute();
  await schema
    .createTable('tool_use')
    .addColumn('day', 'integer', (c) => c.notNull())
    .addColumn('who', 'text', (c) => c.notNull())
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('tool', 'text', (c) => c.notNull())
    .addColumn('calls', 'bigint', (c) => c.notNull())
    .addColumn('bytes', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('tool_use_pk', ['day', 'who', 'server_id', 'tool'])
    .execute();
  await schema.alterTable('toolsets').addColumn('budget', 'text').execute();
  await schema.alterTable('toolsets').addColumn('overrides', 'text').execute();
}
