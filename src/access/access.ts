/**
 * May this call happen: API keys, their scopes and tiers, and rate limits.
 *
 * Promises: a key is stored as a SHA-256 digest only and shown once; a revoked or expired key stops working
 * at once here and within a second in other processes; a warm check touches memory only; failed keys are
 * limited by address before the store is asked, without locking out the good keys behind the same address.
 * Limits are counted here or, with a shared store, over all processes; when that is away, here again.
 * When the store is down, keys seen lately go on working (until they expire); others get `unavailable`.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { coalesced } from '../base/coalesced-run.ts';
import { sha256Hex } from '../base/id.ts';
import { Problem } from '../base/problem.ts';
import type { Secret } from '../base/secret.ts';
import type { Storage } from '../storage/storage.ts';
import { createKeyStore, type StoredKey } from './key-store.ts';
import { createKeyVerifier, invalidKey, toNetwork } from './key-verifier.ts';
import { createLimiter, type Limiter, type Quota } from './limiter.ts';
import type { Role } from './roles.ts';
import { createSharedLimiter, type RunScript } from './shared-limiter.ts';

export { toNetwork } from './key-verifier.ts';
export type { Quota } from './limiter.ts';
export { isAtLeast, type Role, roles } from './roles.ts';

export const scopes = ['search', 'invocations', 'identity', 'proxy', 'mcp', 'approve', 'admin'] as const;
/** What a key has unless something is said: it neither runs the service nor decides what others may do. */
export const usualScopes: readonly Scope[] = scopes.filter(
  (scope) => scope !== 'admin' && scope !== 'approve',
);
export type Scope = (typeof scopes)[number];

/** Who is calling. */
export type Principal = {
  readonly keyId: string;
  readonly developerId: string;
  readonly developer: string;
  readonly scopes: ReadonlySet<string>;
  readonly tier: string;
  readonly perMinute: number;
  /** Where the key may be used from: addresses and networks; null: from anywhere. */
  readonly addresses: readonly string[] | null;
  /** The OAuth client it came through, where it signed in. */
  readonly client?: string;
  /** In the console, of a person without a key: what they may there, whatever scopes say. */
  readonly role?: Role;
  /** Of a person at the company's identity provider. */
  readonly groups?: readonly string[];
};

export type ApiKey = {
  readonly keyId: string;
  readonly developerId: string;
  readonly developer: string;
  readonly name: string;
  /** SHA-256 of its text, in hex. */
  readonly digest: string;
  readonly tier: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly addresses: readonly string[] | null;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
};

/** `expiresAt`: milliseconds since 1970; Infinity: never. */
export type KeyHolder = { readonly principal: Principal; readonly expiresAt: number };

export type KeyRequest = {
  readonly developer: string;
  readonly name: string;
  readonly tier: string;
  readonly scopes?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | null;
  /** Addresses and networks (CIDR) it may be used from; from anywhere unless given. */
  readonly addresses?: readonly string[] | null;
};

/** A key of which only the digest of its text is known here. */
export type DeclaredKey = Pick<
  ApiKey,
  'keyId' | 'developer' | 'name' | 'digest' | 'tier' | 'scopes' | 'expiresAt' | 'addresses'
>;

export type Access = {
  /** The principal behind a presented key; a promise only where it is looked up. Rejects with `invalid_api_key`, and with `rate_limited` for who guesses. */
  authenticate(key: string, address: string): Principal | Promise<Principal>;
  /** Throws `invalid_api_key` where the key is revoked or over by now, as the store has it: for who has waited long. */
  requireKey(keyId: string): Promise<void>;
  /** The principal behind a key by its id, and when that key is over. Throws `invalid_api_key`. */
  holder(keyId: string): Promise<KeyHolder>;
  /** For what is asked without a key. Throws `rate_limited`. */
  limitAddress(what: string, address: string, perMinute: number): void;
  /** Takes `cost` from the caller's quota; what is left, or a refusal, for the reply's headers. */
  admit(principal: Principal, cost: number): Quota | Promise<Quota>;
  /** Makes a key; `key` is the only time its text exists outside the caller's hands. `actor` is who the audit trail names. */
  createKey(request: KeyRequest, actor?: string): Promise<ApiKey & { readonly key: string }>;
  listKeys(): Promise<ApiKey[]>;
  revokeKey(id: string, actor?: string): Promise<void>;
  /** Adds a key by its digest, or changes what is said of the one that has it; whose it is stays. */
  putKey(key: DeclaredKey): Promise<void>;
  /** Requests a minute of a tier; of one that there is not, the smallest. */
  perMinute(tier: string): number;
  /** The id of that developer, who is made when unknown. */
  developerId(name: string): Promise<string>;
  /** By id, with a key or without: a company's people have none. */
  hasDeveloper(id: string): Promise<boolean>;
  /** All of them, with a key or without. */
  listDevelopers(): Promise<string[]>;
  /** Makes developers known before they have a key. */
  addDevelopers(names: readonly string[]): Promise<void>;
  /** Installs the operator's admin key, or makes the first one in an empty store and returns its text. */
  ensureAdminKey(configured: Secret | null): Promise<string | null>;
  /** The id of the key under which programs on this machine call without one; its text is nobody's. */
  keylessKeyId(): Promise<string>;
  /** Writes down when keys were last used. */
  flush(): Promise<void>;
};

