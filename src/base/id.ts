import { createHash, randomBytes } from 'node:crypto';

/** Prefixes of the ids that leave the process, so that one glance tells what an id names. */
export type IdPrefix = 'key' | 'dev' | 'req' | 'ql' | 'inv' | 'ntc' | 'own';

/** A new id: the prefix and 128 random bits in hex, e.g. `key_5f0c…`. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomBytes(16).toString('hex')}`;
}

/** SHA-256 of a text as 64 hex digits. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
