import type { Kysely } from 'kysely';

export async function serverHealth({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('server_health')
    .addColumn('server_id', 'text', (c) => c.primaryKey())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('era', 'text')
    .addColumn('auth', 'text')
    .addColumn('latency_ms', 'double precision')
    .addColumn('reason', 'text')
    .addColumn('failures', 'integer', (c) => c.notNull())
    .addColumn('checks', 'integer', (c) => c.notNull())
    .addColumn('ups', 'integer', (c) => c.notNull())
    .addColumn('fingerprint', 'text')
    .addColumn('destructive', 'text', (c) => c.notNull())
    .addColumn('suspicions', 'text', (c) => c.notNull())
    .addColumn('since', 'bigint', (c) => c.notNull())
    .addColumn('checked_at', 'bigint', (c) => c.notNull())
    .addColumn('next_at', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('server_health_next').on('server_health').column('next_at').execute();
  await schema
    .createTable('server_looks')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('latency_ms', 'double precision')
    .execute();
  await schema.createIndex('server_looks_server').on('server_looks').columns(['server_id', 'at']).execute();
  await schema.createIndex('server_looks_at').on('server_looks').column('at').execute();
  await schema
    .createTable('tool_drift')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('tool', 'text', (c) => c.notNull())
    .addColumn('before', 'text')
    .addColumn('after', 'text')
    .execute();
  await schema.createIndex('tool_drift_server').on('tool_drift').columns(['server_id', 'id']).execute();
}
