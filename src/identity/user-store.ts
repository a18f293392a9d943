import { type Kysely, sql } from 'kysely';
import type { Clock } from '../base/clock.ts';
import type { Storage } from '../storage/storage.ts';
import type { IdentityTables, Owner, Revocation } from './identity-model.ts';

export type UserQuery = {
  readonly developerId?: string;
  /** Part of the user's id. */
  readonly text?: string;
  readonly limit: number;
};
/** A user as the operator sees one. */
export type ListedUser = Owner & {
  readonly createdAt: number;
  /** Refresh tokens that still work: places where the user is signed in. */
  readonly sessions: number;
};

export class UserStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #db: Kysely<IdentityTables>;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
    this.#db = storage.tables<IdentityTables>();
  }

  async ensure({ developerId, userId }: Owner): Promise<void> {
    const now = this.#clock.now();
    await this.#db
      .insertInto('users')
      .values({ developer_id: developerId, user_id: userId, epoch: now, created_at: now })
      .onConflict((c) => c.columns(['developer_id', 'user_id']).doNothing())
      .execute();
  }

  /** Ends every family of the user at once; an unknown user has none. */
  async revoke(owner: Owner, actor: string): Promise<void> {
    const now = this.#clock.now();
    await this.#storage.write<IdentityTables, void>(async (trx, notify, audit) => {
      await trx
        .updateTable('users')
        // Greater than any epoch before, whatever this machine's clock says.
        .set((e) => ({
          epoch: e
            .case()
            .when('epoch', '>=', now)
            .then(e('epoch', '+', 1))
            .else(now)
            .end(),
        }))
        .where('developer_id', '=', owner.developerId)
        .where('user_id', '=', owner.userId)
        .execute();
      await trx
        .deleteFrom('refresh_families')
        .where('developer_id', '=', owner.developerId)
        .where('user_id', '=', owner.userId)
        .execute();
      await audit({ ...owner, actor, action: 'user.revoke' });
      await notify('identity', serializeUserRevocation(owner));
    });
  }

  /** The newest first. */
  async list({ developerId, text, limit }: UserQuery): Promise<ListedUser[]> {
    let rows = this.#db
      .selectFrom('users')
      .leftJoin('refresh_families', (join) =>
        join
          .onRef('refresh_families.developer_id', '=', 'users.developer_id')
          .onRef('refresh_families.user_id', '=', 'users.user_id')
          .onRef('refresh_families.epoch', '>=', 'users.epoch')
          .on('refresh_families.revoked_at', 'is', null)
          .on('refresh_families.idle_until', '>', this.#clock.now()),
      )
      .select([
        'users.developer_id',
        'users.user_id',
        'users.created_at',
        sql<number>`count(refresh_families.id)`.as('sessions'),
      ])
      .groupBy(['users.developer_id', 'users.user_id', 'users.created_at']);
    if (developerId !== undefined) rows = rows.where('users.developer_id', '=', developerId);
    if (text !== undefined) {
      const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
      rows = rows.where(sql<boolean>`lower(users.user_id) like ${pattern} escape '\\'`);
    }
    const found = await rows
      .orderBy('users.created_at', 'desc')
      .orderBy('users.user_id')
      .limit(limit)
      .execute();
    return found.map((row) => ({
      developerId: row.developer_id,
      userId: row.user_id,
      createdAt: row.created_at,
      sessions: Number(row.sessions),
    }));
  }

  /** Nothing about the user stays but audit entries that no longer say about whom they are. False: there was nothing. */
  async delete({ developerId, userId }: Owner, actor: string): Promise<boolean> {
    return this.#storage.write<IdentityTables, boolean>(async (trx, notify, audit) => {
      let deleted = 0n;
      for (const table of ['refresh_families', 'users'] as const) {
        const rows = await trx
          .deleteFrom(table)
          .where('developer_id', '=', developerId)
          .where('user_id', '=', userId)
          .executeTakeFirst();
        deleted += rows.numDeletedRows;
      }
      await this.#storage.audit.forget(trx as never, developerId, userId);
      await audit({ developerId, actor, action: 'user.delete' });
      await notify('identity', serializeUserRevocation({ developerId, userId }));
      return deleted > 0n;
    });
  }
}

function serializeUserRevocation({ developerId, userId }: Owner): string {
  return JSON.stringify({ user: [developerId, userId] } satisfies Revocation);
}
