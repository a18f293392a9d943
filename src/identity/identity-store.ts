import { sql, type Transaction } from 'kysely';
import type { Clock } from '../base/clock.ts';
import { type Storage, WriteBehind } from '../storage/storage.ts';

type UserRow = {
  developer_id: string;
  user_id: string;
  /** Milliseconds of the last revocation, or of the first token: families of an earlier epoch are dead. */
  epoch: number;
  created_at: number;
};
type FamilyRow = {
  id: string;
  developer_id: string;
  user_id: string;
  epoch: number;
  salt: string;
  generation: number;
  /** SHA-256 of the refresh token that is good now. */
  digest: string;
  rotated_at: number;
  created_at: number;
  idle_until: number;
  ends_at: number;
  revoked_at: number | null;
};
type IdentityTables = { users: UserRow; refresh_families: FamilyRow };

export type Owner = { readonly developerId: string; readonly userId: string };
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
type AddedFamily = {
  readonly owner: Owner;
  readonly actor: string;
  readonly family: Pick<FamilyRow, 'id' | 'salt' | 'digest' | 'idle_until' | 'ends_at'>;
  /** By what the user was named. */
  readonly how: string;
};
/** A family with the epoch its user is in. */
export type Family = FamilyRow & { readonly user_epoch: number };
type FamilyChange =
  | { readonly kind: 'none' }
  | { readonly kind: 'rotate'; readonly digest: string; readonly idleUntil: number }
  | { readonly kind: 'revoke' };

export type Decision = {
  readonly change: FamilyChange;
  readonly userId: string;
  /** The refresh token to hand out; null: none. */
  readonly successor: string | null;
};
type ChangedFamily = {
  readonly id: string;
  readonly actor: string;
  readonly decide: (family: Family | undefined) => Decision;
};
type WriteArguments = Parameters<Parameters<Storage['write']>[0]>;
type Writing = {
  readonly trx: Transaction<IdentityTables>;
  readonly notify: WriteArguments[1];
  readonly audit: WriteArguments[2];
};

/** Group commit: enough to share the disk's flush, few enough that nobody waits for the others. */
const groupCommit = { batchSize: 64, gatherMs: 0, maxQueued: 10_000, retryMs: null };

/** What other processes must forget: one family, or all of a user. */
export type Revocation = { readonly family?: string; readonly user?: readonly [string, string] };

