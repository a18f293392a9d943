import { scrubText } from '../catalog/catalog.ts';
import type { Storage } from '../storage/storage.ts';
import type { QueryLogEntry } from './search.ts';

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

export function createQueryLogStore(storage: Storage) {
  return {
    append: (entries: readonly QueryLogEntry[]): Promise<void> =>
      storage.write<QueryLogTables, void>(async (trx) => {
        await trx.insertInto('query_log').values(entries.map(rowOf)).execute();
      }),

    /**
     * Deletes what is older than `before` and led to no recorded invocation, and beyond `most` rows the oldest,
     * whatever they led to.
     */
    async prune(before: number, most: number): Promise<number> {
      const db = storage.tables<QueryLogTables>();
      const surplus = await db
        .selectFrom('query_log')
        .select('at')
        .orderBy('at', 'desc')
        .offset(most)
        .limit(1)
        .executeTakeFirst();
      const gone = await db
        .deleteFrom('query_log')
        .where((row) =>
          row.or([
            row('at', '<=', surplus?.at ?? -1),
            row.and([
              row('at', '<', before),
              row.not(
                row.exists(
                  row
                    .selectFrom('invocations')
                    .select('invocations.id')
                    .whereRef('invocations.query_log_id', '=', 'query_log.id'),
                ),
              ),
            ]),
          ]),
        )
        .executeTakeFirst();
      return Number(gone.numDeletedRows);
    },
  };
}

function rowOf(entry: QueryLogEntry): QueryLogTables['query_log'] {
  return {
    id: entry.queryLogId,
    developer_id: entry.developerId,
    key_id: entry.keyId,
    // People paste keys into anything; what is learned from words loses nothing by this.
    query: scrubText(entry.query),
    shown: entry.shown.map(({ serverId }) => serverId).join('\n'),
    first_rank: entry.shown[0]?.rank ?? 1,
    total: entry.total,
    snapshot: entry.snapshot,
    cache_hit: entry.cacheHit ? 1 : 0,
    latency_ms: entry.latencyMs,
    at: entry.at,
  };
}
