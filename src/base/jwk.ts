/** Keys as JSON (RFC 7517), as far as whoever says one can be told at once that it is none. */
import { isObject } from './json.ts';

/** RFC 7518 section 6, RFC 8037 section 2. */
const publicMembers: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['EC', ['crv', 'x', 'y']],
  ['RSA', ['n', 'e']],
  ['OKP', ['crv', 'x']],
]);
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'priv'];

/** A public key of one of the asymmetric kinds, whole, and nothing secret in it. */
export function isPublicJwk(key: unknown): boolean {
  return hasPublicMembers(key) && !secretMembers.some((name) => name in key);
}

/** One with its private part, and its public one. */
export function isPrivateJwk(key: unknown): key is Readonly<Record<string, unknown>> {
  return hasPublicMembers(key) && isPart(key.d);
}

function hasPublicMembers(key: unknown): key is Readonly<Record<string, unknown>> {
  if (!isObject(key)) return false;
  const members = publicMembers.get(key.kty);
  return members?.every((name) => isPart(key[name])) === true;
}

function isPart(value: unknown): boolean {
  return typeof value === 'string' && /^[\w-]{1,2000}$/.test(value);
}
