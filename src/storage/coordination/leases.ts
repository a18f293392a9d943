import type { ExpressionBuilder, Kysely } from 'kysely';
import type { SharedNow } from './shared-now.ts';

export type JobTables = {
  jobs: { name: string; holder: string | null; lease_until: number; next_run_at: number };
};

/** Who of all processes may run a job; every step is one statement, so two processes cannot both succeed. */
export type Leases = {
  /** True when the job is due, nobody holds it, and it is the holder's now. */
  take(name: string, holder: string, forMs: number): Promise<boolean>;
  /** False when the lease ran out and somebody else has it. */
  renew(name: string, holder: string, forMs: number): Promise<boolean>;
  /** Gives it back; the job is due again after `nextInMs`. */
  release(name: string, holder: string, nextInMs: number): Promise<void>;
};

/**
 * A job that nobody holds keeps in `lease_until` when it was given back: where that is still to come, the clock was put
 * back since, and the time of its next run says nothing. It is due then, rather than an hour late.
 */
export function createLeases(db: Kysely<JobTables>, sharedNow: SharedNow): Leases {
  type Is = ExpressionBuilder<JobTables, 'jobs'>;
  const isFree = (is: Is) => is.or([is('holder', 'is', null), is('lease_until', '<=', sharedNow())]);
  const isRipe = (is: Is) =>
    is.or([is('next_run_at', '<=', sharedNow()), is('lease_until', '>', sharedNow())]);
  return {
    async take(name, holder, forMs) {
      const due = await db
        .selectFrom('jobs')
        .select((is) => [isFree(is).as('free'), isRipe(is).as('ripe')])
        .where('name', '=', name)
        .executeTakeFirst();
      if (due !== undefined && (!due.free || !due.ripe)) return false;
      if (due === undefined) {
        await db
          .insertInto('jobs')
          .values({ name, holder: null, lease_until: 0, next_run_at: 0 })
          .onConflict((c) => c.column('name').doNothing())
          .execute();
      }
      const taken = await db
        .updateTable('jobs')
        .set({ holder, lease_until: sharedNow(forMs) })
        .where('name', '=', name)
        .where(isFree)
        .where(isRipe)
        .executeTakeFirst();
      return taken.numUpdatedRows > 0n;
    },

    async renew(name, holder, forMs) {
      const renewed = await db
        .updateTable('jobs')
        .set({ lease_until: sharedNow(forMs) })
        .where('name', '=', name)
        .where('holder', '=', holder)
        .executeTakeFirst();
      return renewed.numUpdatedRows > 0n;
    },

    async release(name, holder, nextInMs) {
      await db
        .updateTable('jobs')
        .set({ holder: null, lease_until: sharedNow(), next_run_at: sharedNow(nextInMs) })
        .where('name', '=', name)
        .where('holder', '=', holder)
        .execute();
    },
  };
}
