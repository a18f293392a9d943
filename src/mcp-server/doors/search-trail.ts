/** A call soon after a search that showed its server most likely follows from it. */
const freshMs = 600_000;
const most = 50_000;

type Principal = { readonly developerId: string; readonly userId?: string | undefined };

/** Which search a principal's call follows, so that its outcome teaches the ranking; in memory, bounded, best effort. */
export function createTrail(now: () => number) {
  const searches = new Map<string, { readonly queryLogId: string; readonly at: number }>();
  const keyOf = ({ developerId, userId }: Principal, serverId: string) =>
    JSON.stringify([developerId, userId ?? null, serverId]);
  return {
    searched(by: Principal, queryLogId: string, serverIds: readonly string[]): void {
      const entry = { queryLogId, at: now() };
      for (const serverId of serverIds) {
        const key = keyOf(by, serverId);
        searches.delete(key);
        searches.set(key, entry);
      }
      for (const oldest of searches.keys()) {
        if (searches.size <= most) break;
        searches.delete(oldest);
      }
    },
    searchBefore(by: Principal, serverId: string): string | null {
      const entry = searches.get(keyOf(by, serverId));
      return entry !== undefined && now() - entry.at < freshMs ? entry.queryLogId : null;
    },
  };
}
