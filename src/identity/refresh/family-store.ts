import type { Kysely, Transaction } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { type Notify, type Storage, type WriteAudit, WriteBehind } from '../../storage/storage.ts';
import type { Family, IdentityTables, Owner, Revocation } from '../identity-model.ts';

export type NewFamily = {
  readonly owner: Owner;
  readonly actor: string;
  readonly family: Pick<Family, 'id' | 'salt' | 'digest' | 'idle_until' | 'ends_at'>;
  /** By what the user was named. */
  readonly how: string;
};

export type Decision = {
  readonly change:
    | { readonly kind: 'none' }
    | { readonly kind: 'rotate'; readonly digest: string; readonly idleUntil: number }
    | { readonly kind: 'revoke' };
  readonly userId: string;
  /** The refresh token to hand out; null: none. */
  readonly successor: string | null;
};

export type FamilyChange = {
  readonly id: string;
  readonly actor: string;
  readonly decide: (family: Family | undefined) => Decision;
};

type Writing = {
  readonly trx: Transaction<IdentityTables>;
  readonly notify: Notify;
  readonly audit: WriteAudit;
  readonly sharedNow: Storage['sharedNow'];
};

/** Group commit: enough to share the disk's flush, few enough that nobody waits for the others. */
const groupCommit = { batchSize: 64, gatherMs: 0, maxQueued: 10_000, retryMs: null };

/** Families of refresh tokens (RFC 9700 section 4.14.2): one row each, whatever the number of its tokens. */
export class FamilyStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #db: Kysely<IdentityTables>;
  readonly #additions: WriteBehind<NewFamily>;
  readonly #changes: WriteBehind<FamilyChange, Decision>;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
    this.#db = storage.tables<IdentityTables>();
    this.#additions = new WriteBehind({ ...groupCommit, write: (batch) => this.#addAll(batch) });
    this.#changes = new WriteBehind({ ...groupCommit, write: (batch) => this.#changeAll(batch) });
  }

  find(id: string): Promise<Family | undefined> {
    return findFamily(this.#db, this.#storage.sharedNow, id);
  }

  /** A family of a user, who is made when unknown. */
  async add(family: NewFamily): Promise<void> {
    await this.#additions.commit(family);
  }

  /**
   * Reads a family, lets `decide` say what becomes of it, and does that, in one transaction. When another process was
   * faster, `decide` is asked again about what that one left.
   */
  change(change: FamilyChange): Promise<Decision> {
    return this.#changes.commit(change);
  }

  /** Those that can never be used again. */
  async deleteExpired(): Promise<void> {
    await this.#db.deleteFrom('refresh_families').where('idle_until', '<', this.#clock.now()).execute();
  }

  #addAll(added: readonly NewFamily[]): Promise<void> {
    return this.#storage.write<IdentityTables, void>(async (trx, _notify, audit) => {
      const now = this.#clock.now();
      // In one order everywhere: two processes that lock the same users must not wait for each other (PostgreSQL).
      for (const { owner, actor, family, how } of added.toSorted(byOwner)) {
        const values = {
          ...family,
          developer_id: owner.developerId,
          user_id: owner.userId,
          epoch: await readOrMakeEpoch(trx, owner, now),
          generation: 1,
          created_at: now,
          revoked_at: null,
        };
        await trx
          .insertInto('refresh_families')
          .values({ ...values, rotated_at: this.#storage.sharedNow() })
          .execute();
        await audit({ ...owner, actor, action: 'token.issue', subject: family.id, facts: { how } });
      }
    });
  }

  #changeAll(changes: readonly FamilyChange[]): Promise<Decision[]> {
    const { sharedNow } = this.#storage;
    return this.#storage.write<IdentityTables, Decision[]>(async (trx, notify, audit) => {
      const decisions = new Map<FamilyChange, Decision>();
      for (const each of changes.toSorted((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id))))
        decisions.set(each, await changeFamily({ trx, notify, audit, sharedNow }, each, this.#clock));
      return changes.map((each) => decisions.get(each) as Decision);
    });
  }
}

/** How long ago it was turned goes by the store's clock: the token that comes again may come to another replica, whose own clock differs. */
function findFamily(
  db: Pick<Kysely<IdentityTables>, 'selectFrom'>,
  sharedNow: Storage['sharedNow'],
  id: string,
): Promise<Family | undefined> {
  return db
    .selectFrom('refresh_families')
    .innerJoin('users', (join) =>
      join
        .onRef('users.developer_id', '=', 'refresh_families.developer_id')
        .onRef('users.user_id', '=', 'refresh_families.user_id'),
    )
    .selectAll('refresh_families')
    .select('users.epoch as user_epoch')
    .select((is) => is(sharedNow(), '-', is.ref('refresh_families.rotated_at')).as('rotated_ago'))
    .where('refresh_families.id', '=', id)
    .executeTakeFirst();
}

async function changeFamily(writing: Writing, asked: FamilyChange, clock: Clock): Promise<Decision> {
  for (;;) {
    const family = await findFamily(writing.trx, writing.sharedNow, asked.id);
    const decision = asked.decide(family);
    const { change } = decision;
    if (family === undefined || change.kind === 'none') return decision;
    if (change.kind === 'revoke') {
      await revokeFamily(writing, family, { actor: asked.actor, now: clock.now() });
      return decision;
    }
    if (await rotateFamily(writing, family, { ...change, actor: asked.actor })) return decision;
  }
}

async function revokeFamily(
  { trx, notify, audit }: Writing,
  family: Family,
  { actor, now }: { readonly actor: string; readonly now: number },
): Promise<void> {
  await trx.updateTable('refresh_families').set({ revoked_at: now }).where('id', '=', family.id).execute();
  const facts = { generation: family.generation };
  await audit({ ...aboutFamily(family), actor, action: 'token.reuse', facts });
  await notify('identity', JSON.stringify({ family: family.id } satisfies Revocation));
}

/** False when another process changed it meanwhile. */
async function rotateFamily(
  { trx, audit, sharedNow }: Writing,
  family: Family,
  to: { readonly digest: string; readonly idleUntil: number; readonly actor: string },
): Promise<boolean> {
  const generation = family.generation + 1;
  const rotated = await trx
    .updateTable('refresh_families')
    .set({ generation, digest: to.digest, rotated_at: sharedNow(), idle_until: to.idleUntil })
    .where('id', '=', family.id)
    .where('generation', '=', family.generation)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (rotated.numUpdatedRows === 0n) return false;
  await audit({ ...aboutFamily(family), actor: to.actor, action: 'token.refresh', facts: { generation } });
  return true;
}

function aboutFamily({ id, developer_id, user_id }: Family) {
  return { developerId: developer_id, userId: user_id, subject: id };
}

function byOwner({ owner: a }: NewFamily, { owner: b }: NewFamily): number {
  const [first, second] = [`${a.developerId} ${a.userId}`, `${b.developerId} ${b.userId}`];
  return first < second ? -1 : Number(first > second);
}

/** The user's epoch, in one statement: of two processes that make the same user at once, both read the one that is there. */
async function readOrMakeEpoch(
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
