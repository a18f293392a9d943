/** Profiles by server, with their words posted, so that a query meets only the servers that know one of its words. */
import type { ServerProfile } from './server-profile.ts';

export type ProfileIndex = {
  readonly profiles: ReadonlyMap<string, ServerProfile>;
  /** Word to the servers that have it, with their counts in `unit`s. */
  readonly postings: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Counts of a word over all servers, and of all words, in `unit`s. */
  total(stem: string): number;
  length(): number;
  /** Of the server that has the most. */
  maxSuccesses(): number;
  /** Puts or (with null) removes a server's profile. Returns whether anything changed. */
  put(serverId: string, profile: ServerProfile | null): boolean;
};

export function createProfileIndex(): ProfileIndex {
  const profiles = new Map<string, ServerProfile>();
  const postings = new Map<string, Map<string, number>>();
  const totals = new Map<string, number>();
  let length = 0;
  let maxSuccesses: number | undefined = 0;

  function count(serverId: string, { terms, length: own }: ServerProfile, sign: 1 | -1): void {
    length += sign * own;
    for (const [stem, n] of terms) {
      const total = (totals.get(stem) ?? 0) + sign * n;
      if (total === 0) totals.delete(stem);
      else totals.set(stem, total);
      const servers = postings.get(stem) ?? new Map<string, number>();
      if (sign > 0) servers.set(serverId, n);
      else servers.delete(serverId);
      if (servers.size === 0) postings.delete(stem);
      else postings.set(stem, servers);
    }
  }

  return {
    profiles,
    postings,
    total: (stem) => totals.get(stem) ?? 0,
    length: () => length,
    maxSuccesses() {
      maxSuccesses ??= profiles.values().reduce((most, { successes }) => Math.max(most, successes), 0);
      return maxSuccesses;
    },
    put(serverId, profile) {
      const before = profiles.get(serverId);
      if (before === undefined && profile === null) return false;
      if (before !== undefined) count(serverId, before, -1);
      if (profile === null) profiles.delete(serverId);
      else {
        profiles.set(serverId, profile);
        count(serverId, profile, 1);
      }
      maxSuccesses = undefined;
      return true;
    },
  };
}
