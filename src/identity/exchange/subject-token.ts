import { decodeJwt, jwtVerify } from 'jose';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import { createIssuerKeys, type Get } from './issuer-keys.ts';
import type { Issuer } from './issuer-store.ts';

/** Whose assertion it has to be, for whom, and what it has to say. */
export type ExpectedAssertion = {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUri: string;
  readonly requiredClaims: readonly string[];
  /** `typ` of its header. */
  readonly type?: string;
  /** How far its issuer's clock may be from ours; five seconds unless said. */
  readonly skewSeconds?: number;
  /** What it came as, for who reads the refusal. */
  readonly field: string;
};
/** The claims of another issuer's signed assertion. Throws `invalid_request`, or `upstream_error` without its keys. */
export type VerifyAssertion = (
  token: string,
  expected: ExpectedAssertion,
) => Promise<Readonly<Record<string, unknown>>>;

export type SubjectTokens = {
  /** The user an app's own identity provider vouches for. Throws `invalid_request`, or `upstream_error` without its keys. */
  resolveUser(developerId: string, token: string): Promise<string>;
};

/** Asymmetric only: with a shared secret, whoever checks could also sign (threats H1). */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const usualSkewSeconds = 5;
const maxLength = 16_384;

/** Tokens of other issuers (RFC 8693). */
export function createAssertionVerifier(get: Get, clock: Clock): VerifyAssertion {
  const keysAt = createIssuerKeys(get);
  return async (token, { issuer, audience, jwksUri, requiredClaims, type, field, skewSeconds }) => {
    if (token.length > maxLength) throw refused('longer than 16 KiB', { field });
    const { payload } = await jwtVerify(token, keysAt(jwksUri), {
      issuer,
      audience,
      algorithms,
      clockTolerance: skewSeconds ?? usualSkewSeconds,
      requiredClaims: [...requiredClaims],
      currentDate: new Date(clock.now()),
      ...(type !== undefined && { typ: type }),
    }).catch((error: unknown) => {
      throw error instanceof Problem ? error : refused('does not verify', { field, cause: error });
    });
    return payload;
  };
}

export function createSubjectTokens(deps: {
  readonly find: (developerId: string, issuer: string) => Promise<Issuer | undefined>;
  readonly verify: VerifyAssertion;
}): SubjectTokens {
  const { find, verify } = deps;
  return {
    async resolveUser(developerId, token) {
      const issuer = await find(developerId, claimedIssuer(token));
      if (issuer === undefined) throw refused('its issuer is not registered');
      const claims = await verify(token, {
        ...issuer,
        requiredClaims: ['sub', 'exp', 'iat'],
        field: usualField,
      });
      return issuer.userPrefix + String(claims.sub);
    },
  };
}

/** Unverified: it only chooses whose keys are to verify it. */
function claimedIssuer(token: string): string {
  try {
    if (token.length <= maxLength) return String(decodeJwt(token).iss);
  } catch (cause) {
    throw refused('expected a JWT', { cause });
  }
  throw refused('longer than 16 KiB');
}

const usualField = 'subject_token';

function refused(
  why: string,
  { field = usualField, cause }: { readonly field?: string; readonly cause?: unknown } = {},
): Problem {
  // RFC 8693 section 2.2.2: a subject token that does not hold is an invalid request.
  return new Problem('invalid_request', `${field}: ${why}`, { cause });
}
