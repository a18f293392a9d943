import { type Kysely, sql } from 'kysely';
import { newId } from '../../base/id.ts';
import type { JobTables } from './leases.ts';
import type { SharedNow } from './shared-now.ts';

/** Which processes serve from this store now. Each holds a lease of its own for as long as it does. */
export type Presence = {
  /** Says that this process serves, and what it knows of; to be said again before `presenceMs` are over. */
  announce(facts: readonly string[]): Promise<void>;
  withdraw(): Promise<void>;
  /** What each of them said, this one's included. */
  serving(): Promise<readonly (readonly string[])[]>;
};

/** A process that was killed counts for so long. */
const presenceMs = 30_000;
const prefix = 'serving:';
const separator = ' ';

export function createPresence(db: Kysely<JobTables>, sharedNow: SharedNow): Presence {
  const name = `${prefix}${newId('own')}`;
  const all = sql<boolean>`name like ${`${prefix}%`}`;
  return {
    async announce(facts) {
      const row = { holder: facts.join(separator), lease_until: sharedNow(presenceMs) };
      await db
        .insertInto('jobs')
        .values({ name, next_run_at: 0, ...row })
        .onConflict((clash) => clash.column('name').doUpdateSet(row))
        .execute();
      await db.deleteFrom('jobs').where(all).where('lease_until', '<=', sharedNow()).execute();
    },
    async withdraw() {
      await db.deleteFrom('jobs').where('name', '=', name).execute();
    },
    async serving() {
      const rows = await db
        .selectFrom('jobs')
        .select('holder')
        .where(all)
        .where('lease_until', '>', sharedNow())
        .execute();
      return rows.map(({ holder }) => (holder ?? '').split(separator));
    },
  };
}
