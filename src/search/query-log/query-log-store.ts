import { sql } from 'kysely';
import { scrubText } from '../../catalog/catalog.ts';
import { createInsert, deleteBelow, edgeBeyond, type Storage } from '../../storage/storage.ts';
import type { QueryLogEntry, QueryLogSummary } from '../search-model.ts';

type QueryLogTables = {
  query_log: {
    id: string;
    developer_id: string;
    key_id: string;
    query: string;
    /** The servers' ids in the order shown, one a line. */
    shown: string;
    /** Where the first of them stands: more than 1 on a later page. */
    first_rank: number;
    total: number;
    snapshot: number;
    cache_hit: number;
    latency_ms: number;
    at: number;
  };
  invocations: { id: string; query_log_id: string | null };
};

const listLength = 20;
const dayMs = 86_400_000;

const columns = [
  'id',
  'developer_id',
  'key_id',
  'query',
  'shown',
  'first_rank',
  'total',
  'snapshot',
  'cache_hit',
  'latency_ms',
  'at',
] as const;

export function createQueryLogStore(storage: Storage) {
  const insert = createInsert<QueryLogTables, 'query_log'>('query_log', columns);
  return {
    append: (entries: readonly QueryLogEntry[]): Promise<void> =>
      storage.writeBehind<QueryLogTables>(async (trx) => {
        await insert(trx, entries.map(toRow));
      }),
    summary: (since: number) => summarise(storage, since),

    /** One key's searches by day since 1970. */
    async searchesByDay(keyId: string, since: number): Promise<ReadonlyMap<number, number>> {
      const day = sql<number>`at / ${sql.lit(dayMs)}`;
      const rows = await storage
        .reports<QueryLogTables>()
        .selectFrom('query_log')
        .select([day.as('day'), sql<number>`count(*)`.as('searches')])
        .where('at', '>=', since)
        .where('key_id', '=', keyId)
        .groupBy(day)
        .execute();
      return new Map(rows.map((row) => [Number(row.day), Number(row.searches)]));
    },

    prune: (before: number, maxRows: number) => prune(storage, before, maxRows),
  };
}

async function summarise(storage: Storage, since: number): Promise<QueryLogSummary> {
  // Later pages are the same search.
  const rows = () =>
    storage
      .reports<QueryLogTables>()
      .selectFrom('query_log')
      .where('at', '>=', since)
      .where('first_rank', '=', 1);
  const [all, nothing, recent] = await Promise.all([
    rows()
      .select([sql<number>`count(*)`.as('count'), sql<number>`coalesce(sum(cache_hit), 0)`.as('cached')])
      .executeTakeFirstOrThrow(),
    rows()
      .select(['query', sql<number>`count(*)`.as('times'), sql<number>`max(at)`.as('last_at')])
      .where('shown', '=', '')
      .groupBy('query')
      .orderBy('times', 'desc')
      .orderBy('last_at', 'desc')
      .limit(listLength)
      .execute(),
    rows().select(['query', 'shown', 'latency_ms', 'at']).orderBy('at', 'desc').limit(listLength).execute(),
  ]);
  return {
    searches: { count: Number(all.count), cached: Number(all.cached) },
    foundNothing: nothing.map(({ query, times, last_at }) => ({
      query,
      times: Number(times),
      lastAt: Number(last_at),
    })),
    recent: recent.map(({ query, shown, latency_ms, at }) => ({
      query,
      shown: shown === '' ? 0 : shown.split('\n').length,
      latencyMs: latency_ms,
      at,
    })),
  };
}

/**
 * Deletes what is older than `before` and led to no recorded invocation, and beyond `maxRows` rows the oldest,
 * whatever they led to.
 */
async function prune(storage: Storage, before: number, maxRows: number): Promise<number> {
  const mostly = Number(
    (await edgeBeyond(storage, { table: 'query_log', column: 'at', kept: maxRows })) ?? -1,
  );
  return deleteBelow(storage.tables(), {
    table: 'query_log',
    column: 'at',
    from: -1,
    below: Math.max(before, mostly + 1),
    where: sql<boolean>`(at <= ${mostly} or not exists
      (select 1 from invocations where invocations.query_log_id = query_log.id))`,
  });
}

function toRow(entry: QueryLogEntry): QueryLogTables['query_log'] {
  return {
    id: entry.queryLogId,
    developer_id: entry.developerId,
    key_id: entry.keyId,
    // People paste keys into anything; what is learned from words loses nothing by this.
    query: scrubText(entry.query),
    shown: entry.shown.join('\n'),
    first_rank: entry.firstRank,
    total: entry.total,
    snapshot: entry.snapshot,
    cache_hit: entry.cacheHit ? 1 : 0,
    latency_ms: entry.latencyMs,
    at: entry.at,
  };
}
