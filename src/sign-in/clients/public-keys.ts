import { isPublicJwk } from '../../base/jwk.ts';

type Jwk = { readonly kty?: string; readonly crv?: string; readonly alg?: string } & Readonly<
  Record<string, unknown>
>;

/** By kind and curve, for the algorithms that clients may sign with. */
const algorithms: Readonly<Record<string, Parameters<typeof crypto.subtle.importKey>[2]>> = {
  'EC P-256': { name: 'ECDSA', namedCurve: 'P-256' },
  'OKP Ed25519': { name: 'Ed25519' },
  'RSA RS256': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  'RSA PS256': { name: 'RSA-PSS', hash: 'SHA-256' },
};
/** RFC 7518 section 3.3. */
const leastModulus = 2_048;

export const publicKeyForm =
  'a public key for signatures (EC on P-256, RSA of 2048 bits or more, or Ed25519), whole, and nothing secret';

/** A key whose signatures can be checked; a point has to be on its curve. */
export async function isSigningKey(key: unknown): Promise<boolean> {
  if (!isPublicJwk(key)) return false;
  // What a key may be used for by its owner's word is the owner's affair: it says so for both sides of it.
  const { key_ops: _, ext: __, ...jwk } = key as Jwk;
  const algorithm = algorithms[`${jwk.kty} ${jwk.kty === 'RSA' ? (jwk.alg ?? 'RS256') : jwk.crv}`];
  if (algorithm === undefined) return false;
  try {
    const read = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify']);
    const { modulusLength = leastModulus } = read.algorithm as { modulusLength?: number };
    return modulusLength >= leastModulus;
  } catch {
    return false;
  }
}