export type AccessConfig = { readonly tiers: ReadonlyMap<string, number> };

/** The developer whose the operator's own keys, programs and credentials are. */
export const operatorDeveloper = 'admin';
const adminKey = {
  developer: operatorDeveloper,
  tier: 'enterprise',
  scopes,
  expiresAt: null,
  addresses: null,
};
/** What the operator does at the machine itself, or the service by itself. */
const system = 'system';
export const configuredKeyName = 'MCPRANK_ADMIN_KEY';
const keylessKeyName = 'MCPRANK_MCP_KEYLESS';

export function createAccess(deps: {
  storage: Storage;
  clock: Clock;
  config: AccessConfig;
  onError?: (error: unknown) => void;
  /** Where limits are counted for all processes; without it each counts its own. */
  shared?: { readonly run: RunScript; readonly onFallback: (error: unknown) => void };
}): Access {
  const { storage, clock, config, shared, onError = () => undefined } = deps;
  const store = createKeyStore(storage, clock);
  const limiter = createLimiter(clock);
  const quotas =
    shared === undefined ? limiter : createSharedLimiter({ ...shared, local: limiter, now: clock.monotonic });
  const verifier = createKeyVerifier({
    find: store.byDigest,
    ownerOf: (row) => toPrincipal(row, config.tiers),
    isKnown: (digest) => digests.has(digest),
    limiter,
    clock,
  });
  // Known before anybody asks: behind one address a good key is told from guesses without the store.
  let digests: ReadonlySet<string> = new Set();
  const readDigests = coalesced(async () => {
    digests = await store.digests();
  });
  storage.subscribe('keys', (keyId) => {
    verifier.invalidate(keyId);
    readDigests().catch(onError);
  });

  const holder = createHolder(store, deps);
  const insert = async (request: Required<KeyRequest>, actor: string, key = newKeyText()) => {
    const { expiresAt, addresses, developer, name, tier } = request;
    const words = [...new Set(request.scopes)].join(' ');
    const digest = sha256Hex(key);
    const row = await store.insert(
      { developer, name, digest, tier, scopes: words, expiresAt, addresses },
      actor,
    );
    return { ...toApiKey(row), key };
  };

  return {
    authenticate: verifier.verify,

    requireKey: async (keyId) => void (await holder(keyId)),
    holder,
    limitAddress: createAddressLimit(limiter),

    admit: (principal, cost) => quotas.take(principal.keyId, cost, principal.perMinute),

    async createKey(request, actor = system) {
      const { scopes: wanted = usualScopes, expiresAt = null, addresses = null } = request;
      if (!config.tiers.has(request.tier))
        throw new Problem('invalid_request', `tier: expected one of ${[...config.tiers.keys()].join(', ')}`);
      if (!wanted.every((scope) => (scopes as readonly string[]).includes(scope)))
        throw new Problem('invalid_request', `scopes: expected some of ${scopes.join(', ')}`);
      if (expiresAt !== null && expiresAt <= clock.now())
        throw new Problem('invalid_request', 'expires_at: expected a time to come');
      return insert({ ...request, scopes: wanted, expiresAt, addresses }, actor);
    },

    listKeys: async () => (await store.list()).map(toApiKey),

    async revokeKey(id, actor = system) {
      if (!(await store.revoke(id, actor))) throw new Problem('not_found', 'Key not found');
    },

    putKey: ({ keyId: id, ...key }) =>
      store.put({ ...key, id, scopes: [...new Set(key.scopes)].join(' ') }, system),
    perMinute: (tier) => perMinuteOf(tier, config.tiers),
    ...developersIn(store),

    async ensureAdminKey(configured) {
      await readDigests();
      if (configured === null) {
        return (await store.isEmpty())
          ? (await insert({ ...adminKey, name: 'first key' }, system)).key
          : null;
      }
      const digest = sha256Hex(configured.reveal());
      // The setting is the truth: a key it named earlier is not good any more, and one revoked by hand stays so.
      for (const row of await store.list()) {
        const earlier = row.name === configuredKeyName && row.digest !== digest && row.revoked_at === null;
        if (earlier) await store.revoke(row.id, system);
      }
      if ((await store.byDigest(digest)) === undefined)
        await insert({ ...adminKey, name: configuredKeyName }, system, configured.reveal()).catch(
          async (error: unknown) => {
            // Another process of the same start was first.
            if ((await store.byDigest(digest)) === undefined) throw error;
          },
        );
      return null;
    },

    keylessKeyId: () => keylessKeyId(store, insert),

    flush: () => markUses(store, verifier.takeUsed()),
  };
}

