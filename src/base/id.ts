import { hash, randomFillSync } from 'node:crypto';

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
  | 'rvk'
  | 'ask'
  | 'mcp'
  | 'mach'
  | 'acc';
/** Ids of rows that come by the thousand. */
type LogPrefix = 'call' | 'apr' | 'inv' | 'aud' | 'look' | 'drift';

const idBytes = 16;
/** Random bytes are drawn for 256 ids at once: a call to the generator costs ten times the bytes. */
const pool = Buffer.allocUnsafe(256 * idBytes);
let used = pool.length;

/** A new id: the prefix and 128 random bits in hex, e.g. `key_5f0c…`. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${randomHex()}`;
}

/** Of the last id of a log: its time, that in hex, and how many of that time came before it. */
let lastMs = -1;
let lastTime = '';
let sequence = 0;

/**
 * A new id that sorts by time, and within one process by its making: 48 bits of milliseconds, 16 that count within
 * each, then 128 random ones. Rows of a log then go to the end of their index one after the other; with random ids every
 * row of a batch dirties a page of its own, and each is looked for (a third of what a row costs SQLite).
 */
export function newLogId(prefix: LogPrefix, nowMs: number): string {
  if (nowMs === lastMs) sequence = (sequence + 1) & 0xffff;
  else {
    lastMs = nowMs;
    lastTime = hexTime(nowMs);
    sequence = 0;
  }
  return `${prefix}_${lastTime}${sequence.toString(16).padStart(4, '0')}${randomHex()}`;
}

/** Behind every id that `newLogId` made before that time, and before all later ones. */
export function logIdBefore(prefix: LogPrefix, ms: number): string {
  return `${prefix}_${hexTime(ms)}`;
}

function hexTime(ms: number): string {
  return ms.toString(16).padStart(12, '0');
}

/**
 * Makes UUIDs of version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, 12 that count within each, 62 random ones. It sorts
 * as it was made, like a log's id; where more are wanted of one millisecond than can be counted, the next one is taken.
 */
export function createUuids(): (nowMs: number) => string {
  let [lastMs, time, sequence] = [-1, '', 0];
  const startMs = (ms: number) => {
    const hex = ms.toString(16).padStart(12, '0');
    [lastMs, time, sequence] = [ms, `${hex.slice(0, 8)}-${hex.slice(8)}`, 0];
  };
  return (nowMs) => {
    if (nowMs > lastMs) startMs(nowMs);
    else if (++sequence > 0xfff) startMs(lastMs + 1);
    const random = randomHex();
    const count = sequence.toString(16).padStart(3, '0');
    // The variant's two bits, 10, before two random ones.
    const variant = '89ab'[Number.parseInt(random[0] ?? '0', 16) & 3];
    return `${time}-7${count}-${variant}${random.slice(1, 4)}-${random.slice(4, 16)}`;
  };
}

function randomHex(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += idBytes;
  return pool.toString('hex', used - idBytes, used);
}

/** SHA-256 of bytes as 64 hex digits. */
export function sha256Bytes(bytes: Buffer): string {
  return hash('sha256', bytes);
}

/** SHA-256 of a text as 64 hex digits. */
export function sha256Hex(text: string): string {
  return hash('sha256', text);
}
