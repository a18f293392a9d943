import type { Storage } from '../../storage/storage.ts';
import type { ConnectionTables } from '../connection-rows.ts';

/** What an operator registers for a developer's app. */
export type AppSettings = {
  /** Where a browser may be sent back to, each compared as a whole (threats F7). */
  readonly returnUrls: readonly string[];
  /** The default of sessions that do not say (threats F8). */
  readonly requireConfirmation: boolean;
  /** As people see it; null: the developer's name. */
  readonly displayName: string | null;
  /** A small picture as a `data:` URL. */
  readonly logo: string | null;
};

export function createAppSettingsStore(storage: Storage) {
  const db = storage.tables<ConnectionTables>();
  return {
    async read(developerId: string): Promise<AppSettings> {
      const row = await db
        .selectFrom('oauth_apps')
        .selectAll()
        .where('developer_id', '=', developerId)
        .executeTakeFirst();
      return {
        returnUrls: row === undefined ? [] : (JSON.parse(row.return_urls) as string[]),
        requireConfirmation: row?.require_confirmation === 1,
        displayName: row?.display_name ?? null,
        logo: row?.logo ?? null,
      };
    },
    async put(developerId: string, settings: AppSettings, actor: string): Promise<void> {
      const return_urls = [...new Set(settings.returnUrls)];
      const columns = {
        return_urls: JSON.stringify(return_urls),
        require_confirmation: settings.requireConfirmation ? 1 : 0,
        display_name: settings.displayName,
        logo: settings.logo,
      };
      await storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
        await trx
          .insertInto('oauth_apps')
          .values({ developer_id: developerId, ...columns })
          .onConflict((c) => c.column('developer_id').doUpdateSet(columns))
          .execute();
        await audit({ developerId, actor, action: 'app.change', facts: { return_urls } });
      });
    },
  };
}

export type AppSettingsStore = ReturnType<typeof createAppSettingsStore>;
