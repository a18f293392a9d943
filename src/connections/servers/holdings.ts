import { sha256Hex } from '../../base/id.ts';
import type { Owner } from '../model.ts';
import type { GrantRow } from '../tables.ts';
import { serverOf } from './resource.ts';

/** What a user has with one MCP server, without its tokens. */
export type Holding = Pick<GrantRow, 'id' | 'status' | 'resource' | 'wanted' | 'asked' | 'scopes'> & {
  /** When it stops being any good by itself; a refresh token makes that never. */
  readonly endsAt: number;
};

export type Holdings = {
  /** By server. Memory when warm: asked with every call that acts for a user. */
  of(owner: Owner): Promise<ReadonlyMap<string, Holding>>;
  /** A notice of `connections`: whose changed. */
  heard(tag: string): void;
};

/** A user's holdings are some hundred bytes; the oldest go first. */
const maxKept = 20_000;
/** A notice that was missed (the machine slept) does no harm for longer than this. */
const maxAgeMs = 60_000;

/** How notices name a user: what they say is in the store in clear. */
export function ownerTag({ developerId, userId }: Owner): string {
  return `own:${sha256Hex(JSON.stringify([developerId, userId])).slice(0, 32)}`;
}

export function createHoldings(deps: {
  readonly rows: (owner: Owner) => Promise<readonly GrantRow[]>;
  readonly endOf: (row: GrantRow) => number;
  readonly now: () => number;
}): Holdings {
  const { rows, endOf, now } = deps;
  type Entry = { readonly at: number; readonly found: Promise<ReadonlyMap<string, Holding>> };
  const kept = new Map<string, Entry>();
  const tags = new Map<string, string>();

  const read = async (owner: Owner): Promise<ReadonlyMap<string, Holding>> => {
    const found = new Map<string, Holding>();
    for (const row of await rows(owner)) {
      const serverId = serverOf(row.provider);
      if (serverId === null) continue;
      const { id, status, resource, wanted, asked, scopes } = row;
      const endsAt = row.refresh_sealed === null ? endOf(row) : Number.POSITIVE_INFINITY;
      found.set(serverId, { id, status, resource, wanted, asked, scopes, endsAt });
    }
    return found;
  };

  return {
    of(owner) {
      const key = `${owner.developerId.length} ${owner.developerId}${owner.userId}`;
      const known = kept.get(key);
      if (known !== undefined && now() - known.at <= maxAgeMs) return known.found;
      const entry = { at: now(), found: read(owner) };
      if (kept.size >= maxKept) {
        const oldest = kept.keys().next().value ?? '';
        kept.delete(oldest);
      }
      if (tags.size >= 2 * maxKept) {
        tags.clear();
        kept.clear();
      }
      kept.set(key, entry);
      tags.set(ownerTag(owner), key);
      entry.found.catch(() => {
        if (kept.get(key) === entry) kept.delete(key);
      });
      return entry.found;
    },
    heard(tag) {
      const key = tags.get(tag);
      if (key !== undefined) kept.delete(key);
    },
  };
}
