import { type JsonWebKey, webcrypto } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import type { Secret } from '../../base/secret.ts';

type Algorithm = Parameters<typeof webcrypto.subtle.importKey>[2];

/** What a client may sign its assertion with (RFC 7518), as Web Crypto names it. */
export const keyAlgorithms: Readonly<Record<string, Algorithm>> = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
};

/** We show who we are by a signature that is good for a minute; the key itself never leaves (RFC 7523 section 2.2). */
export async function keyAuth(clientKey: Secret): Promise<oauth.ClientAuth> {
  const {
    kid,
    alg,
    use: _use,
    key_ops: _ops,
    ...jwk
  } = JSON.parse(clientKey.reveal()) as JsonWebKey & {
    readonly kid: string;
    readonly alg: string;
  };
  const key = await webcrypto.subtle.importKey('jwk', jwk, keyAlgorithms[alg] ?? '', false, ['sign']);
  return oauth.PrivateKeyJwt({ key, kid });
}
