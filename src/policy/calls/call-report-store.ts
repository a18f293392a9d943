import { type Kysely, sql } from 'kysely';
import { logIdBefore } from '../../base/id.ts';
import type { Storage } from '../../storage/storage.ts';
import type { CallOutcome } from './call-log-store.ts';

type Tables = { calls: { id: string; at: number; server_id: string; outcome: CallOutcome } };
type Db = Kysely<Tables>;

export type OutcomeCount = { readonly outcome: CallOutcome; readonly calls: number };
/** `hour` since 1970. */
export type HourCount = OutcomeCount & { readonly serverId: string; readonly hour: number };

const hourMs = 3_600_000;
const serversShown = 12;

/** What the record of calls says of many; ids are in the order of their times, so that a time is where a scan begins. */
export function createCallReports(storage: Storage) {
  const since = (db: Db, from: number) =>
    db.selectFrom('calls').where('id', '>=', logIdBefore('call', Math.max(0, from)));
  const counted = sql<number>`count(*)`.as('calls');
  return {
    async outcomes(from: number): Promise<OutcomeCount[]> {
      const rows = await since(storage.reports<Tables>(), from)
        .select(['outcome', counted])
        .groupBy('outcome')
        .orderBy('calls', 'desc')
        .execute();
      return rows.map(({ outcome, calls }) => ({ outcome, calls: Number(calls) }));
    },

    /** Of the servers called most. */
    async byHour(from: number): Promise<HourCount[]> {
      const reports = storage.reports<Tables>();
      const busiest = await since(reports, from)
        .select(['server_id', counted])
        .groupBy('server_id')
        .orderBy('calls', 'desc')
        .orderBy('server_id')
        .limit(serversShown)
        .execute();
      if (busiest.length === 0) return [];
      const ids = busiest.map(({ server_id: id }) => id);
      const hour = sql<number>`at / ${sql.lit(hourMs)}`;
      const rows = await since(reports, from)
        .select(['server_id', 'outcome', hour.as('hour'), counted])
        .where('server_id', 'in', ids)
        .groupBy(['server_id', 'outcome', hour])
        .execute();
      return rows
        .map(({ server_id: serverId, outcome, hour: at, calls }) => ({
          ...{ serverId, outcome },
          ...{ hour: Math.floor(Number(at)), calls: Number(calls) },
        }))
        .sort((a, b) => ids.indexOf(a.serverId) - ids.indexOf(b.serverId) || a.hour - b.hour);
    },
  };
}

export type CallReports = ReturnType<typeof createCallReports>;
