import { createHash, randomFillSync } from 'node:crypto';

/** Prefixes of the ids that leave the process, so that one glance tells what an id names. */
type IdPrefix =
  | 'key'
  | 'dev'
  | 'ntc'
  | 'own'
  | 'ref'
  | 'tok'
  | 'fam'
  | 'iss'
  | 'cred'
  | 'cli'
  | 'con'
  | 'sess'
  | 'rvk';
/** Ids of rows that come by the thousand. */
type LogPrefix = 'ql' | 'inv' | 'aud' | 'look' | 'drift';

const idBytes = 16;
/** Random bytes are drawn for 256 ids at once: a call to the generator costs ten times the bytes. */
const pool = Buffer.allocUnsafe(256 * idBytes);
let used = pool.length;

/** A new id: the prefix and 128 random bits in hex, e.g. `key_5f0c…`. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomHex()}`;
}

/**
 * A new id that sorts by time: 48 bits of milliseconds, then 128 random ones. Rows of a log then go to the end of their
 * index; with random ids every row of a batch dirties a page of its own.
 */
export function newLogId(prefix: LogPrefix, nowMs: number): string {
  return `${prefix}_${nowMs.toString(16).padStart(12, '0')}${randomHex()}`;
}

function randomHex(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += idBytes;
  return pool.toString('hex', used - idBytes, used);
}

/** SHA-256 of a text as 64 hex digits. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
