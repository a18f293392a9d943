import type { Storage } from '../../storage/storage.ts';
import type { CatalogTrx } from '../catalog-store.ts';
import { type ServerChange, type Written, writeServers } from '../write-store.ts';

export type SyncState = {
  /** Where to go on; null when the last sync reached the end. */
  cursor: string | null;
  /** What the last whole sync has seen; null before the first. */
  updated_since: string | null;
  started_at: number | null;
  finished_at: number | null;
  failures: number;
  last_error: string | null;
};
type Tables = { sync_state: SyncState & { source: string } };

const fresh: SyncState = {
  cursor: null,
  updated_since: null,
  started_at: null,
  finished_at: null,
  failures: 0,
  last_error: null,
};

/** Where the sync from one registry stands; another registry has its own row. */
export function createSyncStore(storage: Storage, registry: string) {
  const db = storage.tables<Tables>();
  const upsert = (run: Pick<typeof db, 'insertInto'>, state: SyncState) =>
    run
      .insertInto('sync_state')
      .values({ ...state, source: registry })
      .onConflict((clash) => clash.column('source').doUpdateSet(state))
      .execute();
  return {
    async state(): Promise<SyncState> {
      const row = await db
        .selectFrom('sync_state')
        .selectAll()
        .where('source', '=', registry)
        .executeTakeFirst();
      return row ?? fresh;
    },
    /** A page and the place after it, in one transaction: a crash between the two cannot lose or repeat anything. */
    page: (change: ServerChange, state: SyncState): Promise<Written> =>
      storage.write<Tables, Written>(async (trx, notify) => {
        const written = await writeServers(trx as unknown as CatalogTrx, notify, change);
        await upsert(trx, state);
        return written;
      }),
    async save(state: SyncState): Promise<void> {
      await upsert(db, state);
    },
  };
}
