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
import { dpopAlgorithm } from '../authorization-servers/server-discovery.ts';
import type { SignDPoPProof } from '../connections-model.ts';

/** A private key as it rests sealed with its grant. */
export type DPoPKey = JsonWebKey & { readonly kty: 'EC'; readonly crv: 'P-256' };

export function newDPoPKey(): DPoPKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ format: 'jwk' }) as DPoPKey;
}

/** For requests to the resource that the token is for. */
export function createDPoPSigner(key: DPoPKey, accessToken: string, now: () => number): SignDPoPProof {
  const privateKey = createPrivateKey({ key, format: 'jwk' });
  const { kty, crv, x, y } = key;
  const header = encode({ typ: 'dpop+jwt', alg: dpopAlgorithm, jwk: { kty, crv, x, y } });
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
export async function dpopHandle(client: oauth.Client, key: DPoPKey): Promise<oauth.DPoPHandle> {
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
