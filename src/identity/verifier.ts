import { hash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Family, Revocation } from './identity-store.ts';
import { type Claims, invalidToken, skewSeconds, type Tokens } from './token.ts';

export type TokenVerifier = {
  /** What the token says, if it is the developer's and alive; a value, not a promise, when it was verified lately. */
  verify(token: string, developerId: string): Claims | Promise<Claims>;
  forget(revocation: Revocation): void;
};

type Known = { readonly claims: Claims; readonly readAt: number };

/** A token is looked up again this often even without a notice: the safety net under revocation. */
const rereadMs = 60_000;
/** About 600 bytes each. */
const maxKnown = 50_000;

/** Verified tokens by SHA-256: a signature costs fifty microseconds and the store a query, this two. */
export function createTokenVerifier(deps: {
  tokens: Tokens;
  family: (id: string) => Promise<Family | undefined>;
  clock: Clock;
}): TokenVerifier {
  const { tokens, family, clock } = deps;
  const known = new Map<string, Known>();
  let revocations = 0;

  const read = async (token: string, digest: string, developerId: string): Promise<Claims> => {
    const claims = await tokens.read(token);
    owned(claims, developerId);
    const before = revocations;
    const row = await family(claims.sessionId);
    const same = row?.developer_id === claims.developerId && row.user_id === claims.userId;
    if (row === undefined || !same || row.revoked_at !== null || row.epoch !== row.user_epoch)
      throw invalidToken('revoked');
    if (known.size >= maxKnown) known.delete(known.keys().next().value ?? '');
    // A row that was read before a revocation was heard may be older than it: good for this call, not for keeping.
    if (revocations === before) known.set(digest, { claims, readAt: clock.monotonic() });
    return claims;
  };

  return {
    verify(token, developerId) {
      const digest = hash('sha256', token);
      const entry = known.get(digest);
      if (entry === undefined) return read(token, digest, developerId);
      const over = entry.claims.expiresAt + skewSeconds <= Math.floor(clock.now() / 1000);
      if (over || clock.monotonic() - entry.readAt >= rereadMs) {
        known.delete(digest);
        return read(token, digest, developerId);
      }
      return owned(entry.claims, developerId);
    },
    forget({ family: id, user }) {
      revocations++;
      for (const [digest, { claims }] of known) {
        const theirs = user !== undefined && claims.developerId === user[0] && claims.userId === user[1];
        if (theirs || claims.sessionId === id) known.delete(digest);
      }
    },
  };
}

function owned(claims: Claims, developerId: string): Claims {
  if (claims.developerId !== developerId) throw invalidToken("another developer's");
  return claims;
}