async function markUses(
  { markUsed }: ReturnType<typeof createKeyStore>,
  uses: Parameters<typeof markUsed>[0],
): Promise<void> {
  if (uses.size > 0) await markUsed(uses);
}

async function keylessKeyId(
  store: ReturnType<typeof createKeyStore>,
  insert: (request: Required<KeyRequest>, actor: string) => Promise<ApiKey>,
): Promise<string> {
  const isIt = ({ name, developer, revoked_at }: StoredKey) =>
    name === keylessKeyName && developer === operatorDeveloper && revoked_at === null;
  const known = (await store.list()).find(isIt);
  if (known !== undefined) return known.id;
  return (await insert({ ...adminKey, name: keylessKeyName, scopes: ['search', 'mcp'] }, system)).keyId;
}

function developersIn(
  store: ReturnType<typeof createKeyStore>,
): Pick<Access, 'addDevelopers' | 'developerId' | 'hasDeveloper' | 'listDevelopers'> {
  return {
    listDevelopers: store.developers,
    developerId: store.developerId,
    hasDeveloper: store.hasDeveloper,
    addDevelopers: store.addDevelopers,
  };
}

function createHolder(
  store: ReturnType<typeof createKeyStore>,
  { clock, config }: { readonly clock: Clock; readonly config: AccessConfig },
): Access['holder'] {
  return async (keyId) => {
    const row = await store.byId(keyId);
    const expiresAt = row?.expires_at ?? Infinity;
    if (row === undefined || row.revoked_at !== null || expiresAt <= clock.now()) throw invalidKey();
    return { principal: toPrincipal(row, config.tiers), expiresAt };
  };
}

function createAddressLimit(limiter: Limiter): Access['limitAddress'] {
  return (what, address, perMinute) => {
    const { allowed, retryAfterMs } = limiter.take(`${what} from ${toNetwork(address)}`, 1, perMinute);
    if (allowed) return;
    throw new Problem('rate_limited', 'Too many requests from this address', { retryAfterMs });
  };
}

function newKeyText(): string {
  return `sk_mcp_rank_${randomBytes(16).toString('hex')}`;
}

function toPrincipal(row: StoredKey, tiers: ReadonlyMap<string, number>): Principal {
  return {
    keyId: row.id,
    developerId: row.developer_id,
    developer: row.developer,
    scopes: new Set(row.scopes.split(' ')),
    tier: row.tier,
    perMinute: perMinuteOf(row.tier, tiers),
    addresses: parseAddresses(row),
  };
}

/** A tier that the operator took away leaves its keys on the smallest one. */
function perMinuteOf(tier: string, tiers: ReadonlyMap<string, number>): number {
  return tiers.get(tier) ?? Math.min(...tiers.values());
}

function parseAddresses({ addresses }: StoredKey): readonly string[] | null {
  return addresses === null ? null : (JSON.parse(addresses) as string[]);
}

function toApiKey(row: StoredKey): ApiKey {
  return {
    keyId: row.id,
    developerId: row.developer_id,
    developer: row.developer,
    name: row.name,
    digest: row.digest,
    tier: row.tier,
    // Checked before they were stored.
    scopes: (row.scopes === '' ? [] : row.scopes.split(' ')) as Scope[],
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    addresses: parseAddresses(row),
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  };
}

/** A key as the API and the commands show it; its text is no part of it. */
export function describeKey(key: ApiKey) {
  return {
    key_id: key.keyId,
    developer_id: key.developerId,
    developer: key.developer,
    name: key.name,
    tier: key.tier,
    scopes: key.scopes,
    created_at: new Date(key.createdAt).toISOString(),
    expires_at: isoTime(key.expiresAt),
    addresses: key.addresses,
    revoked_at: isoTime(key.revokedAt),
    last_used_at: isoTime(key.lastUsedAt),
  };
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
