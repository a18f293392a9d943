import { hash, randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { StoredKey } from './key-store.ts';
import type { Limiter } from './limiter.ts';

export type Verifier<P> = {
  /** What stands for the key's owner; a value, not a promise, when the key is known already. Throws `invalid_api_key`. */
  verify(key: string, address: string): P | Promise<P>;
  /** Forgets what is known of a key: it was revoked. */
  forget(keyId: string): void;
  /** Keys used since the last call, with the time of their last use. */
  takeUsed(): ReadonlyMap<string, number>;
};

type Known<P> = {
  readonly keyId: string;
  readonly owner: P;
  readonly expiresAt: number;
  readonly readAt: number;
};

const keyPattern = /^sk_mcp_rank_[0-9a-f]{32}$/;
/** Bad keys from one address a minute; a person mistyping stays far below, a guesser gains nothing against 128 bits. */
const failuresPerMinute = 60;
/** A key is read again this often even without a notice: the safety net under revocation. */
const rereadMs = 60_000;
const maxKnownKeys = 50_000;
/** Good keys whose digests are kept beside them, by a part of their mark: a power of two. */
const digestsKept = 1_024;

/** Keys to owners, from memory where it can: the store is asked about a key once a minute at most. */
export function createVerifier<P>(deps: {
  find: (digest: string) => Promise<StoredKey | undefined>;
  ownerOf: (row: StoredKey) => P;
  limiter: Limiter;
  clock: Clock;
}): Verifier<P> {
  const { find, ownerOf, limiter, clock } = deps;
  const known = new Map<string, Known<P>>();
  const goodTags = new Set<number>();
  const tagSeed = randomInt(1, 2 ** 31);
  const used = new Map<string, number>();
  const digests = new Array<{ readonly key: string; readonly digest: string } | undefined>(digestsKept);
  let revocations = 0;

  const invalid = (address: string) => {
    limiter.take(subjectOf(address), 1, failuresPerMinute);
    return new Problem('invalid_api_key', 'Missing or invalid API key');
  };
  const refuseGuesser = (address: string, tag: number) => {
    if (goodTags.has(tag)) return;
    const { allowed, retryAfterMs } = limiter.peek(subjectOf(address), failuresPerMinute);
    if (!allowed)
      throw new Problem('rate_limited', 'Too many invalid API keys from this address', { retryAfterMs });
  };

  /** A function of the key alone, so what was worked out once holds; whether the key is good is asked each time. */
  const digestOf = (key: string, tag: number, address: string): string => {
    const kept = digests[tag & (digestsKept - 1)];
    if (kept?.key === key) return kept.digest;
    if (!keyPattern.test(key)) throw invalid(address);
    return hash('sha256', key);
  };

  const read = async (digest: string, address: string): Promise<P> => {
    const revocationsBefore = revocations;
    const row = await find(digest);
    // An unknown key costs what a known one does (threats L1).
    const same = timingSafeEqual(Buffer.from(row?.digest ?? digest, 'hex'), Buffer.from(digest, 'hex'));
    const expiresAt = row?.expires_at ?? Infinity;
    if (row === undefined || !same || row.revoked_at !== null || expiresAt <= clock.now())
      throw invalid(address);
    const entry = { keyId: row.id, owner: ownerOf(row), expiresAt, readAt: clock.monotonic() };
    if (known.size >= maxKnownKeys) known.delete(known.keys().next().value ?? '');
    // A row that was read before a revocation was heard may be older than it: good for this call, not for keeping.
    if (revocations === revocationsBefore) known.set(digest, entry);
    used.set(row.id, clock.now());
    return entry.owner;
  };

  return {
    verify(key, address) {
      const tag = tagOf(key, tagSeed);
      refuseGuesser(address, tag);
      const digest = digestOf(key, tag, address);
      const entry = known.get(digest);
      const alive = entry !== undefined && entry.expiresAt > clock.now();
      if (alive && clock.monotonic() - entry.readAt < rereadMs) {
        used.set(entry.keyId, clock.now());
        return entry.owner;
      }
      return read(digest, address).then(
        (owner) => {
          goodTags.add(tag);
          digests[tag & (digestsKept - 1)] = { key, digest };
          return owner;
        },
        (error: unknown) => {
          const refused = error instanceof Problem && error.kind === 'invalid_api_key';
          // The store is away: what was good a while ago stays good.
          if (!refused && alive && known.has(digest)) return entry.owner;
          known.delete(digest);
          goodTags.delete(tag);
          throw error;
        },
      );
    },
    forget(keyId) {
      revocations++;
      for (const [digest, entry] of known) if (entry.keyId === keyId) known.delete(digest);
    },
    takeUsed() {
      const uses = new Map(used);
      used.clear();
      return uses;
    },
  };
}

function subjectOf(address: string): string {
  return `bad keys from ${networkOf(address)}`;
}

/** An IPv6 host owns a whole /64; an IPv4 one its address. */
function networkOf(address: string): string {
  const isV6 = address.includes(':') && !address.startsWith('::ffff:');
  return isV6 ? address.split(':').slice(0, 4).join(':') : address;
}

/**
 * A cheap seeded mark of a key (FNV-1a, 32 bit): while an address is in penalty for bad keys, only keys whose
 * mark was seen on a good one are worth a hash. It decides nothing else.
 */
function tagOf(key: string, seed: number): number {
  let tag = seed;
  for (let i = 0; i < key.length && i < 64; i++) tag = Math.imul(tag ^ key.charCodeAt(i), 0x01000193);
  return tag;
}
