import type { Kysely } from 'kysely';
import type { Clock } from '../base/clock.ts';
import { sha256Hex } from '../base/id.ts';
import type { SealedColumn, Storage } from '../storage/storage.ts';

/** The room's tables. Ids of records are tokens, codes and the like: only their SHA-256 is kept. */
export type SignInTables = {
  sign_in_accounts: AccountRow;
  sign_in_records: RecordRow;
  sign_in_clients: ClientRow;
};

export type AccountRow = {
  id: string;
  developer_id: string;
  user_id: string | null;
  /** The key that a person showed; null for whoever came from the company's identity provider. */
  key_id: string | null;
  issuer: string | null;
  subject: string | null;
  /** The last session there, which its logout may name. */
  sid: string | null;
  name: string | null;
  /** JSON. */
  groups: string;
  sealed: string | null;
  /** When the provider was asked last; below 0: since when it is being asked. */
  checked_at: number;
  created_at: number;
  ended_at: number | null;
};
export type RecordRow = {
  model: string;
  id: string;
  grant_id: string | null;
  account_id: string | null;
  payload: string;
  expires_at: number;
  consumed_at: number | null;
};
export type ClientRow = {
  id: string;
  /** JSON, without the secret. */
  metadata: string;
  secret_digest: string | null;
  /** SHA-256 of the address. */
  registered_from: string;
  created_at: number;
  used_at: number | null;
  /** Of one that signs itself in, by the operator's word: the API key whose rights it has. */
  key_id: string | null;
};

export type NewRecord = Omit<RecordRow, 'consumed_at'>;

export const accountSeals: readonly SealedColumn[] = [
  { table: 'sign_in_accounts', id: 'id', sealed: 'sealed' },
];

/** Who changes something by hand, for the audit trail. */
type By = { readonly actor: string; readonly developerId: string };

/** What other processes must forget: a token, a grant or an account. */
export const topic = 'sign_in';
const dayMs = 86_400_000;
/** A registration that nobody signed in with; one that was used, and not for so long. */
const unusedMs = dayMs;
const idleMs = 180 * dayMs;

