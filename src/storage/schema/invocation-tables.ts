import { type Kysely, SqliteAdapter, sql } from 'kysely';

const kept = sql.raw(
  'id, developer_id, key_id, query_log_id, server_id, tool_name, success, latency_ms, error_type, idempotency_key, at',
);
/** A database server may cut off a statement that takes many seconds. */
const rowsAtOnce = 20_000;

/**
 * A row stands for one call or, where nothing tells them apart, for several that ended within the same quarter of a second.
 * Rows lie in the order in which they come and are read, and have no index entry for what most of them lack: less than
 * half the cost of a row, in time and in bytes written. Ids are unique without a check, but for those that follow from an
 * idempotency key.
 */
export async function leanInvocations(db: Kysely<unknown>): Promise<void> {
  const clustered = db.getExecutor().adapter instanceof SqliteAdapter;
  const create = db.schema
    .createTable('lean_invocations')
    .addColumn('id', 'text', (c) => c.notNull())
    .addColumn('developer_id', 'text', (c) => c.notNull())
    .addColumn('key_id', 'text', (c) => c.notNull())
    .addColumn('query_log_id', 'text')
    .addColumn('server_id', 'text', (c) => c.notNull())
    .addColumn('tool_name', 'text', (c) => c.notNull())
    .addColumn('success', 'integer', (c) => c.notNull())
    .addColumn('latency_ms', 'double precision')
    .addColumn('error_type', 'text')
    .addColumn('idempotency_key', 'text')
    .addColumn('at', 'bigint', (c) => c.notNull())
    // An earlier release that shares the store does not know of it.
    .addColumn('calls', 'integer', (c) => c.notNull().defaultTo(1))
    .addPrimaryKeyConstraint('invocations_by_time', ['at', 'id']);
  await (clustered ? create.modifyEnd(sql`without rowid`) : create).execute();
  await copyRows(db);
  await db.schema.dropTable('invocations').execute();
  await db.schema.alterTable('lean_invocations').renameTo('invocations').execute();
  await sql`create unique index invocations_keyed on invocations (id) where idempotency_key is not null`.execute(
    db,
  );
  await sql`create index invocations_query on invocations (query_log_id) where query_log_id is not null`.execute(
    db,
  );
}

async function copyRows(db: Kysely<unknown>): Promise<void> {
  for (let at = -1, id = ''; ; ) {
    await sql`
      insert into lean_invocations (${kept}, calls) select ${kept}, 1 from invocations
      where (at, id) > (${at}, ${id}) order by at, id limit ${sql.lit(rowsAtOnce)}`.execute(db);
    const last = await sql<{ at: number; id: string }>`
      select at, id from lean_invocations order by at desc, id desc limit 1`.execute(db);
    const [row] = last.rows;
    if (row === undefined || (row.at === at && row.id === id)) return;
    ({ at, id } = row);
  }
}
