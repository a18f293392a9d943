import type { Storage } from '../../storage/storage.ts';
import type { ClientRow, ConnectionTables } from '../connection-rows.ts';

/** Us as a client of authorization servers: what the operator registered, and what was registered on the way. */
export function createClientStore(storage: Storage) {
  const db = storage.tables<ConnectionTables>();
  const keyOf = ({ issuer, server_id, kind }: Pick<ClientRow, 'issuer' | 'server_id' | 'kind'>) =>
    ({ issuer, server_id, kind }) as const;

  return {
    /** Those of one issuer that may be used for a server. */
    of: (issuer: string, serverId: string): Promise<ClientRow[]> =>
      db
        .selectFrom('oauth_clients')
        .selectAll()
        .where('issuer', '=', issuer)
        .where('server_id', 'in', ['', serverId])
        .execute(),
    list: (): Promise<ClientRow[]> =>
      db.selectFrom('oauth_clients').selectAll().orderBy('issuer').orderBy('id').execute(),
    /** Of two processes that registered at once the first one's stays. */
    async keep(row: ClientRow): Promise<void> {
      await db
        .insertInto('oauth_clients')
        .values(row)
        .onConflict((c) => c.columns(['issuer', 'server_id', 'kind']).doNothing())
        .execute();
    },
    async put(row: ClientRow, by: { readonly developerId: string; readonly actor: string }): Promise<void> {
      await storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
        const { issuer, server_id, kind } = keyOf(row);
        await trx
          .deleteFrom('oauth_clients')
          .where('issuer', '=', issuer)
          .where('server_id', '=', server_id)
          .where('kind', '=', kind)
          .execute();
        await trx.insertInto('oauth_clients').values(row).execute();
        const facts = { issuer, server_id, client_id: row.client_id };
        await audit({ ...by, action: 'oauth_client.put', subject: row.id, facts });
      });
    },
    async remove(id: string, by: { readonly developerId: string; readonly actor: string }): Promise<boolean> {
      return storage.write<ConnectionTables, boolean>(async (trx, _notify, audit) => {
        const gone = await trx.deleteFrom('oauth_clients').where('id', '=', id).executeTakeFirst();
        if (gone.numDeletedRows === 0n) return false;
        await audit({ ...by, action: 'oauth_client.remove', subject: id });
        return true;
      });
    },
    async drop(id: string): Promise<void> {
      await db.deleteFrom('oauth_clients').where('id', '=', id).execute();
    },
  };
}
