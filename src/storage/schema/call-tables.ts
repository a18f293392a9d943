import type { Kysely } from 'kysely';

export async function calls({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('calls')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text')
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('tool', 'text', (c) => c.notNull())
    .addColumn('definition', 'text')
    .addColumn('toolset', 'text')
    .addColumn('outcome', 'text', (c) => c.notNull())
    .addColumn('latency_ms', 'double precision', (c) => c.notNull())
    .addColumn('request_bytes', 'bigint', (c) => c.notNull())
    .addColumn('reply_bytes', 'bigint', (c) => c.notNull())
    .addColumn('arguments_digest', 'text')
    .execute();
  await schema.createIndex('calls_by_user').on('calls').columns(['developer_id', 'user_id', 'id']).execute();
}

/** The shape of the arguments, where the operator wants it kept. */
export async function maskedArguments({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('calls').addColumn('arguments_masked', 'text').execute();
}

/** Most calls are nobody's in particular: an entry for each was a quarter of what a row costs SQLite. */
export async function callsOfUsers({ schema }: Kysely<unknown>): Promise<void> {
  await schema.dropIndex('calls_by_user').execute();
  await schema
    .createIndex('calls_of_users')
    .on('calls')
    .columns(['developer_id', 'user_id', 'id'])
    .where('user_id', 'is not', null)
    .execute();
}
