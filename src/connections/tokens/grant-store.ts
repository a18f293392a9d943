import type { Kysely } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { sha256Hex } from '../../base/id.ts';
import type { Notify, Storage } from '../../storage/storage.ts';
import type { ConnectionTables, GrantRow } from '../connection-rows.ts';
import type { ConnectionQuery, Owner } from '../connections-model.ts';

/** The columns that an issue of tokens sets. */
export type IssueColumns = Pick<
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

const settled = { status: 'active', holder: null, lease_until: 0, failures: 0, retry_at: 0 } as const;

const ownerPrefix = 'own:';

/** How notices name a user: what they say is in the store in clear. */
export function ownerTag({ developerId, userId }: Owner): string {
  return `${ownerPrefix}${sha256Hex(JSON.stringify([developerId, userId])).slice(0, 32)}`;
}

export function isOwnerTag(notice: string): boolean {
  return notice.startsWith(ownerPrefix);
}

export class GrantStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #db: Kysely<ConnectionTables>;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
    this.#db = storage.tables<ConnectionTables>();
  }

  /** Without an account, the one that was connected first: a second account never takes over silently (threats F13). */
  find(owner: Owner, provider: string, account?: string): Promise<GrantRow | undefined> {
    const rows = this.#ofOwner(owner).where('provider', '=', provider);
    return (account === undefined ? rows : rows.where('account', '=', account))
      .orderBy('created_at')
      .orderBy('id')
      .limit(1)
      .executeTakeFirst();
  }

  /** By the account's name at the provider, else by what people call it (an e-mail address). */
  async findNamed(owner: Owner, provider: string, name: string): Promise<GrantRow | undefined> {
    const rows = await this.#ofOwner(owner)
      .where('provider', '=', provider)
      .where((e) => e.or([e('account', '=', name), e('label', '=', name)]))
      .orderBy('created_at')
      .orderBy('id')
      .execute();
    return rows.find(({ account }) => account === name) ?? rows[0];
  }

  findById(id: string): Promise<GrantRow | undefined> {
    return this.#db.selectFrom('connections').selectAll().where('id', '=', id).executeTakeFirst();
  }

  ofUser(owner: Owner): Promise<GrantRow[]> {
    return this.#ofOwner(owner).orderBy('id').execute();
  }

  list({
    developerId,
    userId,
    provider,
    after,
    limit,
  }: Omit<ConnectionQuery, 'serverId'>): Promise<GrantRow[]> {
    let query = this.#db.selectFrom('connections').selectAll();
    if (developerId !== undefined) query = query.where('developer_id', '=', developerId);
    if (userId !== undefined) query = query.where('user_id', '=', userId);
    if (provider !== undefined) query = query.where('provider', '=', provider);
    if (after !== undefined) query = query.where('id', '>', after);
    return query.orderBy('id').limit(limit).execute();
  }

  /** One statement: of all processes one gets it, and only for the tokens it has seen. */
  async takeLease(row: GrantRow, holder: string, forMs: number): Promise<boolean> {
    const taken = await this.#db
      .updateTable('connections')
      .set({ holder, lease_until: this.#storage.sharedNow(forMs) })
      .where('id', '=', row.id)
      .where('version', '=', row.version)
      .where('status', '=', 'active')
      .where('lease_until', '<=', this.#storage.sharedNow())
      .executeTakeFirst();
    return taken.numUpdatedRows > 0n;
  }

  async renewLease(id: string, holder: string, forMs: number): Promise<void> {
    await this.#db
      .updateTable('connections')
      .set({ lease_until: this.#storage.sharedNow(forMs) })
      .where('id', '=', id)
      .where('holder', '=', holder)
      .execute();
  }

  /** After a failure that may pass: the next try not before `retryAt`. */
  async releaseLease(
    id: string,
    holder: string,
    next: { readonly failures: number; readonly retryAt: number },
  ): Promise<void> {
    await this.#storage.write<ConnectionTables, void>(async (trx, notify) => {
      await trx
        .updateTable('connections')
        .set({ holder: null, lease_until: 0, failures: next.failures, retry_at: next.retryAt })
        .where('id', '=', id)
        .where('holder', '=', holder)
        .execute();
      await notify('connections', id);
    });
  }

  /** New tokens for those of version `replaces`; false when that is not the row's version any more (fencing token, threats J4). */
  saveRefreshed(row: GrantRow, replaces: number, columns: IssueColumns): Promise<boolean> {
    return this.#storage.write<ConnectionTables, boolean>(async (trx, notify, audit) => {
      const saved = await trx
        .updateTable('connections')
        .set({ ...columns, ...settled, updated_at: this.#clock.now() })
        .where('id', '=', row.id)
        .where('version', '=', replaces)
        .executeTakeFirst();
      if (saved.numUpdatedRows === 0n) return false;
      await notify('connections', row.id);
      const facts = { version: columns.version };
      await audit({ ...aboutGrant(row), actor: 'system', action: 'grant.refresh', facts });
      return true;
    });
  }

  /** The grant is over, the user has to connect again; false when somebody else has newer tokens, or has the lease. */
  markExpired(row: GrantRow, holder: string | null): Promise<boolean> {
    return this.#storage.write<ConnectionTables, boolean>(async (trx, notify, audit) => {
      let query = trx
        .updateTable('connections')
        .set({ status: 'needs_reauth', holder: null, lease_until: 0, updated_at: this.#clock.now() })
        .where('id', '=', row.id)
        .where('version', '=', row.version)
        .where('status', '=', 'active');
      if (holder !== null) query = query.where('holder', '=', holder);
      if ((await query.executeTakeFirst()).numUpdatedRows === 0n) return false;
      await notifyGrant(notify, row);
      await audit({ ...aboutGrant(row), actor: 'system', action: 'grant.expire' });
      return true;
    });
  }

  /** Scopes that an MCP server asked for beyond the consent (RFC 6750 section 3.1). */
  async saveWantedScopes(owner: Owner, id: string, wanted: string): Promise<void> {
    await this.#storage.write<ConnectionTables, void>(async (trx, notify) => {
      await trx.updateTable('connections').set({ wanted }).where('id', '=', id).execute();
      await notify('connections', ownerTag(owner));
    });
  }

  /** The trail has the first use of each issue; one row for every call would be another log of requests. */
  async markUsed(row: GrantRow, actor: string): Promise<void> {
    if (row.used_version >= row.version) return;
    await this.#storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
      const marked = await trx
        .updateTable('connections')
        .set({ used_version: row.version })
        .where('id', '=', row.id)
        .where('used_version', '<', row.version)
        .executeTakeFirst();
      if (marked.numUpdatedRows > 0n)
        await audit({ ...aboutGrant(row), actor, action: 'token.use', facts: { version: row.version } });
    });
  }

  /** In the transaction of a consent: a row of its own, or newer tokens for those of version `replaces`. */
  async put(trx: Kysely<ConnectionTables>, row: GrantRow, replaces: number | null): Promise<boolean> {
    if (replaces === null) {
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
      .set({ ...columns, ...settled })
      .where('id', '=', id)
      .where('version', '=', replaces)
      .executeTakeFirst();
    return saved.numUpdatedRows > 0n;
  }

  /** False when it was gone already, or has newer tokens. */
  async remove(trx: Kysely<ConnectionTables>, row: GrantRow): Promise<boolean> {
    const removed = await trx
      .deleteFrom('connections')
      .where('id', '=', row.id)
      .where('version', '=', row.version)
      .executeTakeFirst();
    return removed.numDeletedRows > 0n;
  }

  #ofOwner({ developerId, userId }: Owner) {
    return this.#db
      .selectFrom('connections')
      .selectAll()
      .where('developer_id', '=', developerId)
      .where('user_id', '=', userId);
  }
}

/** Does anybody have a grant of this issuer that is good? */
export function createActiveGrants(storage: Storage) {
  const db = storage.tables<ConnectionTables>();
  return async (issuer: string): Promise<boolean> => {
    const active = await db
      .selectFrom('connections')
      .select('id')
      .where('issuer', '=', issuer)
      .where('status', '=', 'active')
      .limit(1)
      .executeTakeFirst();
    return active !== undefined;
  };
}

export function ownerOf(row: Pick<GrantRow, 'developer_id' | 'user_id'>): Owner {
  return { developerId: row.developer_id, userId: row.user_id };
}

/** To those who keep the grant, and those who keep what its user has. */
export async function notifyGrant(notify: Notify, row: GrantRow): Promise<void> {
  await notify('connections', row.id);
  await notify('connections', ownerTag(ownerOf(row)));
}

function aboutGrant(row: GrantRow) {
  return { ...ownerOf(row), subject: row.id };
}
