import type { Transaction } from 'kysely';
import type { SealedColumn, Storage } from '../storage/storage.ts';
import type { CatalogTrx } from './catalog-store.ts';

/** null takes what is there away. */
export type SealedCredential = {
  readonly serverId: string;
  readonly version: string;
  readonly sealed: string | null;
};
type Tables = { server_credentials: { server_id: string; version: string; sealed: string } };

export const credentialColumns: readonly SealedColumn[] = [
  { table: 'server_credentials', id: 'server_id', sealed: 'sealed' },
];

export function createCredentialStore(storage: Storage) {
  const db = storage.tables<Tables>();
  return {
    ids: async () =>
      (await db.selectFrom('server_credentials').select('server_id').execute()).map((row) => row.server_id),
    find: (serverId: string) =>
      db.selectFrom('server_credentials').selectAll().where('server_id', '=', serverId).executeTakeFirst(),
  };
}

export async function writeCredentials(
  transaction: CatalogTrx,
  credentials: readonly SealedCredential[],
): Promise<void> {
  const trx = transaction as unknown as Transaction<Tables>;
  for (const { serverId, version, sealed } of credentials) {
    await trx.deleteFrom('server_credentials').where('server_id', '=', serverId).execute();
    if (sealed !== null)
      await trx.insertInto('server_credentials').values({ server_id: serverId, version, sealed }).execute();
  }
}
