/**
 * May this call happen: API keys, their scopes and tiers, and rate limits.
 *
 * Promises: a key is stored as a SHA-256 digest only and shown once; a revoked or expired key stops working
 * at once here and within a second in other processes; a warm check touches memory only; failed keys are
 * limited by address before anything is hashed, without locking out the good keys behind the same address.
 * When the store is down, keys seen lately go on working (until they expire); others get `unavailable`.
 */
import { createHash, hash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { Secret } from '../base/secret.ts';
import type { Storage } from '../storage/storage.ts';
import { createKeyStore, type StoredKey } from './key-store.ts';
import { createLimiter, type Quota } from './limiter.ts';

export const scopes = ['search', 'invocations', 'identity', 'proxy', 'mcp', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Who is calling. */
export type Principal = {
  readonly keyId: string;
  readonly developerId: string;
  readonly developer: string;
  readonly scopes: ReadonlySet<string>;
  readonly tier: string;
  readonly perMinute: number;
};

export type ApiKey = {
  readonly keyId: string;
  readonly developerId: string;
  readonly developer: string;
  readonly name: string;
  readonly tier: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
};

export type KeyRequest = {
  readonly developer: string;
  readonly name: string;
  readonly tier: string;
  readonly scopes?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | null;
};

export type Access = {
  /** The principal behind a presented key; a value (not a promise) when it is known already. Throws `invalid_api_key`. */
  authenticate(key: string, address: string): Principal | Promise<Principal>;
  /** Takes `cost` from the caller's quota; what is left, or a refusal, for the reply's headers. */
  admit(principal: Principal, cost: number): Quota;
  /** Makes a key; `key` is the only time its text exists outside the caller's hands. */
  createKey(request: KeyRequest): Promise<ApiKey & { readonly key: string }>;
  listKeys(): Promise<ApiKey[]>;
  revokeKey(id: string): Promise<void>;
  /** Installs the operator's admin key, or makes the first one in an empty store and returns its text. */
  ensureAdminKey(configured: Secret | null): Promise<string | null>;
  /** Writes down when keys were last used. */
  flush(): Promise<void>;
};

export type AccessConfig = { readonly tiers: ReadonlyMap<string, number> };

const keyPattern = /^sk_mcp_rank_[0-9a-f]{32}$/;
const adminDeveloper = 'admin';
const configuredKeyName = 'MCPRANK_ADMIN_KEY';
/** Bad keys from one address a minute; a person mistyping stays far below, a guesser gains nothing against 128 bits. */
const failuresPerMinute = 60;
/** A key is read again this often even without a notice: the safety net under revocation. */
const rereadMs = 60_000;
const maxCachedKeys = 50_000;

type Cached = {
  readonly principal: Principal;
  readonly digest: Buffer;
  readonly expiresAt: number;
  readonly readAt: number;
};

export function createAccess(deps: { storage: Storage; clock: Clock; config: AccessConfig }): Access {
  const { storage, clock, config } = deps;
  const store = createKeyStore(storage, clock);
  const limiter = createLimiter(clock);
  const cache = new Map<string, Cached>();
  const goodTags = new Set<number>();
  const tagSeed = randomInt(1, 2 ** 31);
  const used = new Map<string, number>();

  let revocations = 0;
  storage.subscribe('keys', (keyId) => {
    revocations++;
    for (const [digest, cached] of cache) if (cached.principal.keyId === keyId) cache.delete(digest);
  });

  const invalid = (address: string) => {
    limiter.take(`bad ${address}`, 1, failuresPerMinute);
    return new Problem('invalid_api_key', 'Missing or invalid API key');
  };

  const read = async (digest: Buffer, hex: string, address: string): Promise<Principal> => {
    const revocationsBefore = revocations;
    const row = await store.byDigest(hex);
    if (row === undefined || row.revoked_at !== null || (row.expires_at ?? Infinity) <= clock.now()) {
      timingSafeEqual(digest, digest); // an unknown key costs what a known one does (threats L1)
      throw invalid(address);
    }
    const stored = Buffer.from(row.digest, 'hex');
    if (!timingSafeEqual(stored, digest)) throw invalid(address);
    const cached = {
      principal: principalOf(row, config.tiers),
      digest: stored,
      expiresAt: row.expires_at ?? Infinity,
      readAt: clock.monotonic(),
    };
    if (cache.size >= maxCachedKeys) cache.delete(cache.keys().next().value ?? '');
    // A row that was read before a revocation was heard may be older than it: good for this call, not for keeping.
    if (revocations === revocationsBefore) cache.set(hex, cached);
    return cached.principal;
  };

  return {
    authenticate(key, address) {
      const subject = networkOf(address);
      const tag = tagOf(key, tagSeed);
      const inPenalty = !goodTags.has(tag) && !limiter.peek(`bad ${subject}`, failuresPerMinute).allowed;
      if (inPenalty) throw tooManyFailures(limiter.peek(`bad ${subject}`, failuresPerMinute).retryAfterMs);
      if (!keyPattern.test(key)) throw invalid(subject);
      const hex = hash('sha256', key);
      const cached = cache.get(hex);
      const now = clock.now();
      if (cached !== undefined && cached.expiresAt > now) {
        used.set(cached.principal.keyId, now);
        if (clock.monotonic() - cached.readAt < rereadMs) return cached.principal;
      }
      return read(Buffer.from(hex, 'hex'), hex, subject).then(
        (principal) => {
          goodTags.add(tag);
          used.set(principal.keyId, now);
          return principal;
        },
        (error: unknown) => {
          const known = error instanceof Problem && error.kind === 'invalid_api_key';
          if (known) {
            cache.delete(hex);
            goodTags.delete(tag);
          }
          // The store is away: what was good a while ago stays good.
          else if (cached !== undefined && cached.expiresAt > now && cache.has(hex)) return cached.principal;
          throw error;
        },
      );
    },

    admit: (principal, cost) => limiter.take(principal.keyId, cost, principal.perMinute),

    async createKey(request) {
      const tier = config.tiers.has(request.tier) ? request.tier : undefined;
      if (tier === undefined)
        throw new Problem('invalid_request', `tier: expected one of ${[...config.tiers.keys()].join(', ')}`);
      const wanted = request.scopes ?? scopes.filter((scope) => scope !== 'admin');
      const unknown = wanted.find((scope) => !(scopes as readonly string[]).includes(scope));
      if (unknown !== undefined)
        throw new Problem('invalid_request', `scopes: expected some of ${scopes.join(', ')}`);
      if (request.expiresAt != null && request.expiresAt <= clock.now())
        throw new Problem('invalid_request', 'expires_at: expected a time to come');
      const key = newKeyText();
      const row = await store.insert({
        developer: request.developer,
        name: request.name,
        digest: digestOf(key),
        tier,
        scopes: [...new Set(wanted)].join(' '),
        expiresAt: request.expiresAt ?? null,
      });
      return { ...apiKeyOf(row), key };
    },

    listKeys: async () => (await store.list()).map(apiKeyOf),

    async revokeKey(id) {
      if (!(await store.revoke(id))) throw new Problem('not_found', 'Key not found');
    },

    async ensureAdminKey(configured) {
      if (configured === null) {
        if (!(await store.isEmpty())) return null;
        const key = newKeyText();
        await store.insert({
          developer: adminDeveloper,
          name: 'first key',
          digest: digestOf(key),
          tier: 'enterprise',
          scopes: scopes.join(' '),
          expiresAt: null,
        });
        return key;
      }
      const digest = digestOf(configured.reveal());
      const known = await store.byDigest(digest);
      // The setting is the truth: a key it named earlier is not good any more, and one revoked by hand stays so.
      for (const row of await store.list()) {
        if (row.name === configuredKeyName && row.digest !== digest && row.revoked_at === null)
          await store.revoke(row.id);
      }
      if (known === undefined) {
        await store.insert({
          developer: adminDeveloper,
          name: configuredKeyName,
          digest,
          tier: 'enterprise',
          scopes: scopes.join(' '),
          expiresAt: null,
        });
      }
      return null;
    },

    async flush() {
      if (used.size === 0) return;
      const uses = new Map(used);
      used.clear();
      await store.markUsed(uses);
    },
  };
}

function newKeyText(): string {
  return `sk_mcp_rank_${randomBytes(16).toString('hex')}`;
}

function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function tooManyFailures(retryAfterMs: number): Problem {
  return new Problem('rate_limited', 'Too many invalid API keys from this address', { retryAfterMs });
}

/** An IPv6 host owns a whole /64; an IPv4 one its address. */
function networkOf(address: string): string {
  return address.includes(':') && !address.startsWith('::ffff:')
    ? address.split(':').slice(0, 4).join(':')
    : address;
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

function principalOf(row: StoredKey, tiers: ReadonlyMap<string, number>): Principal {
  // A tier that the operator took away leaves its keys on the smallest one.
  const perMinute = tiers.get(row.tier) ?? Math.min(...tiers.values());
  return {
    keyId: row.id,
    developerId: row.developer_id,
    developer: row.developer,
    scopes: new Set(row.scopes.split(' ')),
    tier: row.tier,
    perMinute,
  };
}

function apiKeyOf(row: StoredKey): ApiKey {
  return {
    keyId: row.id,
    developerId: row.developer_id,
    developer: row.developer,
    name: row.name,
    tier: row.tier,
    scopes: row.scopes === '' ? [] : row.scopes.split(' '),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  };
}
