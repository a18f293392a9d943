import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { Issuer } from './issuer-store.ts';

/** The one call this needs of the network; the outbound room offers it. */
export type Get = (request: {
  readonly method: 'GET';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}) => Promise<{ readonly status: number; readonly body: Buffer }>;

export type SubjectTokens = {
  /** The user an app's own identity provider vouches for. Throws `invalid_request`, or `upstream_error` without its keys. */
  userOf(developerId: string, token: string): Promise<string>;
};

type Keys = { readonly of: ReturnType<typeof createLocalJWKSet>; readonly at: number };

/** Asymmetric only: with a shared secret, whoever checks could also sign (threats H1). */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const clockTolerance = 5;
const maxLength = 16_384;
const keepKeysMs = 600_000;
/** An unknown key id asks for the keys again, and not more often than this. */
const cooldownMs = 30_000;
const fetchMs = 5_000;
const maxKeyBytes = 65_536;
const maxKeySets = 1_000;

/** Tokens of other issuers (RFC 8693), checked with keys fetched once and kept for a while. */
export function createSubjectTokens(deps: {
  find: (developerId: string, issuer: string) => Promise<Issuer | undefined>;
  get: Get;
  clock: Clock;
}): SubjectTokens {
  const { find, get, clock } = deps;
  const sets = new Map<string, Keys>();
  const loading = new Map<string, Promise<Keys>>();

  const load = (uri: string): Promise<Keys> => {
    const running = loading.get(uri);
    if (running !== undefined) return running;
    const started = fetchKeys(get, uri)
      .then((jwks) => {
        const keys = { of: createLocalJWKSet(jwks), at: clock.monotonic() };
        if (sets.size >= maxKeySets) sets.clear();
        sets.set(uri, keys);
        return keys;
      })
      .finally(() => loading.delete(uri));
    loading.set(uri, started);
    return started;
  };
  const keysOf = async (uri: string): Promise<Keys> => {
    const known = sets.get(uri);
    if (known !== undefined && clock.monotonic() - known.at < keepKeysMs) return known;
    // Its issuer being away for a while is no reason to refuse its users, whose tokens are checked all the same.
    return load(uri).catch((error: unknown) => {
      if (known === undefined) throw error;
      return known;
    });
  };
  const verify = async (token: string, issuer: Issuer): Promise<JWTPayload> => {
    const options = {
      issuer: issuer.issuer,
      audience: issuer.audience,
      algorithms,
      clockTolerance,
      requiredClaims: ['sub', 'exp', 'iat'],
      currentDate: new Date(clock.now()),
    };
    const keys = await keysOf(issuer.jwksUri);
    try {
      return (await jwtVerify(token, keys.of, options)).payload;
    } catch (error) {
      const rotated = error instanceof errors.JWKSNoMatchingKey && clock.monotonic() - keys.at >= cooldownMs;
      if (!rotated) throw refused('does not verify', error);
      const fresh = await load(issuer.jwksUri);
      return (
        await jwtVerify(token, fresh.of, options).catch((cause) => {
          throw refused('does not verify', cause);
        })
      ).payload;
    }
  };

  return {
    async userOf(developerId, token) {
      const issuer = await find(developerId, issuerIn(token));
      if (issuer === undefined) throw refused('its issuer is not registered');
      const { sub } = await verify(token, issuer);
      return issuer.userPrefix + sub;
    },
  };
}

/** Unverified: it only chooses whose keys are to verify it. */
function issuerIn(token: string): string {
  try {
    if (token.length <= maxLength) return String(decodeJwt(token).iss);
  } catch (cause) {
    throw refused('expected a JWT', cause);
  }
  throw refused('longer than 16 KiB');
}

function refused(why: string, cause?: unknown): Problem {
  // RFC 8693 section 2.2.2: a subject token that does not hold is an invalid request.
  return new Problem('invalid_request', `subject_token: ${why}`, { cause });
}

async function fetchKeys(get: Get, url: string): Promise<JSONWebKeySet> {
  const { status, body } = await get({
    method: 'GET',
    url,
    headers: { accept: 'application/json' },
    timeoutMs: fetchMs,
    maxBytes: maxKeyBytes,
  });
  if (status !== 200) throw unusable(`it answers ${status}`);
  try {
    const jwks = JSON.parse(body.toString('utf8')) as JSONWebKeySet;
    createLocalJWKSet(jwks);
    return jwks;
  } catch (cause) {
    throw unusable('what it answers is no key set', cause);
  }
}

function unusable(why: string, cause?: unknown): Problem {
  return new Problem('upstream_error', `The keys of the subject token's issuer cannot be used: ${why}`, {
    cause,
  });
}
