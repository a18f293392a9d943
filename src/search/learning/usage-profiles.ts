/** The learned state: feedback, the profiles that count for everybody, and each developer's own. */
import { LRUCache } from 'lru-cache';
import { createFeedbackStore } from './feedback-store.ts';
import type { Outcome } from './learning-model.ts';
import { createProfileIndex, type ProfileIndex } from './profile-index.ts';
import { buildProfile, fairShares, remainingShares } from './server-profile.ts';

/** Profiles, and a version that changes with them. */
export type VersionedIndex = { readonly index: ProfileIndex; readonly version: number };

export type UsageProfiles = {
  /** Takes outcomes with the vectors of their queries; profiles change at the next `rebuild`. */
  add(outcomes: readonly Outcome[], vectors: readonly (Float32Array | null)[]): void;
  /** Builds the profiles of the servers with new outcomes; on a new day, when everything has decayed, all of them. */
  rebuild(day: number): Promise<void>;
  common(): VersionedIndex;
  /** Of the developer's own feedback what the common profiles leave out: all of it, or what the fair share took. */
  own(developerId: string): VersionedIndex | null;
};

/** Profiles built before requests get their turn. */
const serversPerTurn = 100;
/** Developers' own profiles kept, by the successes they hold (a few kilobytes each). */
const ownSuccessesKept = 20_000;

export function createUsageProfiles(firstDay: number): UsageProfiles {
  const feedback = createFeedbackStore();
  const common = createProfileIndex();
  const own = new LRUCache<string, VersionedIndex>({ maxSize: ownSuccessesKept });
  /** By developer: changes with every server that the developer has feedback for. */
  const ownVersions = new Map<string, number>();
  /** Servers with outcomes that their profiles do not show yet. */
  const stale = new Set<string>();
  let commonVersion = 0;
  let today = firstDay;

  function rebuildProfile(serverId: string): boolean {
    const ofServer = feedback.ofServer(serverId);
    for (const developer of ofServer.keys())
      ownVersions.set(developer, (ownVersions.get(developer) ?? 0) + 1);
    return common.put(serverId, buildProfile(ofServer, fairShares(ofServer, today), today));
  }

  function buildOwnIndex(developerId: string): { readonly index: ProfileIndex; readonly size: number } {
    const index = createProfileIndex();
    let size = 1;
    for (const serverId of feedback.serversOf(developerId)) {
      const ofServer = feedback.ofServer(serverId);
      const ofDeveloper = ofServer.get(developerId);
      if (ofDeveloper === undefined) continue;
      const shares = remainingShares(fairShares(ofServer, today));
      const profile = buildProfile(new Map([[developerId, ofDeveloper]]), shares, today);
      index.put(serverId, profile);
      size += profile?.examples.length ?? 0;
    }
    return { index, size };
  }

  return {
    add(outcomes, vectors) {
      for (const [i, outcome] of outcomes.entries())
        if (feedback.add(outcome, vectors[i] ?? null)) stale.add(outcome.serverId);
    },
    async rebuild(day) {
      const servers = day === today ? stale : feedback.servers();
      today = day;
      let [built, hasChanged] = [0, false];
      for (const serverId of servers) {
        hasChanged = rebuildProfile(serverId) || hasChanged;
        if (++built % serversPerTurn === 0) await new Promise((resume) => setImmediate(resume));
      }
      if (hasChanged) commonVersion++;
      stale.clear();
    },
    common: () => ({ index: common, version: commonVersion }),
    own(developerId) {
      const version = ownVersions.get(developerId);
      if (version === undefined) return null;
      const kept = own.get(developerId);
      if (kept?.version === version) return kept;
      const { index, size } = buildOwnIndex(developerId);
      const made = { index, version };
      own.set(developerId, made, { size });
      return made;
    },
  };
}
