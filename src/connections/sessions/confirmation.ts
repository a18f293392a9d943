import { randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { Vault } from '../../vault/vault.ts';
import type { SessionRow, SessionStatus } from '../connection-rows.ts';
import { sessionExpired } from './authorization-sessions.ts';
import { type ConnectionWriter, type Consent, sessionEnded } from './connection-writer.ts';
import type { SessionStore } from './session-store.ts';

export type Confirmation = {
  readonly developerId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly code: string;
  readonly actor: string;
};

/** Consents that an app has to confirm with a code that the user was shown (threats F8). */
export type Confirmations = {
  /** Holds a consent, unusable, until the app confirms with the code that this answers. */
  hold(
    row: SessionRow,
    consent: Consent,
    how: { readonly from: SessionStatus; readonly forMs: number },
  ): Promise<string>;
  /** Throws not_found, conflict, invalid_request. */
  confirm(input: Confirmation): Promise<void>;
  /** What is held for this session is revoked. */
  discardHeld(row: SessionRow): Promise<void>;
};

type HeldConsent = { readonly consent: Consent; readonly code: string };

/** Without vowels and lookalikes: no words by accident, nothing to mistake. */
const codeLetters = 'BCDFGHJKLMNPQRSTVWXZ23456789';
const codeLength = 8;
const maxTries = 5;

type Deps = {
  readonly store: SessionStore;
  readonly writer: ConnectionWriter;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly clock: Clock;
};

export function createConfirmations(deps: Deps): Confirmations {
  const { store, writer, vault, clock } = deps;
  return {
    async hold(row, consent, { from, forMs }) {
      const code = newCode();
      const held = JSON.stringify({ consent, code } satisfies HeldConsent);
      const sealed = await vault.seal(held, binding(row));
      if (await store.holdConsent(row, sealed, { from, expiresAt: clock.now() + forMs })) return code;
      await writer.discard(consent);
      throw sessionEnded();
    },
    confirm: (input) => confirm(deps, input),
    async discardHeld(row) {
      if (row.grant_sealed !== null) await writer.discard((await openHeld(vault, row)).consent);
    },
  };
}

async function confirm(
  { store, writer, vault, clock }: Deps,
  { developerId, sessionId, userId, code, actor }: Confirmation,
): Promise<void> {
  const row = await store.ofDeveloper(developerId, sessionId);
  if (row === undefined) throw new Problem('not_found', 'Session not found');
  if (row.status !== 'awaiting')
    throw new Problem('conflict', 'This session is not waiting for a confirmation');
  if (row.expires_at <= clock.now()) throw new Problem('conflict', sessionExpired);
  const tries = await store.countTry(row, maxTries);
  const held = await openHeld(vault, row);
  // One answer for both: which of the two was wrong is nobody's business.
  if (tries !== null && row.user_id === userId && isSameCode(code, held.code))
    return writer.keep(held.consent, { session: row, from: 'awaiting', actor });
  const left = tries === null ? 0 : maxTries - tries;
  if (left === 0) {
    await store.fail(row, 'Too many wrong confirmations', actor);
    await writer.discard(held.consent);
  }
  const detail = `completion_code: wrong, or not this user's; ${left} ${left === 1 ? 'try' : 'tries'} left`;
  throw new Problem('invalid_request', detail);
}

async function openHeld(vault: Pick<Vault, 'open'>, row: SessionRow): Promise<HeldConsent> {
  return JSON.parse(await vault.open(row.grant_sealed ?? '', binding(row))) as HeldConsent;
}

function binding(row: SessionRow): string[] {
  return ['session', row.developer_id, row.user_id, row.provider, row.id, 'grant'];
}

function newCode(): string {
  const letters = Array.from({ length: codeLength }, () => codeLetters[randomInt(codeLetters.length)]);
  return `${letters.slice(0, 4).join('')}-${letters.slice(4).join('')}`;
}

/** People type lower case, and leave out the hyphen. */
function isSameCode(typed: string, code: string): boolean {
  const [a, b] = [typed, code].map((each) => Buffer.from(each.toUpperCase().replace(/[^A-Z0-9]/g, '')));
  return a !== undefined && b !== undefined && a.length === b.length && timingSafeEqual(a, b);
}
