import { sql } from 'kysely';
import type { Storage } from '../../storage/storage.ts';
import type { Outcome } from './learning-model.ts';

type Tables = {
  invocations: {
    id: string;
    developer_id: string;
    query_log_id: string | null;
    server_id: string;
    tool_name: string;
    success: number;
    latency_ms: number | null;
    error_type: string | null;
    at: number;
    calls: number;
  };
  query_log: { id: string; developer_id: string; query: string; shown: string; first_rank: number };
};

export type LogPosition = { readonly at: number; readonly id: string };
export type OutcomeStore = ReturnType<typeof createOutcomeStore>;

export function createOutcomeStore(storage: Storage) {
  return {
    /** In the order of time and id, after a position and through a time; a search counts for its own developer's invocations only. */
    async after({ at, id }: LogPosition, through: number, limit: number): Promise<Outcome[]> {
      const rows = await storage
        .tables<Tables>()
        .selectFrom('invocations as i')
        .leftJoin('query_log as q', (join) =>
          join.onRef('q.id', '=', 'i.query_log_id').onRef('q.developer_id', '=', 'i.developer_id'),
        )
        .select(['i.id', 'i.at', 'i.developer_id', 'i.server_id', 'i.tool_name', 'i.success', 'i.error_type'])
        .select(['i.calls', 'i.query_log_id', 'q.query', 'q.shown', 'q.first_rank'])
        .where('i.at', '>=', at)
        .where('i.at', '<=', through)
        .where((where) => where.or([where('i.at', '>', at), where('i.id', '>', id)]))
        .orderBy('i.at')
        .orderBy('i.id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        id: row.id,
        at: row.at,
        developerId: row.developer_id,
        serverId: row.server_id,
        toolName: row.tool_name,
        success: row.success === 1,
        errorType: row.error_type,
        calls: row.calls,
        query: row.query,
        awaitsQuery: row.query_log_id !== null && row.query === null,
        rank: rankIn(row.shown, row.first_rank, row.server_id),
      }));
    },
    /** How many there are of each time, from one through another. */
    async counts(from: number, through: number): Promise<{ readonly at: number; readonly rows: number }[]> {
      const found = await storage
        .tables<Tables>()
        .selectFrom('invocations')
        .select(['at', sql<number>`count(*)`.as('rows')])
        .where('at', '>=', from)
        .where('at', '<=', through)
        .groupBy('at')
        .execute();
      return found.map(({ at, rows }) => ({ at, rows: Number(rows) }));
    },
  };
}

/** `shown` holds the ids in order, one a line. */
function rankIn(shown: string | null, firstRank: number | null, serverId: string): number | null {
  const at = shown === null ? -1 : shown.split('\n').indexOf(serverId);
  return at < 0 ? null : (firstRank ?? 1) + at;
}
