import type { Kysely } from 'kysely';
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

export function createLeases(db: Kysely<JobTables>, sharedNow: SharedNow): Leases {
  return {
    async take(name, holder, forMs) {
      const due = await db
        .selectFrom('jobs')
        .select((is) => [
          is('lease_until', '<=', sharedNow()).as('free'),
          is('next_run_at', '<=', sharedNow()).as('ripe'),
        ])
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
        .where('lease_until', '<=', sharedNow())
        .where('next_run_at', '<=', sharedNow())
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
        .set({ holder: null, lease_until: 0, next_run_at: sharedNow(nextInMs) })
        .where('name', '=', name)
        .where('holder', '=', holder)
        .execute();
    },
  };
}
