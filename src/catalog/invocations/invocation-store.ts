import { type Kysely, sql, type Transaction } from 'kysely';
import { createInsert, deleteBelow, edgeBeyond, type Storage } from '../../storage/storage.ts';
import { callersFaults, type ErrorType } from '../catalog-model.ts';
import { insertSlices } from '../write-store.ts';
import { dayOf } from './popularity.ts';

export type InvocationRow = {
  readonly id: string;
  readonly developer_id: string;
  readonly key_id: string;
  readonly query_log_id: string | null;
  readonly server_id: string;
  readonly tool_name: string;
  readonly success: number;
  readonly latency_ms: number | null;
  readonly error_type: ErrorType | null;
  readonly idempotency_key: string | null;
  readonly at: number;
  /** More than 1: so many calls, alike but for their latency, of which `latency_ms` is the mean. */
  readonly calls: number;
};
type DayUse = { server_id: string; developer_id: string; day: number; calls: number; successes: number };
type Tables = { invocations: InvocationRow; server_use: DayUse };

/** What became of calls, summed. */
export type ServerUse = {
  readonly serverId: string;
  readonly calls: number;
  readonly successes: number;
  /** Calls that their callers got wrong: they say nothing of the server. */
  readonly callerFaults: number;
  /** The mean of those that reported one. */
  readonly latencyMs: number | null;
};
export type UseCount = { readonly calls: number; readonly successes: number };
/** One server's calls in one step of time; `step` counts steps since 1970. */
export type StepUse = Omit<ServerUse, 'latencyMs'> & { readonly step: number };

type StepQuery = {
  readonly serverIds: readonly string[];
  readonly since: number;
  readonly stepMs: number;
};

type Db = Kysely<Tables>;

const rowsPerInsert = 64;
const serversShown = 50;
const dayMs = 86_400_000;

const columns = [
  'id',
  'developer_id',
  'key_id',
  'query_log_id',
  'server_id',
  'tool_name',
  'success',
  'latency_ms',
  'error_type',
  'idempotency_key',
  'at',
  'calls',
] as const;

/** Sums over rows, each of which may stand for several calls. */
const calls = sql<number>`sum(calls)`.as('calls');
const successes = sql<number>`sum(success * calls)`.as('successes');
const callerFaults =
  sql<number>`sum(case when error_type in (${sql.join(callersFaults)}) then calls else 0 end)`.as(
    'caller_faults',
  );
const meanLatency = sql<
  number | null
>`sum(latency_ms * calls) / sum(case when latency_ms is not null then calls end)`;

export function createInvocationStore(storage: Storage) {
  const insert = createInsert<Tables, 'invocations'>('invocations', columns);

  return {
    /**
     * Adds the rows and the use they mean, in one transaction. Rows whose idempotency key was used before are not
     * added; the rows of those first uses are returned. Keyed rows and use rows are written in a fixed order, so
     * that two processes with overlapping batches wait for each other instead of locking up.
     */
    add: (rows: readonly InvocationRow[]): Promise<ReadonlyMap<string, InvocationRow>> =>
      storage.write<Tables, ReadonlyMap<string, InvocationRow>>(async (trx) => {
        await insert(
          trx,
          rows.filter((row) => row.idempotency_key === null),
        );
        const known = await addKeyed(
          trx,
          rows.filter((row) => row.idempotency_key !== null),
        );
        await addUse(
          trx,
          rows.filter((row) => !known.has(row.id)),
        );
        return known;
      }),
    byServer: (since: number) => readByServer(storage.reports<Tables>(), since),
    byStep: (serverIds: readonly string[], since: number, stepMs: number) =>
      readByStep(storage.reports<Tables>(), { serverIds, since, stepMs }),
    byDay: (keyId: string, since: number) => readByDay(storage.reports<Tables>(), keyId, since),
    prune: (before: number, maxRows: number) => deleteOld(storage, before, maxRows),
  };
}

export type InvocationStore = ReturnType<typeof createInvocationStore>;

/** The servers called most since then. */
async function readByServer(db: Db, since: number): Promise<ServerUse[]> {
  const rows = await db
    .selectFrom('invocations')
    .select(['server_id', calls, successes, callerFaults, meanLatency.as('latency_ms')])
    .where('at', '>=', since)
    .groupBy('server_id')
    .orderBy('calls', 'desc')
    .orderBy('server_id')
    .limit(serversShown)
    .execute();
  return rows.map((row) => ({
    serverId: row.server_id,
    calls: Number(row.calls),
    successes: Number(row.successes),
    callerFaults: Number(row.caller_faults),
    latencyMs: row.latency_ms === null ? null : Math.round(Number(row.latency_ms) * 10) / 10,
  }));
}

