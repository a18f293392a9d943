import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type JsonWebKey,
  randomBytes,
  sign,
  type webcrypto,
} from 'node:crypto';
import * as oauth from 'oauth4webapi';

/** A private key as it rests sealed with its grant (ES256, the one algorithm that everybody has). */
export type ProofKey = JsonWebKey & { readonly kty: 'EC'; readonly crv: 'P-256' };

/** Proves possession of the key for one request to an MCP server (RFC 9449 section 7). */
export type Prover = (request: {
  readonly method: string;
  readonly url: string;
  readonly nonce: string | null;
}) => string;

export const proofAlgorithm = 'ES256';

export function newProofKey(): ProofKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ format: 'jwk' }) as ProofKey;
}

export function createProver(key: ProofKey, accessToken: string, now: () => number): Prover {
  const privateKey = createPrivateKey({ key, format: 'jwk' });
  const { kty, crv, x, y } = key;
  const header = encode({ typ: 'dpop+jwt', alg: proofAlgorithm, jwk: { kty, crv, x, y } });
  const ath = createHash('sha256').update(accessToken, 'ascii').digest('base64url');
  return ({ method, url, nonce }) => {
    const claims = encode({
      jti: randomBytes(16).toString('base64url'),
      htm: method,
      // Without query and fragment (RFC 9449 section 4.2).
      htu: url.replace(/[?#].*$/s, ''),
      iat: Math.floor(now() / 1_000),
      ath,
      ...(nonce === null ? {} : { nonce }),
    });
    const signed = `${header}.${claims}`;
    const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  };
}

/** The same key for requests to the authorization server. */
export async function proofHandle(client: oauth.Client, key: ProofKey): Promise<oauth.DPoPHandle> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const { d: _, ...publicPart } = key;
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('jwk', key as webcrypto.JsonWebKey, algorithm, false, ['sign']),
    crypto.subtle.importKey('jwk', publicPart as webcrypto.JsonWebKey, algorithm, true, ['verify']),
  ]);
  return oauth.DPoP(client, { privateKey, publicKey });
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
