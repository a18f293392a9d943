import type { Clock } from '../base/clock.ts';
import { sha256Hex } from '../base/id.ts';
import { Problem } from '../base/problem.ts';
import type { Actor } from './identity-model.ts';
import type { FamilyStore } from './refresh/family-store.ts';
import { isAlive } from './refresh/refresh-decision.ts';
import { parseRefreshToken } from './refresh/refresh-token.ts';
import type { TokenVerifier } from './token-verifier.ts';
import { audience, type Claims } from './user-token.ts';

/** What a token says, if it is the developer's own and alive (RFC 7662 section 2.2); times in seconds since 1970. */
export type Introspection =
  | { readonly kind: 'inactive' }
  | {
      readonly kind: 'user_token';
      readonly issuer: string;
      readonly audience: string;
      readonly claims: Claims;
    }
  | {
      readonly kind: 'refresh_token';
      readonly userId: string;
      readonly sessionId: string;
      readonly developerId: string;
      readonly expiresAt: number;
    };

const inactive = { kind: 'inactive' } as const;

export async function introspect(
  deps: {
    readonly verifier: TokenVerifier;
    readonly families: FamilyStore;
    readonly issuer: () => string;
    readonly clock: Clock;
  },
  { developerId }: Actor,
  token: string,
): Promise<Introspection> {
  if (token.startsWith('rt_')) return introspectRefreshToken(deps, developerId, token);
  try {
    const claims = await deps.verifier.verify(token, developerId);
    return { kind: 'user_token', issuer: deps.issuer(), audience, claims };
  } catch (error) {
    // Why a token is no good is not told.
    if (error instanceof Problem && error.kind === 'invalid_token') return inactive;
    throw error;
  }
}

async function introspectRefreshToken(
  { families, clock }: { readonly families: FamilyStore; readonly clock: Clock },
  developerId: string,
  token: string,
): Promise<Introspection> {
  const parsed = parseRefreshToken(token);
  const family = parsed === null ? undefined : await families.find(parsed.family);
  if (family === undefined || !isAlive(family, developerId, clock.now())) return inactive;
  if (family.digest !== sha256Hex(token)) return inactive;
  return {
    kind: 'refresh_token',
    userId: family.user_id,
    sessionId: family.id,
    developerId: family.developer_id,
    expiresAt: Math.floor(family.idle_until / 1000),
  };
}
