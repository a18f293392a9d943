import type { Kysely } from 'kysely';
import { newLogId } from '../../base/id.ts';
import type { Storage } from '../../storage/storage.ts';
import type { AuthType, CatalogTool } from '../catalog-model.ts';
import { type CatalogTables, type CatalogTrx, toolsOf } from '../catalog-store.ts';
import type {
  Drift,
  DriftKind,
  DriftRecord,
  Health,
  HealthCheck,
  HealthState,
  ProbedTools,
  Suspicion,
} from './health-model.ts';

export type HealthRow = {
  server_id: string;
  state: HealthState;
  era: string | null;
  auth: AuthType | null;
  latency_ms: number | null;
  reason: string | null;
  failures: number;
  checks: number;
  ups: number;
  fingerprint: string | null;
  destructive: string;
  suspicions: string;
  since: number;
  checked_at: number;
  next_at: number;
};
type HealthTables = CatalogTables & {
  server_health: HealthRow;
  server_looks: {
    id: string;
    server_id: string;
    at: number;
    state: HealthState;
    latency_ms: number | null;
  };
  tool_drift: {
    id: string;
    server_id: string;
    at: number;
    kind: DriftKind;
    tool: string;
    before: string | null;
    after: string | null;
  };
};

/** A server to probe, with what decides where it is. */
export type DueServer = { readonly id: string; readonly url: string };

export function createHealthStore(storage: Storage) {
  const db = storage.tables<HealthTables>();
  return { ...createSchedule(db), ...createReads(db), probedTools: () => probedTools(db) };
}

function createSchedule(db: Kysely<HealthTables>) {
  return {
    /** Remote servers whose next probe is due, those never probed first. URLs with settings to fill in cannot be asked. */
    async due(now: number, limit: number): Promise<DueServer[]> {
      const rows = await db
        .selectFrom('servers')
        .leftJoin('server_health', 'server_health.server_id', 'servers.id')
        .select(['servers.id', 'servers.remote_url'])
        .where('servers.deleted_at', 'is', null)
        .where('servers.remote_url', 'is not', null)
        .where('servers.remote_url', 'not like', '%{%')
        .where((is) =>
          is.or([is('server_health.next_at', 'is', null), is('server_health.next_at', '<=', now)]),
        )
        .orderBy((is) => is.fn.coalesce('server_health.next_at', is.val(0)))
        .orderBy('servers.id')
        .limit(limit)
        .execute();
      return rows.map(({ id, remote_url }) => ({ id, url: remote_url ?? '' }));
    },
    async postpone(ids: readonly string[], until: number): Promise<void> {
      if (ids.length === 0) return;
      await db.updateTable('server_health').set({ next_at: until }).where('server_id', 'in', ids).execute();
    },
    async prune(before: number): Promise<void> {
      await db.deleteFrom('server_looks').where('at', '<', before).execute();
    },
  };
}

function createReads(db: Kysely<HealthTables>) {
  return {
    async find(serverId: string): Promise<Health | null> {
      const row = await db
        .selectFrom('server_health')
        .selectAll()
        .where('server_id', '=', serverId)
        .executeTakeFirst();
      return row === undefined ? null : healthOf(row);
    },
    async findAll(serverIds: readonly string[]): Promise<ReadonlyMap<string, Health>> {
      if (serverIds.length === 0) return new Map();
      const rows = await db
        .selectFrom('server_health')
        .selectAll()
        .where('server_id', 'in', serverIds)
        .execute();
      return new Map(rows.map((row) => [row.server_id, healthOf(row)]));
    },
    /** The servers that a ranking should know of: not alive, or suspect. */
    async unhealthyServers() {
      const rows = await db
        .selectFrom('server_health')
        .select(['server_id', 'state', 'failures', 'suspicions'])
        .where((is) => is.or([is('failures', '>', 0), is('suspicions', '<>', '[]')]))
        .execute();
      return rows.map(({ server_id, state, failures, suspicions }) => ({
        id: server_id,
        state,
        failures,
        suspect: suspicions !== '[]',
      }));
    },
    async history(serverId: string, limit: number): Promise<HealthCheck[]> {
      const rows = await db
        .selectFrom('server_looks')
        .select(['at', 'state', 'latency_ms'])
        .where('server_id', '=', serverId)
        .orderBy('at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ at, state, latency_ms }) => ({ at, state, latencyMs: latency_ms }));
    },
    drift(serverId: string, limit: number): Promise<DriftRecord[]> {
      return db
        .selectFrom('tool_drift')
        .select(['id', 'at', 'kind', 'tool', 'before', 'after'])
        .where('server_id', '=', serverId)
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
    },
  };
}

async function probedTools(db: Kysely<HealthTables>): Promise<ProbedTools> {
  const [drift, suspicions] = await Promise.all([
    db
      .selectFrom('tool_drift')
      .select(['server_id', 'tool'])
      .distinct()
      .where('kind', '<>', 'vanished')
      .execute(),
    db
      .selectFrom('server_health')
      .select(['server_id', 'suspicions'])
      .where('suspicions', '<>', '[]')
      .execute(),
  ]);
  const drifted = new Map<string, Set<string>>();
  for (const { server_id, tool } of drift)
    drifted.set(server_id, (drifted.get(server_id) ?? new Set()).add(tool));
  const toolsIn = (json: string) => new Set((JSON.parse(json) as Suspicion[]).map(({ tool }) => tool));
  return {
    drifted,
    suspicious: new Map(suspicions.map((row) => [row.server_id, toolsIn(row.suspicions)])),
  };
}

/** What is known of a server before a probe: its row, its tools, and the health row when there is one. */
export async function before(trx: CatalogTrx, serverId: string) {
  const db = trx as unknown as Kysely<HealthTables>;
  const server = await db.selectFrom('servers').selectAll().where('id', '=', serverId).executeTakeFirst();
  const health = await db
    .selectFrom('server_health')
    .selectAll()
    .where('server_id', '=', serverId)
    .executeTakeFirst();
  const tools: readonly CatalogTool[] = (await toolsOf(trx, [serverId])).get(serverId) ?? [];
  return { server, health, tools };
}

/** The probe, its place in the past, and what changed since the one before. */
export async function writeProbe(trx: CatalogTrx, row: HealthRow, drift: readonly Drift[]): Promise<void> {
  const db = trx as unknown as Kysely<HealthTables>;
  const { server_id, ...values } = row;
  await db
    .insertInto('server_health')
    .values(row)
    .onConflict((clash) => clash.column('server_id').doUpdateSet(values))
    .execute();
  await db
    .insertInto('server_looks')
    .values({
      id: newLogId('look', row.checked_at),
      server_id,
      at: row.checked_at,
      state: row.state,
      latency_ms: row.latency_ms,
    })
    .execute();
  for (const change of drift)
    await db
      .insertInto('tool_drift')
      .values({ id: newLogId('drift', row.checked_at), server_id, at: row.checked_at, ...change })
      .execute();
}

function healthOf(row: HealthRow): Health {
  return {
    serverId: row.server_id,
    state: row.state,
    era: row.era,
    auth: row.auth,
    latencyMs: row.latency_ms,
    reason: row.reason,
    failures: row.failures,
    uptime: row.checks === 0 ? 0 : row.ups / row.checks,
    checks: row.checks,
    fingerprint: row.fingerprint,
    suspicions: JSON.parse(row.suspicions) as Suspicion[],
    since: row.since,
    checkedAt: row.checked_at,
  };
}
