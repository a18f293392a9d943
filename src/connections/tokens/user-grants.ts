import { createBoundedCache } from '../../base/bounded-cache.ts';
import { RevalidatingCache } from '../../base/revalidating-cache.ts';
import type { GrantRow } from '../connection-rows.ts';
import type { Owner } from '../connections-model.ts';
import { parseServerId } from '../grant-target.ts';
import { type GrantStore, ownerTag } from './grant-store.ts';
import { endsAt } from './token-encryption.ts';

/** What a user has with one MCP server, without its tokens. */
export type ServerGrant = Pick<
  GrantRow,
  'id' | 'account' | 'status' | 'issuer' | 'resource' | 'wanted' | 'asked' | 'scopes'
> & {
  /** When it stops being any good by itself; a refresh token makes that never. */
  readonly endsAt: number;
};

/** By server; of several the one that was connected first comes first. */
export type ServerGrants = ReadonlyMap<string, readonly ServerGrant[]>;

/** Without a name the user's default. */
export function grantNamed(
  grants: ServerGrants,
  serverId: string,
  account: string | undefined,
): ServerGrant | undefined {
  const found = grants.get(serverId);
  return account === undefined ? found?.[0] : found?.find((grant) => grant.account === account);
}

export type UserGrants = {
  /** By server. Memory when warm: asked with every call that acts for a user. */
  byServer(owner: Owner): Promise<ServerGrants>;
  /** Grants of the user with that tag changed. */
  invalidate(ownerTag: string): void;
  /** Another number after each change that was heard of: what a server showed by the former ones is not to be kept beyond it. */
  generationOf(owner: Owner): number;
  /** Calls `listener` after each such change, until what is answered is called. */
  onChange(owner: Owner, listener: () => void): () => void;
};

/** A user's grants are some hundred bytes. */
const maxCached = 20_000;
const maxGenerations = 100_000;
/** A notice that was missed (the machine slept) does no harm for longer than this. */
const maxAgeMs = 60_000;

export function createUserGrants(store: GrantStore, now: () => number): UserGrants {
  const cache = new RevalidatingCache<ServerGrants>({ max: maxCached, maxAgeMs, now });
  const generations = createBoundedCache<number>(maxGenerations);
  let changes = 0;
  const listeners = new Map<string, Set<() => void>>();
  return {
    async byServer(owner) {
      const key = ownerTag(owner);
      return cache.get(key) ?? cache.load(key, async () => toServerGrants(await store.ofUser(owner)));
    },
    invalidate(tag) {
      generations.set(tag, ++changes);
      cache.invalidate(tag);
      for (const listener of [...(listeners.get(tag) ?? [])]) listener();
    },
    generationOf: (owner) => generations.get(ownerTag(owner)) ?? 0,
    onChange(owner, told) {
      const tag = ownerTag(owner);
      // Whoever listens twice is told twice.
      const listener = () => told();
      const listening = listeners.get(tag) ?? new Set();
      listeners.set(tag, listening.add(listener));
      return () => {
        listening.delete(listener);
        if (listening.size === 0 && listeners.get(tag) === listening) listeners.delete(tag);
      };
    },
  };
}

function toServerGrants(rows: readonly GrantRow[]): ServerGrants {
  const found = new Map<string, ServerGrant[]>();
  for (const row of rows.toSorted((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1))) {
    const serverId = parseServerId(row.provider);
    if (serverId === null) continue;
    const { id, account, status, issuer, resource, wanted, asked, scopes } = row;
    const end = row.refresh_sealed === null ? endsAt(row) : Number.POSITIVE_INFINITY;
    const grant = { id, account, status, issuer, resource, wanted, asked, scopes, endsAt: end };
    const others = found.get(serverId);
    if (others === undefined) found.set(serverId, [grant]);
    else others.push(grant);
  }
  return found;
}
