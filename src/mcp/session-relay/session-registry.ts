/** Bounds on what clients may leave behind: sessions at servers, and streams that stay open here. */

export type Ledger = {
  /** False: too many are on the books of this process. A developer's least recently used one makes room for its next. */
  add(developerId: string, id: string, goodbye: () => void): boolean;
  used(developerId: string, id: string): void;
  forget(developerId: string, id: string): void;
  /** Says goodbye for those whose time is over: no replica takes their ids any more. */
  sweep(): void;
};

/** An entry is a few hundred bytes here; what it is at the server only the server knows. */
const maxSessions = 10_000;
const maxSessionsEach = 1_000;

/** The sessions that were begun in this process. Other replicas may use them, too, so none is ended for being idle here. */
export function createLedger(
  now: () => number,
  lifeMs: number,
  { all = maxSessions, each = maxSessionsEach } = {},
): Ledger {
  const byDeveloper = new Map<
    string,
    Map<string, { readonly goodbye: () => void; readonly begunAt: number }>
  >();
  let count = 0;

  const forget: Ledger['forget'] = (developerId, id) => {
    const own = byDeveloper.get(developerId);
    if (own?.delete(id) !== true) return;
    count--;
    if (own.size === 0) byDeveloper.delete(developerId);
  };
  return {
    add(developerId, id, goodbye) {
      forget(developerId, id);
      const own = byDeveloper.get(developerId) ?? new Map();
      const [oldest] = own;
      if (own.size >= each && oldest !== undefined) {
        forget(developerId, oldest[0]);
        oldest[1].goodbye();
      }
      if (count >= all) return false;
      byDeveloper.set(developerId, own);
      own.set(id, { goodbye, begunAt: now() });
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
        for (const [id, { goodbye, begunAt }] of own)
          if (now() - begunAt > lifeMs) {
            forget(developerId, id);
            goodbye();
          }
    },
  };
}

export type Seats = {
  /** How to leave again; null: all are taken, in all, at this server, or of this developer at it. */
  take(serverId: string, developerId: string, cut: () => void): (() => void) | null;
  /** Everybody out, and nobody in any more. */
  close(): void;
};

/** One server's sockets are 192: beside these streams there is room for the calls. */
const maxSeats = { all: 1_000, server: 64, developer: 32 };

/** Streams that stay open for what a server may want to tell. */
export function createSeats(max: typeof maxSeats = maxSeats): Seats {
  const taken = new Set<{
    readonly serverId: string;
    readonly developerId: string;
    readonly cut: () => void;
  }>();
  let isClosed = false;
  return {
    take(serverId, developerId, cut) {
      const here = [...taken].filter((seat) => seat.serverId === serverId);
      const own = here.filter((seat) => seat.developerId === developerId);
      if (isClosed || taken.size >= max.all || here.length >= max.server || own.length >= max.developer)
        return null;
      const seat = { serverId, developerId, cut };
      taken.add(seat);
      return () => void taken.delete(seat);
    },
    close() {
      isClosed = true;
      for (const { cut } of [...taken]) cut();
    },
  };
}
