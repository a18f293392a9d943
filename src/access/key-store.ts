import type { Kysely } from 'kysely';
import type { Clock } from '../base/clock.ts';
import { newId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

type AccessTables = {
  developers: { id: string; name: string; created_at: number };
  api_keys: {
    id: string;
    developer_id: string;
    name: string;
    digest: string;
    tier: string;
    scopes: string;
    created_at: number;
    expires_at: number | null;
    addresses: string | null;
    revoked_at: number | null;
    last_used_at: number | null;
  };
};

export type StoredKey = AccessTables['api_keys'] & { readonly developer: string };
export type NewKey = {
  readonly developer: string;
  readonly name: string;
  readonly digest: string;
  readonly tier: string;
  readonly scopes: string;
  readonly expiresAt: number | null;
  readonly addresses: readonly string[] | null;
};

export function createKeyStore(storage: Storage, clock: Clock) {
  return { ...createReads(storage), ...createWrites(storage, clock) };
}

function createReads(storage: Storage) {
  const db = storage.tables<AccessTables>();
  const joined = () =>
    db
      .selectFrom('api_keys')
      .innerJoin('developers', 'developers.id', 'api_keys.developer_id')
      .selectAll('api_keys')
      .select('developers.name as developer');
  return {
    byDigest: (digest: string): Promise<StoredKey | undefined> =>
      joined().where('digest', '=', digest).executeTakeFirst(),
    byId: (id: string): Promise<StoredKey | undefined> =>
      joined().where('api_keys.id', '=', id).executeTakeFirst(),
    /** Of every key that was not revoked. */
    digests: async (): Promise<ReadonlySet<string>> =>
      new Set(
        (await db.selectFrom('api_keys').select('digest').where('revoked_at', 'is', null).execute()).map(
          ({ digest }) => digest,
        ),
      ),
    list: (): Promise<StoredKey[]> =>
      joined().orderBy('api_keys.created_at').orderBy('api_keys.id').execute(),

    async isEmpty(): Promise<boolean> {
      return (await db.selectFrom('api_keys').select('id').limit(1).executeTakeFirst()) === undefined;
    },

    hasDeveloper: async (id: string): Promise<boolean> =>
      (await db.selectFrom('developers').select('id').where('id', '=', id).executeTakeFirst()) !== undefined,

    developers: async () =>
      (await db.selectFrom('developers').select('name').orderBy('name').execute()).map(({ name }) => name),
  };
}

function createWrites(storage: Storage, clock: Clock) {
  return {
    /** Inserts the key, and its developer when the name is new. */
    insert(key: NewKey, actor: string): Promise<StoredKey> {
      return storage.write<AccessTables, StoredKey>(async (trx, notify, audit) => {
        const developerId = await developerNamed(trx, key.developer, clock.now());
        const row = {
          id: newId('key'),
          developer_id: developerId,
          name: key.name,
          digest: key.digest,
          tier: key.tier,
          scopes: key.scopes,
          created_at: clock.now(),
          expires_at: key.expiresAt,
          addresses: key.addresses === null ? null : JSON.stringify(key.addresses),
          revoked_at: null,
          last_used_at: null,
        };
        await trx.insertInto('api_keys').values(row).execute();
        const facts = { name: key.name, tier: key.tier, scopes: key.scopes };
        await audit({ developerId, actor, action: 'key.create', subject: row.id, facts });
        await notify('keys', row.id);
        return { ...row, developer: key.developer };
      });
    },

    /** The key with this digest, added or changed; another process may add the same one meanwhile. */
    put(key: NewKey & { readonly id: string }, actor: string): Promise<void> {
      return storage.write<AccessTables, void>(async (trx, notify, audit) => {
        const developerId = await developerNamed(trx, key.developer, clock.now());
        const { id, digest, name, tier, scopes, expiresAt: expires_at } = key;
        const addresses = key.addresses === null ? null : JSON.stringify(key.addresses);
        const said = { name, tier, scopes, expires_at, addresses };
        const made = { created_at: clock.now(), revoked_at: null, last_used_at: null };
        await trx
          .insertInto('api_keys')
          .values({ id, developer_id: developerId, digest, ...said, ...made })
          .onConflict((clash) => clash.column('id').doUpdateSet(said))
          .execute();
        await audit({ developerId, actor, action: 'key.put', subject: id, facts: { name, tier, scopes } });
        await notify('keys', id);
      });
    },

    developerId: (name: string): Promise<string> =>
      developerNamed(storage.tables<AccessTables>(), name, clock.now()),

    addDevelopers(names: readonly string[]): Promise<void> {
      return storage.write<AccessTables, void>(async (trx) => {
        for (const name of names) await developerNamed(trx, name, clock.now());
      });
    },

    /** False when there is no such key; revoking twice is no error. */
    revoke(id: string, actor: string): Promise<boolean> {
      return storage.write<AccessTables, boolean>(async (trx, notify, audit) => {
        const row = await trx
          .selectFrom('api_keys')
          .select(['revoked_at', 'developer_id'])
          .where('id', '=', id)
          .executeTakeFirst();
        if (row === undefined) return false;
        if (row.revoked_at === null) {
          await trx.updateTable('api_keys').set({ revoked_at: clock.now() }).where('id', '=', id).execute();
          await audit({ developerId: row.developer_id, actor, action: 'key.revoke', subject: id });
        }
        await notify('keys', id);
        return true;
      });
    },

    async markUsed(uses: ReadonlyMap<string, number>): Promise<void> {
      await storage.write<AccessTables, void>(async (trx) => {
        for (const [id, at] of uses)
          await trx.updateTable('api_keys').set({ last_used_at: at }).where('id', '=', id).execute();
      });
    },
  };
}

async function developerNamed(db: Kysely<AccessTables>, name: string, now: number): Promise<string> {
  // Two processes may name the same new developer at once: the constraint decides, and the loser reads the winner's row.
  await db
    .insertInto('developers')
    .values({ id: newId('dev'), name, created_at: now })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const row = await db
    .selectFrom('developers')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return row.id;
}