export class SignInStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #db: Kysely<SignInTables>;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
    this.#db = storage.tables<SignInTables>();
  }

  record(model: string, id: string): Promise<RecordRow | undefined> {
    return this.#db
      .selectFrom('sign_in_records')
      .selectAll()
      .where('model', '=', model)
      .where('id', '=', id)
      .executeTakeFirst();
  }

  async putRecord(row: NewRecord): Promise<void> {
    const { model: _model, id: _id, ...said } = row;
    await this.#db
      .insertInto('sign_in_records')
      .values({ ...row, consumed_at: null })
      .onConflict((c) => c.columns(['model', 'id']).doUpdateSet(said))
      .execute();
  }

  /** False: somebody else was first. */
  async addRecord(row: NewRecord): Promise<boolean> {
    const added = await this.#db
      .insertInto('sign_in_records')
      .values({ ...row, consumed_at: null })
      .onConflict((c) => c.columns(['model', 'id']).doNothing())
      .executeTakeFirst();
    return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
  }

  /** False: it was used before. */
  async consume(model: string, id: string): Promise<boolean> {
    const used = await this.#db
      .updateTable('sign_in_records')
      .set({ consumed_at: this.#clock.now() })
      .where('model', '=', model)
      .where('id', '=', id)
      .where('consumed_at', 'is', null)
      .executeTakeFirst();
    return used.numUpdatedRows > 0n;
  }

  async removeRecord(model: string, id: string): Promise<void> {
    await this.#storage.write<SignInTables, void>(async (trx, notify) => {
      await trx.deleteFrom('sign_in_records').where('model', '=', model).where('id', '=', id).execute();
      await notify(topic, id);
    });
  }

  /** All of one kind that came of one consent. */
  async removeGrant(model: string, grantId: string): Promise<void> {
    await this.#storage.write<SignInTables, void>(async (trx, notify) => {
      await trx
        .deleteFrom('sign_in_records')
        .where('model', '=', model)
        .where('grant_id', '=', grantId)
        .execute();
      await notify(topic, grantId);
    });
  }

  account(id: string): Promise<AccountRow | undefined> {
    return this.#db.selectFrom('sign_in_accounts').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** Adds an account, or brings what is said of it up to date. */
  async putAccount(row: Omit<AccountRow, 'created_at' | 'ended_at' | 'checked_at'>): Promise<void> {
    const now = this.#clock.now();
    const { groups, name, sealed, sid } = row;
    const said = { groups, name, sealed, sid, checked_at: now, ended_at: null };
    await this.#storage.write<SignInTables, void>(async (trx, notify) => {
      await trx
        .insertInto('sign_in_accounts')
        .values({ ...row, ...said, created_at: now })
        .onConflict((c) => c.column('id').doUpdateSet(said))
        .execute();
      await notify(topic, row.id);
    });
  }

  /** Remembers what came of one sign-in: the grant of a client, or a session of our own pages. */
  putSignIn({ id, account, lifeMs }: NewSignIn): Promise<void> {
    return this.putRecord({
      model: signInModel,
      id,
      grant_id: id,
      account_id: account.id,
      payload: sessionOf(account),
      expires_at: this.#clock.now() + lifeMs,
    });
  }

  /** Whether what came of that sign-in is good still. */
  async hasSignIn(id: string, accountId: string): Promise<boolean> {
    const row = await this.record(signInModel, id);
    return row !== undefined && row.account_id === accountId && row.expires_at > this.#clock.now();
  }

  endSignIn(id: string): Promise<void> {
    return this.removeRecord(signInModel, id);
  }

  /** Ends what came of the sign-ins of one session at the provider, on whichever account. False: nothing did. */
  endSession(at: { readonly issuer: string; readonly sid: string }): Promise<boolean> {
    return this.#storage.write<SignInTables, boolean>(async (trx, notify, audit) => {
      const rows = await trx
        .selectFrom('sign_in_records')
        .innerJoin('sign_in_accounts', 'sign_in_accounts.id', 'sign_in_records.account_id')
        .select(['sign_in_records.id', 'account_id', 'developer_id', 'user_id'])
        .where('model', '=', signInModel)
        .where('payload', '=', sessionOf(at))
        .execute();
      if (rows.length === 0) return false;
      const ids = rows.map(({ id }) => id);
      await trx
        .deleteFrom('sign_in_records')
        .where((e) => e.or([e('grant_id', 'in', ids), e.and([e('model', '=', 'Grant'), e('id', 'in', ids)])]))
        .execute();
      for (const { account_id, ...row } of rows) {
        await notify(topic, row.id);
        await audit(endOf({ ...row, id: account_id ?? '' }));
      }
      return true;
    });
  }

  /** Of all processes, one asks the company's provider about an account, until `endCheck`. False: another one does or did just now. */
  async claimCheck({ id, checked_at }: AccountRow, at: number): Promise<boolean> {
    const claimed = await this.#db
      .updateTable('sign_in_accounts')
      .set({ checked_at: -at })
      .where('id', '=', id)
      .where('checked_at', '=', checked_at)
      .executeTakeFirst();
    return claimed.numUpdatedRows > 0n;
  }

  /** What the provider said, if anything. False: whoever it was asked about is signed in anew, or out, meanwhile. */
  async endCheck(
    id: string,
    at: number,
    said: Partial<Pick<AccountRow, 'groups' | 'sealed'>> = {},
  ): Promise<boolean> {
    const ended = await this.#db
      .updateTable('sign_in_accounts')
      .set({ ...said, checked_at: at })
      .where('id', '=', id)
      .where('checked_at', '=', -at)
      .where('ended_at', 'is', null)
      .executeTakeFirst();
    return ended.numUpdatedRows > 0n;
  }

  /** The accounts of a person, or of one session, at a provider. */
  async accountsAt(issuer: string, by: { subject?: string; sid?: string }): Promise<string[]> {
    let rows = this.#db.selectFrom('sign_in_accounts').select('id').where('issuer', '=', issuer);
    if (by.subject !== undefined) rows = rows.where('subject', '=', by.subject);
    if (by.sid !== undefined) rows = rows.where('sid', '=', by.sid);
    return (await rows.execute()).map(({ id }) => id);
  }

  /** Signs accounts out: every token of theirs is dead here at once, elsewhere within a second. `wholly`: no row of them stays. */
  async endAccounts(ids: readonly string[], { wholly }: { readonly wholly: boolean }): Promise<void> {
    if (ids.length === 0) return;
    await this.#storage.write<SignInTables, void>(async (trx, notify, audit) => {
      await trx.deleteFrom('sign_in_records').where('account_id', 'in', ids).execute();
      if (!wholly) {
        const open = trx.selectFrom('sign_in_accounts').select(['id', 'developer_id', 'user_id']);
        const rows = await open.where('id', 'in', ids).where('ended_at', 'is', null).execute();
        for (const row of rows) await audit(endOf(row));
      }
      if (wholly) await trx.deleteFrom('sign_in_accounts').where('id', 'in', ids).execute();
      else
        await trx
          .updateTable('sign_in_accounts')
          .set({ ended_at: this.#clock.now(), sealed: null })
          .where('id', 'in', ids)
          .execute();
      for (const id of ids) await notify(topic, id);
    });
  }

  async accountsOf(developerId: string, userId: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('sign_in_accounts')
      .select('id')
      .where('developer_id', '=', developerId)
      .where('user_id', '=', userId)
      .execute();
    return rows.map(({ id }) => id);
  }

  client(id: string): Promise<ClientRow | undefined> {
    return this.#db.selectFrom('sign_in_clients').selectAll().where('id', '=', id).executeTakeFirst();
  }

  async putClient(row: Omit<ClientRow, 'created_at' | 'used_at' | 'key_id'>): Promise<void> {
    await this.#db
      .insertInto('sign_in_clients')
      .values({ ...row, created_at: this.#clock.now(), used_at: null, key_id: null })
      .execute();
  }

  async putMachine(row: Omit<ClientRow, 'created_at' | 'used_at'>, by: By): Promise<ClientRow> {
    const added = { ...row, created_at: this.#clock.now(), used_at: null };
    await this.#storage.write<SignInTables, void>(async (trx, _notify, audit) => {
      await trx.insertInto('sign_in_clients').values(added).execute();
      await audit({ ...by, action: 'machine_client.put', subject: row.id, facts: { key: row.key_id ?? '' } });
    });
    return added;
  }

  machines(): Promise<ClientRow[]> {
    return this.#db
      .selectFrom('sign_in_clients')
      .selectAll()
      .where('key_id', 'is not', null)
      .orderBy('created_at')
      .orderBy('id')
      .execute();
  }

  /** False: there was none. */
  removeMachine(id: string, by: By): Promise<boolean> {
    return this.#storage.write<SignInTables, boolean>(async (trx, _notify, audit) => {
      const removed = await trx
        .deleteFrom('sign_in_clients')
        .where('id', '=', id)
        .where('key_id', 'is not', null)
        .executeTakeFirst();
      if (removed.numDeletedRows === 0n) return false;
      await audit({ ...by, action: 'machine_client.remove', subject: id });
      return true;
    });
  }

  async removeClient(id: string): Promise<void> {
    await this.#db.deleteFrom('sign_in_clients').where('id', '=', id).execute();
  }

  async markClientUsed(id: string): Promise<void> {
    await this.#db
      .updateTable('sign_in_clients')
      .set({ used_at: this.#clock.now() })
      .where('id', '=', id)
      .execute();
  }

  /** Registrations of the last day: from there, and in all. */
  async countRegistrations(registeredFrom: string): Promise<{ from: number; all: number }> {
    const rows = await this.#db
      .selectFrom('sign_in_clients')
      .select((e) => [
        e.fn.countAll().as('all'),
        e.fn.sum(e.case().when('registered_from', '=', registeredFrom).then(1).else(0).end()).as('from'),
      ])
      .where('created_at', '>', this.#clock.now() - dayMs)
      .where('key_id', 'is', null)
      .executeTakeFirst();
    return { from: Number(rows?.from ?? 0), all: Number(rows?.all ?? 0) };
  }

  async prune(): Promise<void> {
    const now = this.#clock.now();
    await this.#db.deleteFrom('sign_in_records').where('expires_at', '<', now).execute();
    await this.#db
      .deleteFrom('sign_in_clients')
      // What the operator registered is the operator's to remove.
      .where('key_id', 'is', null)
      .where((e) =>
        e.or([
          e.and([e('used_at', 'is', null), e('created_at', '<', now - unusedMs)]),
          e('used_at', '<', now - idleMs),
        ]),
      )
      .execute();
  }
}

type NewSignIn = {
  readonly id: string;
  readonly account: Pick<AccountRow, 'id' | 'issuer' | 'sid'>;
  readonly lifeMs: number;
};

const signInModel = 'SignIn';

/** Empty where the provider names none. */
function sessionOf({ issuer, sid }: Pick<AccountRow, 'issuer' | 'sid'>): string {
  return sid === null ? '' : digestOf(JSON.stringify([issuer, sid]));
}

function endOf({ id, developer_id, user_id }: Pick<AccountRow, 'id' | 'developer_id' | 'user_id'>) {
  const whose = { developerId: developer_id, ...(user_id !== null && { userId: user_id }) };
  return { ...whose, actor: 'system', action: 'sign_in.end', subject: id };
}

/** Who is the same is one account, however often they sign in. */
export function accountIdOf(...of: readonly (string | null)[]): string {
  return `acc_${sha256Hex(JSON.stringify(of)).slice(0, 32)}`;
}

/** What a token, a code or another secret name is kept under. */
export function digestOf(id: string): string {
  return sha256Hex(`sign-in\n${id}`);
}