export function createIdentityStore(storage: Storage, clock: Clock) {
  const db = storage.tables<IdentityTables>();
  const familyOf = (from: Pick<typeof db, 'selectFrom'>, id: string): Promise<Family | undefined> =>
    from
      .selectFrom('refresh_families')
      .innerJoin('users', (join) =>
        join
          .onRef('users.developer_id', '=', 'refresh_families.developer_id')
          .onRef('users.user_id', '=', 'refresh_families.user_id'),
      )
      .selectAll('refresh_families')
      .select('users.epoch as user_epoch')
      .where('refresh_families.id', '=', id)
      .executeTakeFirst();

  const addFamilies = (added: readonly AddedFamily[]) =>
    storage.write<IdentityTables, void>(async (trx, _notify, audit) => {
      const now = clock.now();
      // In one order everywhere: two processes that lock the same users must not wait for each other (PostgreSQL).
      for (const { owner, actor, family, how } of added.toSorted(byOwner)) {
        const values = {
          ...family,
          developer_id: owner.developerId,
          user_id: owner.userId,
          epoch: await epochOf(trx, owner, now),
          generation: 1,
          rotated_at: now,
          created_at: now,
          revoked_at: null,
        };
        await trx.insertInto('refresh_families').values(values).execute();
        await audit({ ...owner, actor, action: 'token.issue', subject: family.id, facts: { how } });
      }
    });

  const changeFamily = async (
    { trx, notify, audit }: Writing,
    { id, actor, decide }: ChangedFamily,
  ): Promise<Decision> => {
    for (;;) {
      const family = await familyOf(trx, id);
      const decision = decide(family);
      const { change } = decision;
      if (family === undefined || change.kind === 'none') return decision;
      const entry = { developerId: family.developer_id, userId: family.user_id, actor, subject: id };
      if (change.kind === 'revoke') {
        const revoked = { revoked_at: clock.now() };
        await trx.updateTable('refresh_families').set(revoked).where('id', '=', id).execute();
        await audit({ ...entry, action: 'token.reuse', facts: { generation: family.generation } });
        await notify('identity', JSON.stringify({ family: id } satisfies Revocation));
        return decision;
      }
      const generation = family.generation + 1;
      const rotated = await trx
        .updateTable('refresh_families')
        .set({
          generation,
          digest: change.digest,
          rotated_at: clock.now(),
          idle_until: change.idleUntil,
        })
        .where('id', '=', id)
        .where('generation', '=', family.generation)
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      if (rotated.numUpdatedRows === 0n) continue;
      await audit({ ...entry, action: 'token.refresh', facts: { generation } });
      return decision;
    }
  };
  const changeFamilies = (asked: readonly ChangedFamily[]) =>
    storage.write<IdentityTables, Decision[]>(async (trx, notify, audit) => {
      const decisions = new Map<ChangedFamily, Decision>();
      for (const each of asked.toSorted((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id))))
        decisions.set(each, await changeFamily({ trx, notify, audit }, each));
      return asked.map((each) => decisions.get(each) as Decision);
    });

  const additions = new WriteBehind<AddedFamily>({ ...groupCommit, write: addFamilies });
  const changes = new WriteBehind<ChangedFamily, Decision>({ ...groupCommit, write: changeFamilies });

  return {
    family: (id: string) => familyOf(db, id),

    /** A family of a user, who is made when unknown. */
    addFamily: (added: AddedFamily) => additions.commit(added),

    /**
     * Reads a family, lets `decide` say what becomes of it, and does that, in one transaction. When another process was
     * faster, `decide` is asked again about what that one left.
     */
    changeFamily: (change: ChangedFamily) => changes.commit(change),

    /** Ends every family of the user at once; an unknown user has none. */
    async revokeUser(owner: Owner, actor: string): Promise<void> {
      await storage.write<IdentityTables, void>(async (trx, notify, audit) => {
        // Greater than any epoch before, whatever this machine's clock says.
        await trx
          .updateTable('users')
          .set((e) => ({
            epoch: e
              .case()
              .when('epoch', '>=', clock.now())
              .then(e('epoch', '+', 1))
              .else(clock.now())
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
        await notify('identity', revocationOf(owner));
      });
    },

    /** The newest first. */
    async users({ developerId, text, limit }: UserQuery): Promise<ListedUser[]> {
      let rows = db
        .selectFrom('users')
        .leftJoin('refresh_families', (join) =>
          join
            .onRef('refresh_families.developer_id', '=', 'users.developer_id')
            .onRef('refresh_families.user_id', '=', 'users.user_id')
            .onRef('refresh_families.epoch', '>=', 'users.epoch')
            .on('refresh_families.revoked_at', 'is', null)
            .on('refresh_families.idle_until', '>', clock.now()),
        )
        .select([
          'users.developer_id',
          'users.user_id',
          'users.created_at',
          sql<number>`count(refresh_families.id)`.as('sessions'),
        ])
        .groupBy(['users.developer_id', 'users.user_id', 'users.created_at']);
      if (developerId !== undefined) rows = rows.where('users.developer_id', '=', developerId);
      if (text !== undefined)
        rows = rows.where(
          sql<boolean>`lower(users.user_id) like ${`%${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`} escape '\\'`,
        );
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
    },

    /** Nothing about the user stays but audit entries that no longer say about whom they are. */
    async deleteUser({ developerId, userId }: Owner, actor: string): Promise<boolean> {
      return storage.write<IdentityTables, boolean>(async (trx, notify, audit) => {
        const tables = ['refresh_families', 'users'] as const;
        let deleted = 0n;
        for (const table of tables) {
          const rows = await trx
            .deleteFrom(table)
            .where('developer_id', '=', developerId)
            .where('user_id', '=', userId)
            .executeTakeFirst();
          deleted += rows.numDeletedRows;
        }
        await storage.audit.forget(trx as never, developerId, userId);
        await audit({ developerId, actor, action: 'user.delete' });
        await notify('identity', revocationOf({ developerId, userId }));
        return deleted > 0n;
      });
    },

    /** Families that can never be used again. */
    async prune(): Promise<void> {
      await db.deleteFrom('refresh_families').where('idle_until', '<', clock.now()).execute();
    },
  };
}

function byOwner({ owner: a }: AddedFamily, { owner: b }: AddedFamily): number {
  const [first, second] = [`${a.developerId} ${a.userId}`, `${b.developerId} ${b.userId}`];
  return first < second ? -1 : Number(first > second);
}

function revocationOf({ developerId, userId }: Owner): string {
  return JSON.stringify({ user: [developerId, userId] } satisfies Revocation);
}

/** The user's epoch, in one statement: of two processes that make the same user at once, both read the one that is there. */
async function epochOf(
  trx: Transaction<IdentityTables>,
  { developerId, userId }: Owner,
  now: number,
): Promise<number> {
  const { epoch } = await trx
    .insertInto('users')
    .values({ developer_id: developerId, user_id: userId, epoch: now, created_at: now })
    .onConflict((c) =>
      c.columns(['developer_id', 'user_id']).doUpdateSet((e) => ({ epoch: e.ref('users.epoch') })),
    )
    .returning('epoch')
    .executeTakeFirstOrThrow();
  return epoch;
}
