import { randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Vault } from '../../vault/vault.ts';
import type { Consent, Grants } from '../grants/grants.ts';
import type { Revocations } from '../grants/revocations.ts';
import { ownerTag } from '../servers/holdings.ts';
import type { ConnectionTables, SessionRow, SessionStatus } from '../tables.ts';
import type { SessionStore } from './session-store.ts';
import { type SessionResult, sessionExpired } from './sessions.ts';

/** Turns a consent into a connection, at once or once the app has confirmed it. */
export type Keeper = {
  /** Throws conflict when the session was ended meanwhile; the tokens are then revoked. */
  keep(row: SessionRow, from: SessionStatus, consent: Consent, actor: string): Promise<void>;
  /** Holds it, unusable, until the app confirms with the code that this answers (threats F8). */
  hold(row: SessionRow, consent: Consent, forMs: number): Promise<string>;
  confirm(input: Confirmation): Promise<void>;
  /** Nobody will use these tokens: the provider is told. */
  discard(consent: Consent): Promise<void>;
  /** What is held for this session, to be revoked. */
  discardHeld(row: SessionRow): Promise<void>;
};

export type Confirmation = {
  readonly developerId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly code: string;
  readonly actor: string;
};

type Held = { readonly consent: Consent; readonly code: string };

/** Without vowels and lookalikes: no words by accident, nothing to mistake. */
const codeLetters = 'BCDFGHJKLMNPQRSTVWXZ23456789';
const codeLength = 8;
const maxTries = 5;
/** Two consents of one account at once: whoever comes second takes the place of the first's tokens. */
const keepTries = 5;

export function createKeeper(deps: {
  readonly storage: Storage;
  readonly store: SessionStore;
  readonly grants: Grants;
  readonly revocations: Revocations;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly clock: Clock;
}): Keeper {
  const { storage, store, grants, revocations, vault, clock } = deps;

  const tryKeep = async (row: SessionRow, from: SessionStatus, consent: Consent, actor: string) => {
    const prepared = await grants.prepare(consent);
    const first = await grants.store.find(consent.owner, consent.provider);
    const granted = prepared.row.scopes.split(' ').filter((scope) => scope !== '');
    const result: SessionResult = {
      connection_id: prepared.row.id,
      account: consent.account.id,
      is_default: first === undefined || first.id === prepared.row.id,
      granted_scopes: granted,
      missing_scopes: consent.asked.filter((scope) => !granted.includes(scope)),
    };
    return storage.write<ConnectionTables, 'kept' | 'over' | 'again'>(async (trx, notify, audit) => {
      if (!(await grants.store.put(trx, prepared.row, prepared.over))) return 'again';
      if (!(await store.complete(trx, row, from, JSON.stringify(result)))) throw new SessionOver();
      const about = { developerId: row.developer_id, userId: row.user_id, actor };
      const facts = { provider: row.provider, scopes: granted, session: row.id };
      await audit({ ...about, action: 'consent.grant', subject: prepared.row.id, facts });
      const version = { version: prepared.row.version };
      await audit({ ...about, action: 'token.issue', subject: prepared.row.id, facts: version });
      await notify('connections', row.id);
      await notify('connections', prepared.row.id);
      await notify('connections', ownerTag(consent.owner));
      return 'kept';
    });
  };

  const discard: Keeper['discard'] = async ({ owner, provider, issuer, resource, issued }) =>
    revocations.queue(
      owner.developerId,
      { provider, issuer, resource },
      issued.refreshToken ?? issued.accessToken,
    );

  const keep: Keeper['keep'] = async (row, from, consent, actor) => {
    try {
      for (let tries = 0; tries < keepTries; tries++)
        if ((await tryKeep(row, from, consent, actor)) === 'kept') return;
      throw new Problem('unavailable', 'The store was too busy', { retryAfterMs: 1_000 });
    } catch (error) {
      await discard(consent);
      if (error instanceof SessionOver)
        throw new Problem('conflict', 'The session was ended before it was complete');
      throw error;
    }
  };

  const heldOf = async (row: SessionRow): Promise<Held> =>
    JSON.parse(await vault.open(row.grant_sealed ?? '', heldBinding(row))) as Held;

  const discardHeld: Keeper['discardHeld'] = async (row) => {
    if (row.grant_sealed !== null) await discard((await heldOf(row)).consent);
  };

  return {
    keep,
    discard,
    discardHeld,

    async hold(row, consent, forMs) {
      const code = newCode();
      const sealed = await vault.seal(JSON.stringify({ consent, code } satisfies Held), heldBinding(row));
      if (await store.await(row, sealed, clock.now() + forMs)) return code;
      await discard(consent);
      throw new Problem('conflict', 'The session was ended before it was complete');
    },

    async confirm({ developerId, sessionId, userId, code, actor }) {
      const row = await store.ofDeveloper(developerId, sessionId);
      if (row === undefined) throw new Problem('not_found', 'Session not found');
      if (row.status !== 'awaiting')
        throw new Problem('conflict', 'This session is not waiting for a confirmation');
      if (row.expires_at <= clock.now()) throw new Problem('conflict', sessionExpired);
      const tries = await store.countTry(row, maxTries);
      const held = await heldOf(row);
      // One answer for both: which of the two was wrong is nobody's business.
      if (tries !== null && row.user_id === userId && sameCode(code, held.code))
        return keep(row, 'awaiting', held.consent, actor);
      const left = tries === null ? 0 : maxTries - tries;
      if (left === 0) {
        await store.fail(row, 'Too many wrong confirmations', actor);
        await discard(held.consent);
      }
      const detail = `completion_code: wrong, or not this user's; ${left} ${left === 1 ? 'try' : 'tries'} left`;
      throw new Problem('invalid_request', detail);
    },
  };
}

class SessionOver extends Error {}

function heldBinding(row: SessionRow): string[] {
  return ['session', row.developer_id, row.user_id, row.provider, row.id, 'grant'];
}

function newCode(): string {
  const letters = Array.from({ length: codeLength }, () => codeLetters[randomInt(codeLetters.length)]);
  return `${letters.slice(0, 4).join('')}-${letters.slice(4).join('')}`;
}

/** People type lower case, and leave out the hyphen. */
function sameCode(typed: string, code: string): boolean {
  const [a, b] = [typed, code].map((each) => Buffer.from(each.toUpperCase().replace(/[^A-Z0-9]/g, '')));
  return a !== undefined && b !== undefined && a.length === b.length && timingSafeEqual(a, b);
}
