import { hash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import { RevalidatingCache } from '../base/revalidating-cache.ts';
import type { StoredKey } from './key-store.ts';
import type { Limiter } from './limiter.ts';

export type KeyVerifier<P> = {
  /**
   * Whom the key belongs to; a promise only where it has to be looked up. Rejects with `invalid_api_key`, and with
   * `rate_limited` where too many bad keys came from.
   */
  verify(key: string, address: string): P | Promise<P>;
  /** Forgets what is known of a key: it was revoked. */
  invalidate(keyId: string): void;
  /** Keys used since the last call, with the time of their last use. */
  takeUsed(): ReadonlyMap<string, number>;
};

type VerifiedKey<P> = { readonly keyId: string; readonly owner: P; readonly expiresAt: number };

const keyPattern = /^sk_mcp_rank_[0-9a-f]{32}$/;
/** Bad keys from one address a minute; a person mistyping stays far below, a guesser gains nothing against 128 bits. */
const failuresPerMinute = 60;
/** A key is read again this often even without a notice: the safety net under revocation. */
const rereadMs = 60_000;
const maxCached = 50_000;

type Deps<P> = {
  readonly find: (digest: string) => Promise<StoredKey | undefined>;
  readonly ownerOf: (row: StoredKey) => P;
  /** Whether there is such a key, from memory. */
  readonly isKnown: (digest: string) => boolean;
  readonly limiter: Limiter;
  readonly clock: Clock;
};

/** Keys to owners by SHA-256, from memory where it can: the store is asked about a key once a minute at most. */
export function createKeyVerifier<P>(deps: Deps<P>): KeyVerifier<P> {
  const { limiter, clock } = deps;
  const cache = new RevalidatingCache<VerifiedKey<P>>({
    max: maxCached,
    maxAgeMs: rereadMs,
    now: clock.monotonic,
    tagsOf: ({ keyId }) => [keyId],
  });
  const used = new Map<string, number>();
  const isAlive = ({ expiresAt }: VerifiedKey<P>) => expiresAt > clock.now();

  /** The same from memory while the store is away: what was good a while ago stays good. */
  const loadKey = (digest: string, address: string): Promise<VerifiedKey<P>> =>
    cache
      .load(digest, () => readKey(deps, digest))
      .catch((error: unknown) => {
        const known = cache.getStale(digest);
        if (!isRefusal(error)) {
          if (known !== undefined && isAlive(known)) return known;
          throw error;
        }
        if (known !== undefined) cache.invalidate(digest);
        limiter.take(guessesFrom(address), 1, failuresPerMinute);
        throw error;
      });

  const checkKey = (digest: string | null, address: string): Promise<VerifiedKey<P>> => {
    // While an address is in penalty for bad keys, the good ones behind it go on working.
    if (digest === null || (cache.getStale(digest) === undefined && !deps.isKnown(digest)))
      refuseGuesser(limiter, address);
    if (digest !== null) return loadKey(digest, address);
    limiter.take(guessesFrom(address), 1, failuresPerMinute);
    throw invalidKey();
  };

  const use = ({ keyId, owner }: VerifiedKey<P>): P => {
    used.set(keyId, clock.now());
    return owner;
  };
  const look = async (digest: string | null, address: string) => use(await checkKey(digest, address));

  return {
    verify(key, address) {
      const digest = keyPattern.test(key) ? hash('sha256', key) : null;
      const cached = digest === null ? undefined : cache.get(digest);
      return cached !== undefined && isAlive(cached) ? use(cached) : look(digest, address);
    },
    invalidate: (keyId) => cache.invalidate(keyId),
    takeUsed() {
      const uses = new Map(used);
      used.clear();
      return uses;
    },
  };
}

async function readKey<P>({ find, ownerOf, clock }: Deps<P>, digest: string): Promise<VerifiedKey<P>> {
  const row = await find(digest);
  // An unknown key costs what a known one does (threats L1).
  const same = timingSafeEqual(Buffer.from(row?.digest ?? digest, 'hex'), Buffer.from(digest, 'hex'));
  const expiresAt = row?.expires_at ?? Infinity;
  if (row === undefined || !same || row.revoked_at !== null || expiresAt <= clock.now()) throw invalidKey();
  return { keyId: row.id, owner: ownerOf(row), expiresAt };
}

function refuseGuesser(limiter: Limiter, address: string): void {
  const { allowed, retryAfterMs } = limiter.peek(guessesFrom(address), failuresPerMinute);
  if (!allowed)
    throw new Problem('rate_limited', 'Too many invalid API keys from this address', { retryAfterMs });
}

export function invalidKey(): Problem {
  return new Problem('invalid_api_key', 'Missing or invalid API key');
}

function isRefusal(error: unknown): boolean {
  return error instanceof Problem && error.kind === 'invalid_api_key';
}

function guessesFrom(address: string): string {
  return `bad keys from ${toNetwork(address)}`;
}

/** An IPv6 host owns a whole /64; an IPv4 one its address. */
export function toNetwork(address: string): string {
  const isV6 = address.includes(':') && !address.startsWith('::ffff:');
  if (!isV6) return address;
  const [head = '', tail = ''] = address.split('::', 2);
  const groups = [head, tail].map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array(Math.max(0, 8 - groups.flat().length)).fill('0');
  return [...(groups[0] ?? []), ...zeros, ...(groups[1] ?? [])].slice(0, 4).join(':');
}