/** How the calls of some servers went, step by step since then; a step without calls has no row. */
async function readByStep(db: Db, { serverIds, since, stepMs }: StepQuery): Promise<StepUse[]> {
  if (serverIds.length === 0) return [];
  const step = sql<number>`at / ${sql.lit(stepMs)}`;
  const rows = await db
    .selectFrom('invocations')
    .select(['server_id', step.as('step'), calls, successes, callerFaults])
    .where('at', '>=', since)
    .where('server_id', 'in', serverIds)
    .groupBy(['server_id', step])
    .execute();
  return rows.map((row) => ({
    serverId: row.server_id,
    step: Number(row.step),
    calls: Number(row.calls),
    successes: Number(row.successes),
    callerFaults: Number(row.caller_faults),
  }));
}

/** One key's calls by day since 1970. */
async function readByDay(db: Db, keyId: string, since: number): Promise<ReadonlyMap<number, UseCount>> {
  const day = sql<number>`at / ${sql.lit(dayMs)}`;
  const rows = await db
    .selectFrom('invocations')
    .select([day.as('day'), calls, successes])
    .where('at', '>=', since)
    .where('key_id', '=', keyId)
    .groupBy(day)
    .execute();
  return new Map(
    rows.map((row) => [Number(row.day), { calls: Number(row.calls), successes: Number(row.successes) }]),
  );
}

/** Deletes what is older than `before`, and beyond `maxRows` rows the oldest. */
async function deleteOld(storage: Storage, before: number, maxRows: number): Promise<void> {
  const surplus = await edgeBeyond(storage, { table: 'invocations', column: 'at', kept: maxRows });
  const below = Math.max(before, Number(surplus ?? -1) + 1);
  await deleteBelow(storage.tables(), { table: 'invocations', column: 'at', from: -1, below });
}

/** Adds the rows whose key is new; the first rows of the others' keys. */
async function addKeyed(
  trx: Transaction<Tables>,
  rows: readonly InvocationRow[],
): Promise<ReadonlyMap<string, InvocationRow>> {
  const added = new Set<string>();
  for (const values of insertSlices([...rows].sort(byId), rowsPerInsert)) {
    const inserted = await trx
      .insertInto('invocations')
      .values(values)
      .onConflict((clash) => clash.doNothing())
      .returning('id')
      .execute();
    for (const { id } of inserted) added.add(id);
  }
  const repeated = rows.filter((row) => !added.has(row.id)).map((row) => row.id);
  if (repeated.length === 0) return new Map();
  const first = await trx
    .selectFrom('invocations')
    .selectAll()
    .where('id', 'in', repeated)
    // As the index has it.
    .where('idempotency_key', 'is not', null)
    .execute();
  return new Map(first.map((row) => [row.id, row]));
}

async function addUse(trx: Transaction<Tables>, rows: readonly InvocationRow[]): Promise<void> {
  for (const values of insertSlices(useOf(rows), rowsPerInsert)) {
    await trx
      .insertInto('server_use')
      .values(values)
      .onConflict((clash) =>
        clash.columns(['server_id', 'developer_id', 'day']).doUpdateSet((is) => ({
          calls: is('server_use.calls', '+', is.ref('excluded.calls')),
          successes: is('server_use.successes', '+', is.ref('excluded.successes')),
        })),
      )
      .execute();
  }
}

function byId(a: InvocationRow, b: InvocationRow): number {
  return a.id < b.id ? -1 : 1;
}

function useOf(rows: readonly InvocationRow[]): DayUse[] {
  const days = new Map<string, DayUse>();
  for (const row of rows) {
    const day = dayOf(row.at);
    const key = `${row.server_id}\n${row.developer_id}\n${day}`;
    let use = days.get(key);
    if (use === undefined) {
      use = { server_id: row.server_id, developer_id: row.developer_id, day, calls: 0, successes: 0 };
      days.set(key, use);
    }
    use.calls += row.calls;
    use.successes += row.success * row.calls;
  }
  return [...days.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, use]) => use);
}
