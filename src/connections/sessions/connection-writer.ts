import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ConnectionTables, GrantRow, SessionRow, SessionStatus } from '../connection-rows.ts';
import type { Owner, SessionResult } from '../connections-model.ts';
import { splitScopes } from '../grant-target.ts';
import type { Account } from '../providers/account.ts';
import { type GrantStore, notifyGrant } from '../tokens/grant-store.ts';
import type { RevocationQueue } from '../tokens/revocation-queue.ts';
import type { TokenEncryption } from '../tokens/token-encryption.ts';
import type { IssuedTokens } from '../tokens/token-endpoint.ts';
import { serializeResult } from './authorization-sessions.ts';
import type { SessionStore } from './session-store.ts';

/** A consent that came through, to be kept. */
export type Consent = {
  readonly owner: Owner;
  readonly provider: string;
  readonly account: Account;
  readonly issued: IssuedTokens;
  /** When the token request began. */
  readonly at: number;
  readonly asked: readonly string[];
  /** With an MCP server: who issued, and for what. */
  readonly issuer: string | null;
  readonly resource: string | null;
};

/** The session that a consent belongs to, where it stands now, and who completes it. */
export type Completion = {
  readonly session: SessionRow;
  readonly from: SessionStatus;
  readonly actor: string;
};

/** What a consent becomes: the row, and the version that it replaces (null: none). */
type NewGrant = { readonly row: GrantRow; readonly replaces: number | null };

/** Two consents of one account at once: whoever comes second replaces the first's tokens. */
const keepTries = 5;

type Deps = {
  readonly storage: Storage;
  readonly sessions: SessionStore;
  readonly grants: GrantStore;
  readonly encryption: TokenEncryption;
  readonly revocations: RevocationQueue;
  readonly clock: Clock;
};

/** Turns a consent into a connection. */
export class ConnectionWriter {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Throws conflict when the session was ended meanwhile; the tokens are then revoked. */
  async keep(consent: Consent, completion: Completion): Promise<void> {
    try {
      for (let tries = 0; tries < keepTries; tries++) if (await this.#tryKeep(consent, completion)) return;
      throw new Problem('unavailable', 'The store was too busy', { retryAfterMs: 1_000 });
    } catch (error) {
      await this.discard(consent);
      throw error instanceof SessionEnded ? sessionEnded() : error;
    }
  }

  /** Tokens that came without a session of ours: the same connection, or a new one. Answers with its id. */
  async take(consent: Consent, actor: string): Promise<string> {
    const { storage, grants } = this.#deps;
    for (let tries = 0; tries < keepTries; tries++) {
      const { row, replaces } = await this.#newGrant(consent);
      const isTaken = await storage.write<ConnectionTables, boolean>(async (trx, notify, audit) => {
        if (!(await grants.put(trx, row, replaces))) return false;
        const facts = { provider: row.provider, scopes: splitScopes(row.scopes), change: 'connected' };
        await audit({ ...consent.owner, actor, action: 'connection.import', subject: row.id, facts });
        await notifyGrant(notify, row);
        return true;
      });
      if (isTaken) return row.id;
    }
    throw new Problem('unavailable', 'The store was too busy', { retryAfterMs: 1_000 });
  }

  /** Nobody will use these tokens: they are revoked at the provider. */
  async discard({ owner, provider, issuer, resource, issued }: Consent): Promise<void> {
    const token = issued.refreshToken ?? issued.accessToken;
    await this.#deps.revocations.enqueue(owner.developerId, { provider, issuer, resource }, token);
  }

  /** False when the grant was changed meanwhile: to be tried again. */
  async #tryKeep(consent: Consent, { session, from, actor }: Completion): Promise<boolean> {
    const { storage, sessions, grants } = this.#deps;
    // Everything that takes time comes before the transaction.
    const { row, replaces } = await this.#newGrant(consent);
    const first = await grants.find(consent.owner, consent.provider);
    const scopes = splitScopes(row.scopes);
    const result: SessionResult = {
      connectionId: row.id,
      account: consent.account.id,
      isDefault: first === undefined || first.id === row.id,
      grantedScopes: scopes,
      missingScopes: consent.asked.filter((scope) => !scopes.includes(scope)),
      isRenewable: row.refresh_sealed !== null,
    };
    return storage.write<ConnectionTables, boolean>(async (trx, notify, audit) => {
      if (!(await grants.put(trx, row, replaces))) return false;
      if (!(await sessions.complete(trx, session, { from, result: serializeResult(result) })))
        throw new SessionEnded();
      const about = { ...consent.owner, actor, subject: row.id };
      const facts = { provider: session.provider, scopes, session: session.id, change: 'connected' };
      await audit({ ...about, action: 'consent.grant', facts });
      await audit({ ...about, action: 'token.issue', facts: { version: row.version } });
      await notify('connections', session.id);
      await notifyGrant(notify, row);
      return true;
    });
  }

  async #newGrant(consent: Consent): Promise<NewGrant> {
    const { grants, encryption, clock } = this.#deps;
    const { owner, provider, account, issued, at, asked, issuer, resource } = consent;
    const previous = (await grants.find(owner, provider, account.id)) ?? null;
    // A refresh token that is held stays good, if it is the same person's for sure (threats F12, F13).
    const kept = account.id === '' || resource !== null ? null : previous;
    const identity = {
      id: previous?.id ?? newId('con'),
      developer_id: owner.developerId,
      user_id: owner.userId,
      provider,
      account: account.id,
      issuer,
      resource,
    };
    const version = (previous?.version ?? 0) + 1;
    const row: GrantRow = {
      ...identity,
      ...(await encryption.seal(identity, { issued, version, at, asked }, kept)),
      // Granted anew: what the reply does not say is as asked now, not as it was before (RFC 6749 section 5.1).
      scopes: (issued.scopes ?? asked).join(' '),
      label: account.label,
      status: 'active',
      asked: issuer === null ? null : asked.join(' '),
      wanted: null,
      used_version: previous?.used_version ?? 0,
      holder: null,
      lease_until: 0,
      failures: 0,
      retry_at: 0,
      created_at: previous?.created_at ?? clock.now(),
      updated_at: clock.now(),
    };
    return { row, replaces: previous?.version ?? null };
  }
}

class SessionEnded extends Error {}

export function sessionEnded(): Problem {
  return new Problem('conflict', 'The session was ended before it was complete');
}
