import { hash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { RevalidatingCache } from '../base/revalidating-cache.ts';
import type { Family, Revocation } from './identity-model.ts';
import { type Claims, invalidToken, skewSeconds, type UserTokens } from './user-token.ts';

export type TokenVerifier = {
  /** What the token says, if it is the developer's and alive. Throws `invalid_token`. */
  verify(token: string, developerId: string): Promise<Claims>;
  invalidate(revocation: Revocation): void;
};

/** A token is looked up again this often even without a notice: the safety net under revocation. */
const rereadMs = 60_000;
/** About 600 bytes each. */
const maxCached = 50_000;

type Deps = {
  readonly tokens: UserTokens;
  readonly findFamily: (id: string) => Promise<Family | undefined>;
  readonly clock: Clock;
};

/** Verified tokens by SHA-256: a signature costs fifty microseconds and the store a query, this two. */
export function createTokenVerifier(deps: Deps): TokenVerifier {
  const { clock } = deps;
  const cache = new RevalidatingCache<Claims>({
    max: maxCached,
    maxAgeMs: rereadMs,
    now: clock.monotonic,
    tagsOf: ({ sessionId, developerId, userId }) => [sessionId, userTag(developerId, userId)],
  });
  const isAlive = ({ expiresAt }: Claims) => expiresAt + skewSeconds > Math.floor(clock.now() / 1000);

  return {
    async verify(token, developerId) {
      const digest = hash('sha256', token);
      const cached = cache.get(digest);
      const claims =
        cached !== undefined && isAlive(cached)
          ? cached
          : await cache.load(digest, () => readToken(deps, token));
      if (claims.developerId !== developerId) throw invalidToken("another developer's");
      return claims;
    },
    invalidate({ family, user }) {
      if (family !== undefined) cache.invalidate(family);
      if (user !== undefined) cache.invalidate(userTag(...user));
    },
  };
}

async function readToken({ tokens, findFamily }: Deps, token: string): Promise<Claims> {
  const claims = await tokens.read(token);
  const row = await findFamily(claims.sessionId);
  const isSame = row?.developer_id === claims.developerId && row.user_id === claims.userId;
  if (row === undefined || !isSame || row.revoked_at !== null || row.epoch !== row.user_epoch)
    throw invalidToken('revoked');
  return claims;
}

function userTag(developerId: string, userId: string): string {
  return JSON.stringify([developerId, userId]);
}
