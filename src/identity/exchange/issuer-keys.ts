import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import { createBoundedCache } from '../../base/bounded-cache.ts';
import { Problem } from '../../base/problem.ts';

/** The one call this needs of the network; the outbound room offers it. */
export type Get = (request: {
  readonly method: 'GET';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}) => Promise<{ readonly status: number; readonly body: Buffer }>;

const cacheMaxAge = 600_000;
/** An unknown key id asks for the keys again, and not more often than this. */
const cooldownDuration = 30_000;
const fetchMs = 5_000;
const maxKeyBytes = 65_536;
const maxKeySets = 1_000;

/**
 * The keys of an issuer by the URL of its key set: jose's remote set (single flight, freshness, cooldown) over our way out.
 * Its issuer being away is no reason to refuse its users, whose tokens are checked all the same: the last keys go on.
 * Without any, the key function throws `upstream_error`.
 */
export function createIssuerKeys(get: Get): (jwksUri: string) => JWTVerifyGetKey {
  const keySets = createBoundedCache<JWTVerifyGetKey>(maxKeySets);
  return (jwksUri) => {
    let keySet = keySets.get(jwksUri);
    if (keySet === undefined) {
      keySet = createKeySet(get, jwksUri);
      keySets.set(jwksUri, keySet);
    }
    return keySet;
  };
}

function createKeySet(get: Get, jwksUri: string): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(new URL(jwksUri), {
    cacheMaxAge,
    cooldownDuration,
    // Ours comes first.
    timeoutDuration: 2 * fetchMs,
    [customFetch]: async (url) => Response.json(await fetchKeys(get, url)),
  });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      const lastKeys = remote.jwks();
      if (!(error instanceof Problem) || lastKeys === undefined) throw error;
      return createLocalJWKSet(lastKeys)(header, token);
    }
  };
}

/** Throws a Problem for whatever is wrong with the issuer, so that it is told from what is wrong with a token. */
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
