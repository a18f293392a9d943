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
};

export function createQueryLogStore(storage: Storage) {
  return {
    append: (entries: readonly QueryLogEntry[]): Promise<void> =>
      storage.write<QueryLogTables, void>(async (trx) => {
        await trx.insertInto('query_log').values(entries.map(rowOf)).execute();
      }),

    async prune(beforeMs: number): Promise<number> {
      const gone = await storage
        .tables<QueryLogTables>()
        .deleteFrom('query_log')
        .where('at', '<', beforeMs)
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
    query: entry.query,
    shown: entry.shown.map(({ serverId }) => serverId).join('\n'),
    first_rank: entry.shown[0]?.rank ?? 1,
    total: entry.total,
    snapshot: entry.snapshot,
    cache_hit: entry.cacheHit ? 1 : 0,
    latency_ms: entry.latencyMs,
    at: entry.at,
  };
}
