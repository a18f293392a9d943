import type { Kysely } from 'kysely';
import { keyActor } from '../../base/actor.ts';
import type { Clock } from '../../base/clock.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ConnectionTables, SessionRow, SessionStatus } from '../connection-rows.ts';
import type { Owner } from '../connections-model.ts';
import { splitScopes } from '../grant-target.ts';

const unfinished: readonly SessionStatus[] = ['open', 'sent', 'exchanging', 'awaiting'];
/** What a session that is over does not need any more. */
const emptied = { flow_sealed: null, grant_sealed: null, state_digest: null } as const;

export class SessionStore {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #db: Kysely<ConnectionTables>;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
    this.#db = storage.tables<ConnectionTables>();
  }

  async insert(row: SessionRow): Promise<void> {
    await this.#storage.write<ConnectionTables, void>(async (trx, _notify, audit) => {
      await trx.insertInto('oauth_sessions').values(row).execute();
      await audit({
        ...aboutSession(row),
        actor: keyActor({ keyId: row.key_id }),
        action: 'session.open',
        facts: { provider: row.provider, scopes: splitScopes(row.scopes) },
      });
    });
  }

  ofDeveloper(developerId: string, id: string): Promise<SessionRow | undefined> {
    return this.#rows().where('id', '=', id).where('developer_id', '=', developerId).executeTakeFirst();
  }

  byLink(digest: string): Promise<SessionRow | undefined> {
    return this.#rows().where('link_digest', '=', digest).executeTakeFirst();
  }

  byState(digest: string): Promise<SessionRow | undefined> {
    return this.#rows().where('state_digest', '=', digest).executeTakeFirst();
  }

  unfinishedOf({ developerId, userId }: Owner): Promise<SessionRow[]> {
    return this.#rows()
      .where('developer_id', '=', developerId)
      .where('user_id', '=', userId)
      .where('status', 'in', unfinished)
      .execute();
  }

  /** Those that wait for a confirmation which did not come in time. */
  overdue(limit: number): Promise<SessionRow[]> {
    return this.#rows()
      .where('status', '=', 'awaiting')
      .where('expires_at', '<=', this.#clock.now())
      .limit(limit)
      .execute();
  }

  /** The browser leaves for the provider; false when another browser has the session, or it is over. */
  async markSent(
    row: SessionRow,
    to: Pick<SessionRow, 'browser_digest' | 'state_digest' | 'flow_sealed' | 'issuer'>,
  ): Promise<boolean> {
    const sent = await this.#db
      .updateTable('oauth_sessions')
      .set({ ...to, status: 'sent' })
      .where('id', '=', row.id)
      .where('status', 'in', ['open', 'sent'])
      .where('expires_at', '>', this.#clock.now())
      .where((e) =>
        e.or([e('browser_digest', 'is', null), e('browser_digest', '=', to.browser_digest ?? '')]),
      )
      .executeTakeFirst();
    return sent.numUpdatedRows > 0n;
  }

  /**
   * A key is being tried: so many in all; false where that is over, or another browser has the session. It can be tried again
   * whatever becomes of it, and whoever tries it: only one of those that are taken completes the session.
   */
  async beginTry(row: SessionRow, browserDigest: string, max: number): Promise<boolean> {
    const begun = await this.#db
      .updateTable('oauth_sessions')
      .set((e) => ({ status: 'sent', browser_digest: browserDigest, tries: e('tries', '+', 1) }))
      .where('id', '=', row.id)
      .where('status', 'in', ['open', 'sent'])
      .where('tries', '<', max)
      .where('expires_at', '>', this.#clock.now())
      .where((e) => e.or([e('browser_digest', 'is', null), e('browser_digest', '=', browserDigest)]))
      .executeTakeFirst();
    return begun.numUpdatedRows > 0n;
  }

  /** Uses the state up: of two callbacks with the same one, the second finds nothing (threats F1, F5). */
  async consumeState(row: SessionRow): Promise<boolean> {
    const taken = await this.#db
      .updateTable('oauth_sessions')
      .set({ status: 'exchanging', state_digest: null })
      .where('id', '=', row.id)
      .where('state_digest', '=', row.state_digest)
      .where('status', '=', 'sent')
      .where('expires_at', '>', this.#clock.now())
      .executeTakeFirst();
    return taken.numUpdatedRows > 0n;
  }

  /** Holds a consent until the app confirms it; false when the session was ended meanwhile. */
  async holdConsent(
    row: SessionRow,
    consentSealed: string,
    { from, expiresAt }: { readonly from: SessionStatus; readonly expiresAt: number },
  ): Promise<boolean> {
    return this.#storage.write<ConnectionTables, boolean>(async (trx, notify) => {
      const changed = await trx
        .updateTable('oauth_sessions')
        .set({ ...emptied, status: 'awaiting', grant_sealed: consentSealed, expires_at: expiresAt, tries: 0 })
        .where('id', '=', row.id)
        .where('status', '=', from)
        .where('expires_at', '>', this.#clock.now())
        .executeTakeFirst();
      await notify('connections', row.id);
      return changed.numUpdatedRows > 0n;
    });
  }

  /** Counts one try to confirm; how many there were with it, or null when there may be no more. */
  async countTry(row: SessionRow, max: number): Promise<number | null> {
    const counted = await this.#db
      .updateTable('oauth_sessions')
      .set((e) => ({ tries: e('tries', '+', 1) }))
      .where('id', '=', row.id)
      .where('status', '=', 'awaiting')
      .where('tries', '<', max)
      .returning('tries')
      .executeTakeFirst();
    return counted?.tries ?? null;
  }

  /** In the transaction that stores the grant; false when the session is not where it was (revoked meanwhile). */
  async complete(
    trx: Kysely<ConnectionTables>,
    row: SessionRow,
    { from, result }: { readonly from: SessionStatus; readonly result: string },
  ): Promise<boolean> {
    const done = await trx
      .updateTable('oauth_sessions')
      .set({ ...emptied, status: 'complete', result })
      .where('id', '=', row.id)
      .where('status', '=', from)
      .where('expires_at', '>', this.#clock.now())
      .executeTakeFirst();
    return done.numUpdatedRows > 0n;
  }

  async fail(row: SessionRow, error: string, actor: string): Promise<void> {
    await this.#storage.write<ConnectionTables, void>(async (trx, notify, audit) => {
      const failed = await trx
        .updateTable('oauth_sessions')
        .set({ ...emptied, status: 'error', error })
        .where('id', '=', row.id)
        .where('status', 'in', unfinished)
        .executeTakeFirst();
      if (failed.numUpdatedRows === 0n) return;
      await notify('connections', row.id);
      await audit({ ...aboutSession(row), actor, action: 'session.fail', facts: { reason: error } });
    });
  }

  /** Every unfinished session of a user, in one transaction with the notices. */
  async failAll(owner: Owner, rows: readonly SessionRow[], error: string): Promise<void> {
    if (rows.length === 0) return;
    await this.#storage.write<ConnectionTables, void>(async (trx, notify) => {
      await trx
        .updateTable('oauth_sessions')
        .set({ ...emptied, status: 'error', error })
        .where('developer_id', '=', owner.developerId)
        .where('user_id', '=', owner.userId)
        .where('status', 'in', unfinished)
        .execute();
      for (const { id } of rows) await notify('connections', id);
    });
  }

  /** All sessions of a user, those that are over too. False: there were none. */
  async deleteOf({ developerId, userId }: Owner): Promise<boolean> {
    const gone = await this.#db
      .deleteFrom('oauth_sessions')
      .where('developer_id', '=', developerId)
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return gone.numDeletedRows > 0n;
  }

  async deleteExpired(before: number): Promise<void> {
    await this.#db.deleteFrom('oauth_sessions').where('expires_at', '<', before).execute();
  }

  #rows() {
    return this.#db.selectFrom('oauth_sessions').selectAll();
  }
}

/** For MCP servers' issuers: sessions whose browser went there, could have come back after `since`, and did not (yet). */
export function createLostSessions(storage: Storage) {
  const db = storage.tables<ConnectionTables>();
  return async (issuer: string, since: number): Promise<boolean> => {
    const lost = await db
      .selectFrom('oauth_sessions')
      .select('id')
      .where('issuer', '=', issuer)
      .where('status', '=', 'sent')
      .where('resource', 'is not', null)
      .where('expires_at', '>', since)
      .limit(1)
      .executeTakeFirst();
    return lost !== undefined;
  };
}

function aboutSession(row: SessionRow) {
  return { developerId: row.developer_id, userId: row.user_id, subject: row.id };
}
