import { sha256Hex } from '../../base/id.ts';
import type { Family } from '../identity-model.ts';
import type { Decision } from './family-store.ts';
import { isGenuine, type RefreshToken, refreshTokenText } from './refresh-token.ts';

const dayMs = 86_400_000;
/** Contract B. */
const idleMs = 30 * dayMs;
const absoluteMs = 90 * dayMs;
/** How long a token just used may be used again, for a reply that was lost or a caller that came twice (threats I3). */
const replayMs = 30_000;

/** How long a family that begins now lives unused, and at most. */
export function newLifetimes(now: number) {
  return { idle_until: now + idleMs, ends_at: now + absoluteMs };
}

/** What becomes of a refresh token, and of its family (RFC 9700 section 4.14.2, threats I2–I10). */
export function decide(asked: {
  readonly family: Family | undefined;
  readonly token: RefreshToken;
  readonly text: string;
  readonly root: Buffer;
  readonly developerId: string;
  readonly now: number;
}): Decision {
  const { family, token, root, now } = asked;
  const none = { kind: 'none' } as const;
  const dead: Decision = { change: none, userId: '', successor: null };
  // A token that we never made, or another developer's, must not end anybody's family (I10).
  if (family === undefined || !isGenuine(token, root, family.salt)) return dead;
  if (!isAlive(family, asked.developerId, now)) return dead;
  const tokenNumber = (generation: number) => refreshTokenText(root, family.salt, family.id, generation);
  if (token.generation === family.generation && family.digest === sha256Hex(asked.text)) {
    const successor = tokenNumber(family.generation + 1);
    const idleUntil = Math.min(now + idleMs, family.ends_at);
    return {
      change: { kind: 'rotate', digest: sha256Hex(successor), idleUntil },
      userId: family.user_id,
      successor,
    };
  }
  // The successor is unused as long as it is the family's newest: once it was used, this token is two behind.
  if (token.generation === family.generation - 1 && family.rotated_ago <= replayMs)
    return { change: none, userId: family.user_id, successor: tokenNumber(family.generation) };
  return { ...dead, change: { kind: 'revoke' } };
}

export function isAlive(family: Family, developerId: string, now: number): boolean {
  return (
    family.developer_id === developerId &&
    family.revoked_at === null &&
    family.epoch === family.user_epoch &&
    // Never later than `ends_at`.
    family.idle_until > now
  );
}
