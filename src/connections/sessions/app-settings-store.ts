import type { Storage } from '../../storage/storage.ts';
import type { AppRow, ConnectionTables } from '../connection-rows.ts';

export function createAppSettingsStore(storage: Storage) {
  const db = storage.tables<ConnectionTables>();
  return {
    find: (developerId: string): Promise<AppRow | undefined> =>
      db.selectFrom('oauth_apps').selectAll().where('developer_id', '=', developerId).executeTakeFirst(),
    async put(row: AppRow, actor: string): Promise<void> {
      await storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
        const { developer_id: developerId, ...columns } = row;
        await trx
          .insertInto('oauth_apps')
          .values(row)
          .onConflict((c) => c.column('developer_id').doUpdateSet(columns))
          .execute();
        const facts = { return_urls: JSON.parse(row.return_urls) as string[] };
        await audit({ developerId, actor, action: 'app.change', facts });
      });
    },
  };
}

export type AppSettingsStore = ReturnType<typeof createAppSettingsStore>;
