/** Bounds on what clients may leave behind at servers. */
export type SessionRegistry = {
  /** False: this process has too many. A developer's least recently used one makes room for its next. */
  add(developerId: string, id: string, endSession: () => void): boolean;
  used(developerId: string, id: string): void;
  forget(developerId: string, id: string): void;
  /** Says endSession for those whose time is over: no replica takes their ids any more. */
  sweep(): void;
};

/** An entry is a few hundred bytes here; what it is at the server only the server knows. */
const maxSessions = 10_000;
const maxSessionsEach = 1_000;

/** The sessions that were begun in this process. Other replicas may use them, too, so none is ended for being idle here. */
export function createSessionRegistry(
  now: () => number,
  lifeMs: number,
  { all = maxSessions, each = maxSessionsEach } = {},
): SessionRegistry {
  const byDeveloper = new Map<
    string,
    Map<string, { readonly endSession: () => void; readonly begunAt: number }>
  >();
  let count = 0;

  const forget: SessionRegistry['forget'] = (developerId, id) => {
    const own = byDeveloper.get(developerId);
    if (own?.delete(id) !== true) return;
    count--;
    if (own.size === 0) byDeveloper.delete(developerId);
  };
  return {
    add(developerId, id, endSession) {
      forget(developerId, id);
      const own = byDeveloper.get(developerId) ?? new Map();
      const [oldest] = own;
      if (own.size >= each && oldest !== undefined) {
        forget(developerId, oldest[0]);
        oldest[1].endSession();
      }
      if (count >= all) return false;
      byDeveloper.set(developerId, own);
      own.set(id, { endSession, begunAt: now() });
      count++;
      return true;
    },
    used(developerId, id) {
      const own = byDeveloper.get(developerId);
      const entry = own?.get(id);
      if (own === undefined || entry === undefined) return;
      own.delete(id);
      own.set(id, entry);
    },
    forget,
    sweep() {
      for (const [developerId, own] of byDeveloper)
        for (const [id, { endSession, begunAt }] of own)
          if (now() - begunAt > lifeMs) {
            forget(developerId, id);
            endSession();
          }
    },
  };
}
