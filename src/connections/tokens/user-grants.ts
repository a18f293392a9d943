import { RevalidatingCache } from '../../base/revalidating-cache.ts';
import type { GrantRow } from '../connection-rows.ts';
import type { Owner } from '../connections-model.ts';
import { parseServerId } from '../grant-target.ts';
import { type GrantStore, ownerTag } from './grant-store.ts';
import { endsAt } from './token-encryption.ts';

/** What a user has with one MCP server, without its tokens. */
export type ServerGrant = Pick<
  GrantRow,
  'id' | 'status' | 'issuer' | 'resource' | 'wanted' | 'asked' | 'scopes'
> & {
  /** When it stops being any good by itself; a refresh token makes that never. */
  readonly endsAt: number;
};

export type UserGrants = {
  /** By server. Memory when warm: asked with every call that acts for a user. */
  byServer(owner: Owner): Promise<ReadonlyMap<string, ServerGrant>>;
  /** Grants of the user with that tag changed. */
  invalidate(ownerTag: string): void;
};

/** A user's grants are some hundred bytes. */
const maxCached = 20_000;
/** A notice that was missed (the machine slept) does no harm for longer than this. */
const maxAgeMs = 60_000;

export function createUserGrants(store: GrantStore, now: () => number): UserGrants {
  const cache = new RevalidatingCache<ReadonlyMap<string, ServerGrant>>({ max: maxCached, maxAgeMs, now });
  return {
    async byServer(owner) {
      const key = ownerTag(owner);
      return cache.get(key) ?? cache.load(key, async () => toServerGrants(await store.ofUser(owner)));
    },
    invalidate: (tag) => cache.invalidate(tag),
  };
}

function toServerGrants(rows: readonly GrantRow[]): ReadonlyMap<string, ServerGrant> {
  const found = new Map<string, ServerGrant>();
  for (const row of rows) {
    const serverId = parseServerId(row.provider);
    if (serverId === null) continue;
    const { id, status, issuer, resource, wanted, asked, scopes } = row;
    const end = row.refresh_sealed === null ? endsAt(row) : Number.POSITIVE_INFINITY;
    found.set(serverId, { id, status, issuer, resource, wanted, asked, scopes, endsAt: end });
  }
  return found;
}
