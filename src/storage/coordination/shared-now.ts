import { type RawBuilder, sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';

/** An expression for a statement: the store's own time, plus so many milliseconds. */
export type SharedNow = (plusMs?: number) => RawBuilder<number>;

/**
 * Replicas of one database go by the database's clock: two of them whose clocks differ by minutes would else both
 * believe that they hold a lease. Processes on one SQLite file share a machine, and so a clock.
 */
export function createSharedNow(dialect: 'sqlite' | 'postgres', clock: Clock): SharedNow {
  if (dialect === 'sqlite') return (plusMs = 0) => sql<number>`${clock.now() + plusMs}`;
  return (plusMs = 0) =>
    sql<number>`((extract(epoch from clock_timestamp()) * 1000)::bigint + ${plusMs}::bigint)`;
}
