import type { Kysely } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Owner } from '../model.ts';
import type { AppRow, ConnectionTables, SessionRow, SessionStatus } from '../tables.ts';

const unfinished: readonly SessionStatus[] = ['open', 'sent', 'exchanging', 'awaiting'];
/** What a session that is over does not need any more. */
const emptied = { flow_sealed: null, grant_sealed: null, state_digest: null } as const;

export function createSessionStore(storage: Storage, clock: Clock) {
  const db = storage.tables<ConnectionTables>();
  const sessions = () => db.selectFrom('oauth_sessions').selectAll();

  return {
    async insert(row: SessionRow): Promise<void> {
      await storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
        await trx.insertInto('oauth_sessions').values(row).execute();
        await audit({
          ...about(row),
          actor: `key:${row.key_id}`,
          action: 'session.open',
          facts: { provider: row.provider, scopes: row.scopes.split(' ') },
        });
      });
    },
    ofDeveloper: (developerId: string, id: string): Promise<SessionRow | undefined> =>
      sessions().where('id', '=', id).where('developer_id', '=', developerId).executeTakeFirst(),
    byLink: (digest: string): Promise<SessionRow | undefined> =>
      sessions().where('link_digest', '=', digest).executeTakeFirst(),
    byState: (digest: string): Promise<SessionRow | undefined> =>
      sessions().where('state_digest', '=', digest).executeTakeFirst(),
    unfinishedOf: ({ developerId, userId }: Owner): Promise<SessionRow[]> =>
      sessions()
        .where('developer_id', '=', developerId)
        .where('user_id', '=', userId)
        .where('status', 'in', unfinished)
        .execute(),
    overdue: (limit: number): Promise<SessionRow[]> =>
      sessions()
        .where('status', '=', 'awaiting')
        .where('expires_at', '<=', clock.now())
        .limit(limit)
        .execute(),

    /** The browser leaves for the provider; false when another browser has the session, or it is over. */
    async send(
      row: SessionRow,
      to: Pick<SessionRow, 'browser_digest' | 'state_digest' | 'flow_sealed' | 'issuer'>,
    ): Promise<boolean> {
      const sent = await db
        .updateTable('oauth_sessions')
        .set({ ...to, status: 'sent' })
        .where('id', '=', row.id)
        .where('status', 'in', ['open', 'sent'])
        .where('expires_at', '>', clock.now())
        .where((e) =>
          e.or([e('browser_digest', 'is', null), e('browser_digest', '=', to.browser_digest ?? '')]),
        )
        .executeTakeFirst();
      return sent.numUpdatedRows > 0n;
    },
    /** Uses the state up: of two callbacks with the same one, the second finds nothing (threats F1, F5). */
    async consume(row: SessionRow): Promise<boolean> {
      const taken = await db
        .updateTable('oauth_sessions')
        .set({ status: 'exchanging', state_digest: null })
        .where('id', '=', row.id)
        .where('state_digest', '=', row.state_digest)
        .where('status', '=', 'sent')
        .where('expires_at', '>', clock.now())
        .executeTakeFirst();
      return taken.numUpdatedRows > 0n;
    },
    async await(row: SessionRow, grantSealed: string, expiresAt: number): Promise<boolean> {
      return storage.write<ConnectionTables, boolean>(async (trx, notify) => {
        const changed = await trx
          .updateTable('oauth_sessions')
          .set({ ...emptied, status: 'awaiting', grant_sealed: grantSealed, expires_at: expiresAt })
          .where('id', '=', row.id)
          .where('status', '=', 'exchanging')
          .where('expires_at', '>', clock.now())
          .executeTakeFirst();
        await notify('connections', row.id);
        return changed.numUpdatedRows > 0n;
      });
    },
    /** Counts one try to confirm; how many there were with it, or null when there may be no more. */
    async countTry(row: SessionRow, max: number): Promise<number | null> {
      const counted = await db
        .updateTable('oauth_sessions')
        .set((e) => ({ tries: e('tries', '+', 1) }))
        .where('id', '=', row.id)
        .where('status', '=', 'awaiting')
        .where('tries', '<', max)
        .returning('tries')
        .executeTakeFirst();
      return counted?.tries ?? null;
    },

    /** In the transaction that stores the grant; false when the session is not where it was (revoked meanwhile). */
    async complete(trx: Kysely<ConnectionTables>, row: SessionRow, from: SessionStatus, result: string) {
      const done = await trx
        .updateTable('oauth_sessions')
        .set({ ...emptied, status: 'complete', result })
        .where('id', '=', row.id)
        .where('status', '=', from)
        .where('expires_at', '>', clock.now())
        .executeTakeFirst();
      return done.numUpdatedRows > 0n;
    },
    async fail(row: SessionRow, error: string, actor: string): Promise<void> {
      await storage.write<ConnectionTables, void>(async (trx, notify, audit) => {
        const failed = await trx
          .updateTable('oauth_sessions')
          .set({ ...emptied, status: 'error', error })
          .where('id', '=', row.id)
          .where('status', 'in', unfinished)
          .executeTakeFirst();
        if (failed.numUpdatedRows === 0n) return;
        await notify('connections', row.id);
        await audit({ ...about(row), actor, action: 'session.fail', facts: { reason: error } });
      });
    },
    /** In the transaction that revokes the user's grants. */
    async failAll(
      trx: Kysely<ConnectionTables>,
      { developerId, userId }: Owner,
      error: string,
    ): Promise<void> {
      await trx
        .updateTable('oauth_sessions')
        .set({ ...emptied, status: 'error', error })
        .where('developer_id', '=', developerId)
        .where('user_id', '=', userId)
        .where('status', 'in', unfinished)
        .execute();
    },
    async forget({ developerId, userId }: Owner): Promise<boolean> {
      const gone = await db
        .deleteFrom('oauth_sessions')
        .where('developer_id', '=', developerId)
        .where('user_id', '=', userId)
        .executeTakeFirst();
      return gone.numDeletedRows > 0n;
    },
    async prune(before: number): Promise<void> {
      await db.deleteFrom('oauth_sessions').where('expires_at', '<', before).execute();
    },

    app: (developerId: string): Promise<AppRow | undefined> =>
      db.selectFrom('oauth_apps').selectAll().where('developer_id', '=', developerId).executeTakeFirst(),
    async putApp(row: AppRow, actor: string): Promise<void> {
      await storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
        const { developer_id, ...columns } = row;
        await trx
          .insertInto('oauth_apps')
          .values(row)
          .onConflict((c) => c.column('developer_id').doUpdateSet(columns))
          .execute();
        const facts = { return_urls: JSON.parse(row.return_urls) as string[] };
        await audit({ developerId: developer_id, actor, action: 'app.change', facts });
      });
    },
  };
}

export type SessionStore = ReturnType<typeof createSessionStore>;

function about(row: SessionRow) {
  return { developerId: row.developer_id, userId: row.user_id, subject: row.id };
}
