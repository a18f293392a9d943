import type { Clock } from '../../base/clock.ts';
import type { SealedColumn, Storage } from '../../storage/storage.ts';

type SigningKeyRow = {
  kid: string;
  /** 1, 2, 3 …: of two processes that make the next key at once, one wins. */
  number: number;
  public_jwk: string;
  private_sealed: string;
  /** From when it signs; before, it is only published. */
  use_from: number;
  created_at: number;
};
type KeyTables = {
  signing_keys: SigningKeyRow;
  identity_secrets: { name: string; sealed: string };
};

export type StoredSigningKey = SigningKeyRow;

export const sealedColumns: readonly SealedColumn[] = [
  { table: 'signing_keys', id: 'kid', sealed: 'private_sealed' },
  { table: 'identity_secrets', id: 'name', sealed: 'sealed' },
];

/** What the notice of a changed set of keys says. */
export const keysChanged = 'signing keys';

export function createSigningKeyStore(storage: Storage, clock: Clock) {
  const db = storage.tables<KeyTables>();
  return {
    /** Oldest first. */
    all: (): Promise<SigningKeyRow[]> =>
      db.selectFrom('signing_keys').selectAll().orderBy('number').execute(),

    /** False when another process made this number first. */
    add(row: Omit<SigningKeyRow, 'created_at'>): Promise<boolean> {
      return storage.write<KeyTables, boolean>(async (trx, notify, audit) => {
        const added = await trx
          .insertInto('signing_keys')
          .values({ ...row, created_at: clock.now() })
          .onConflict((c) => c.column('number').doNothing())
          .executeTakeFirst();
        if (added.numInsertedOrUpdatedRows !== 1n) return false;
        await audit({
          developerId: 'system',
          actor: 'system',
          action: 'signing_key.create',
          subject: row.kid,
          facts: { use_from: row.use_from },
        });
        await notify('identity', keysChanged);
        return true;
      });
    },

    async retire(kids: readonly string[]): Promise<void> {
      await storage.write<KeyTables, void>(async (trx, notify, audit) => {
        await trx.deleteFrom('signing_keys').where('kid', 'in', kids).execute();
        for (const kid of kids)
          await audit({
            developerId: 'system',
            actor: 'system',
            action: 'signing_key.retire',
            subject: kid,
          });
        await notify('identity', keysChanged);
      });
    },

    /** The sealed secret of that name; the first one to offer it wins. */
    async secret(name: string, offer: () => Promise<string>): Promise<string> {
      const find = () =>
        db.selectFrom('identity_secrets').select('sealed').where('name', '=', name).executeTakeFirst();
      const known = await find();
      if (known !== undefined) return known.sealed;
      await db
        .insertInto('identity_secrets')
        .values({ name, sealed: await offer() })
        .onConflict((c) => c.column('name').doNothing())
        .execute();
      return (await find())?.sealed ?? '';
    },
  };
}
