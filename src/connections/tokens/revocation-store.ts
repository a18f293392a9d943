import type { Kysely } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ConnectionTables, RevocationRow } from '../connection-rows.ts';

/** Tokens that the provider has yet to be told of; nothing in a row says whose they were. */
export function createRevocationStore(storage: Storage, clock: Clock) {
  const db = storage.tables<ConnectionTables>();
  return {
    async add(trx: Kysely<ConnectionTables>, rows: readonly RevocationRow[]): Promise<void> {
      if (rows.length > 0)
        await trx
          .insertInto('oauth_revocations')
          .values([...rows])
          .execute();
    },
    due: (limit: number): Promise<RevocationRow[]> =>
      db
        .selectFrom('oauth_revocations')
        .selectAll()
        .where('next_at', '<=', clock.now())
        .orderBy('next_at')
        .limit(limit)
        .execute(),
    /** Puts it off until `nextAt`; false when another process was first. */
    async claim(row: RevocationRow, nextAt: number): Promise<boolean> {
      const claimed = await db
        .updateTable('oauth_revocations')
        .set({ attempts: row.attempts + 1, next_at: nextAt })
        .where('id', '=', row.id)
        .where('attempts', '=', row.attempts)
        .executeTakeFirst();
      return claimed.numUpdatedRows > 0n;
    },
    /** Done with it, or given up. */
    async finish(row: RevocationRow, action: 'token.revoke' | 'token.revoke_failed'): Promise<void> {
      await storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
        await trx.deleteFrom('oauth_revocations').where('id', '=', row.id).execute();
        const { developer_id: developerId, provider, id: subject } = row;
        await audit({ developerId, actor: 'system', action, subject, facts: { provider } });
      });
    },
  };
}
