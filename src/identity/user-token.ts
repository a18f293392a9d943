import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../base/clock.ts';
import { newId } from '../base/id.ts';
import { Problem } from '../base/problem.ts';
import { algorithm, type SigningKeys } from './keys/signing-keys.ts';

/** Whom a user token stands for; the contract calls it MIT (MCP Identity Token). */
export type User = {
  readonly userId: string;
  readonly developerId: string;
  /** `jti`. */
  readonly tokenId: string;
  /** `sid`: the family of refresh tokens it came with. */
  readonly sessionId: string;
  /** The API key it was asked with. */
  readonly keyId: string;
};

/** A user token's content as its signature vouches for it. */
export type Claims = User & {
  /** Seconds since 1970. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly connectedServices: readonly string[];
};

export type UserTokens = {
  mint(claims: Omit<Claims, 'tokenId' | 'issuedAt' | 'expiresAt'>): Promise<string>;
  /** Everything but whether it was revoked. Throws `invalid_token`. */
  read(token: string): Promise<Claims>;
};

export const lifeSeconds = 3_600;
/** Between our clocks and those of who sees the token (threats H5). */
export const skewSeconds = 5;
export const audience = 'mcp-servers';
/** RFC 9068: tells it from an ID token of the same issuer, which must never pass for one (RFC 8725 section 3.11). */
const type = 'at+jwt';
const maxLength = 4_096;
/** Headers that bring a key or name a place to fetch one: a key comes from our own set and nowhere else (threats H3). */
const keyHeaders = ['jwk', 'jku', 'x5c', 'x5u', 'crit'];
const requiredClaims = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'sid', 'api_key_id', 'developer_id'];

export function createUserTokens(deps: {
  keys: SigningKeys;
  issuer: () => string;
  clock: Clock;
}): UserTokens {
  const { keys, issuer, clock } = deps;
  return {
    async mint({ userId, developerId, keyId, sessionId, connectedServices }) {
      const { kid, key } = await keys.current();
      const now = Math.floor(clock.now() / 1000);
      return new SignJWT({
        api_key_id: keyId,
        client_id: keyId,
        connected_services: [...connectedServices],
        user_id: userId,
        developer_id: developerId,
        sid: sessionId,
      })
        .setProtectedHeader({ alg: algorithm, kid, typ: type })
        .setIssuer(issuer())
        .setSubject(userId)
        .setAudience(audience)
        .setIssuedAt(now)
        .setExpirationTime(now + lifeSeconds)
        .setJti(newId('tok'))
        .sign(key);
    },

    async read(token) {
      const kid = parseKeyId(token);
      const key = await keys.find(kid);
      if (key === undefined) throw invalidToken('signed with a key that is not ours');
      const { payload } = await jwtVerify(token, key, {
        issuer: issuer(),
        audience,
        algorithms: [algorithm],
        typ: type,
        clockTolerance: skewSeconds,
        maxTokenAge: lifeSeconds,
        requiredClaims,
        currentDate: new Date(clock.now()),
      }).catch((cause: unknown) => {
        throw invalidToken('does not verify', cause);
      });
      return {
        userId: String(payload.sub),
        developerId: String(payload.developer_id),
        tokenId: String(payload.jti),
        sessionId: String(payload.sid),
        keyId: String(payload.api_key_id),
        issuedAt: payload.iat ?? 0,
        expiresAt: payload.exp ?? 0,
        connectedServices: payload.connected_services as string[],
      };
    },
  };
}

/** One text for every reason: which of them it was is nobody's business but the log's. */
export function invalidToken(why: string, cause?: unknown): Problem {
  return new Problem('invalid_token', 'The MIT is missing, invalid, expired or revoked', {
    cause: new Error(why, { cause }),
  });
}

function parseKeyId(token: string): string {
  if (token.length > maxLength) throw invalidToken('longer than 4 KiB');
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw invalidToken('not a JWT in compact form');
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(token);
  } catch (cause) {
    throw invalidToken('its header cannot be read', cause);
  }
  if (header.alg !== algorithm) throw invalidToken('not signed with RS256');
  if (keyHeaders.some((name) => name in header)) throw invalidToken('brings a key of its own');
  if (typeof header.kid !== 'string') throw invalidToken('names no key');
  return header.kid;
}
