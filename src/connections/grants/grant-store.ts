import type { Kysely } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ConnectionQuery, Owner } from '../model.ts';
import { ownerTag } from '../servers/holdings.ts';
import type { ConnectionTables, GrantRow } from '../tables.ts';

/** The columns that an issue of tokens sets. */
export type Issue = Pick<
  GrantRow,
  | 'scopes'
  | 'version'
  | 'access_sealed'
  | 'refresh_sealed'
  | 'proof_key_sealed'
  | 'issued_at'
  | 'life_ms'
  | 'refresh_at'
>;

const whole = { status: 'active', holder: null, lease_until: 0, failures: 0, retry_at: 0 } as const;

export function createGrantStore(storage: Storage, clock: Clock) {
  const db = storage.tables<ConnectionTables>();
  const ofOwner = ({ developerId, userId }: Owner) =>
    db
      .selectFrom('connections')
      .selectAll()
      .where('developer_id', '=', developerId)
      .where('user_id', '=', userId);
  const auditOf = (row: GrantRow, actor: string, action: string) => ({
    developerId: row.developer_id,
    actor,
    action,
    userId: row.user_id,
    subject: row.id,
  });

  return {
    /** Without an account, the one that was connected first: a second account never takes over silently (threats F13). */
    find(owner: Owner, provider: string, account?: string): Promise<GrantRow | undefined> {
      const rows = ofOwner(owner).where('provider', '=', provider);
      return (account === undefined ? rows : rows.where('account', '=', account))
        .orderBy('created_at')
        .orderBy('id')
        .limit(1)
        .executeTakeFirst();
    },
    byId: (id: string): Promise<GrantRow | undefined> =>
      db.selectFrom('connections').selectAll().where('id', '=', id).executeTakeFirst(),
    ofUser: (owner: Owner): Promise<GrantRow[]> => ofOwner(owner).orderBy('id').execute(),

    list({ developerId, userId, provider, after, limit }: ConnectionQuery): Promise<GrantRow[]> {
      let query = db.selectFrom('connections').selectAll();
      if (developerId !== undefined) query = query.where('developer_id', '=', developerId);
      if (userId !== undefined) query = query.where('user_id', '=', userId);
      if (provider !== undefined) query = query.where('provider', '=', provider);
      if (after !== undefined) query = query.where('id', '>', after);
      return query.orderBy('id').limit(limit).execute();
    },

    /** One statement: of all processes one gets it, and only for the tokens it has seen. */
    async takeLease(row: GrantRow, holder: string, forMs: number): Promise<boolean> {
      const taken = await db
        .updateTable('connections')
        .set({ holder, lease_until: storage.sharedNow(forMs) })
        .where('id', '=', row.id)
        .where('version', '=', row.version)
        .where('status', '=', 'active')
        .where('lease_until', '<=', storage.sharedNow())
        .executeTakeFirst();
      return taken.numUpdatedRows > 0n;
    },
    async renewLease(id: string, holder: string, forMs: number): Promise<void> {
      await db
        .updateTable('connections')
        .set({ lease_until: storage.sharedNow(forMs) })
        .where('id', '=', id)
        .where('holder', '=', holder)
        .execute();
    },
    /** After a failure that may pass: the next try not before `retryAt`. */
    async release(id: string, holder: string, failures: number, retryAt: number): Promise<void> {
      await storage.write<ConnectionTables, void>(async (trx, notify) => {
        await trx
          .updateTable('connections')
          .set({ holder: null, lease_until: 0, failures, retry_at: retryAt })
          .where('id', '=', id)
          .where('holder', '=', holder)
          .execute();
        await notify('connections', id);
      });
    },

    /** New tokens in the place of version `over`; false when that is not the row's version any more (the fence, threats J4). */
    saveRefreshed(row: GrantRow, over: number, issue: Issue): Promise<boolean> {
      return storage.write<ConnectionTables, boolean>(async (trx, notify, audit) => {
        const saved = await trx
          .updateTable('connections')
          .set({ ...issue, ...whole, updated_at: clock.now() })
          .where('id', '=', row.id)
          .where('version', '=', over)
          .executeTakeFirst();
        if (saved.numUpdatedRows === 0n) return false;
        await notify('connections', row.id);
        await audit({ ...auditOf(row, 'system', 'grant.refresh'), facts: { version: issue.version } });
        return true;
      });
    },

    /** The provider says that the grant is over; false when somebody else has newer tokens, or has the turn. */
    saveDead(row: GrantRow, holder: string | null): Promise<boolean> {
      return storage.write<ConnectionTables, boolean>(async (trx, notify, audit) => {
        let query = trx
          .updateTable('connections')
          .set({ status: 'needs_reauth', holder: null, lease_until: 0, updated_at: clock.now() })
          .where('id', '=', row.id)
          .where('version', '=', row.version)
          .where('status', '=', 'active');
        if (holder !== null) query = query.where('holder', '=', holder);
        if ((await query.executeTakeFirst()).numUpdatedRows === 0n) return false;
        await notify('connections', row.id);
        await notify('connections', ownerTag({ developerId: row.developer_id, userId: row.user_id }));
        await audit(auditOf(row, 'system', 'grant.expire'));
        return true;
      });
    },

    /** Scopes that an MCP server asked for beyond the consent (RFC 6750 section 3.1). */
    async saveWanted(owner: Owner, id: string, wanted: string): Promise<void> {
      await storage.write<ConnectionTables, void>(async (trx, notify) => {
        await trx.updateTable('connections').set({ wanted }).where('id', '=', id).execute();
        await notify('connections', ownerTag(owner));
      });
    },

    /** The trail has the first use of each issue; one row for every call would be another log of requests. */
    async markUsed(row: GrantRow, actor: string): Promise<void> {
      if (row.used_version >= row.version) return;
      await storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
        const marked = await trx
          .updateTable('connections')
          .set({ used_version: row.version })
          .where('id', '=', row.id)
          .where('used_version', '<', row.version)
          .executeTakeFirst();
        if (marked.numUpdatedRows > 0n)
          await audit({ ...auditOf(row, actor, 'token.use'), facts: { version: row.version } });
      });
    },

    /** In the transaction of a consent: a row of its own, or newer tokens in the place of version `over`. */
    async put(trx: Kysely<ConnectionTables>, row: GrantRow, over: number | null): Promise<boolean> {
      if (over === null) {
        const added = await trx
          .insertInto('connections')
          .values(row)
          .onConflict((c) => c.columns(['developer_id', 'user_id', 'provider', 'account']).doNothing())
          .executeTakeFirst();
        return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
      }
      const { id, ...columns } = row;
      const saved = await trx
        .updateTable('connections')
        .set({ ...columns, ...whole })
        .where('id', '=', id)
        .where('version', '=', over)
        .executeTakeFirst();
      return saved.numUpdatedRows > 0n;
    },

    /** False when it was gone already. */
    async remove(trx: Kysely<ConnectionTables>, row: GrantRow): Promise<boolean> {
      const removed = await trx
        .deleteFrom('connections')
        .where('id', '=', row.id)
        .where('version', '=', row.version)
        .executeTakeFirst();
      return removed.numDeletedRows > 0n;
    },
  };
}

export type GrantStore = ReturnType<typeof createGrantStore>;
