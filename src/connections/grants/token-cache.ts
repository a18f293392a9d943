import type { FreshToken, Owner } from '../model.ts';

/** An opened token in memory. */
export type Held = FreshToken & {
  /** When it stops being good. */
  readonly endsAt: number;
  /** When it should be renewed, although still good. */
  readonly refreshAt: number;
};

export type TokenCache = {
  get(key: string): Held | undefined;
  /** Kept only when nothing was heard of any connection since `mark` was taken: what was read may be over by now. */
  set(key: string, held: Held, mark: number): void;
  mark(): number;
  /** Something happened to this connection. */
  drop(connectionId: string): void;
};

/** Opened tokens are worth a few hundred bytes each; the oldest go first. */
const maxHeld = 20_000;
/** A notice that was missed (the machine slept) does no harm for longer than this. */
const maxAgeMs = 60_000;

/** The principal is in the key, so one user's token cannot be found under another's name (threats G4). */
export function cacheKey({ developerId, userId }: Owner, provider: string, account?: string): string {
  return JSON.stringify([developerId, userId, provider, account ?? null]);
}

export function createTokenCache(now: () => number): TokenCache {
  const held = new Map<string, Held & { readonly since: number }>();
  const keysOf = new Map<string, Set<string>>();
  let heard = 0;

  const remove = (key: string) => {
    const entry = held.get(key);
    if (entry === undefined) return;
    held.delete(key);
    const keys = keysOf.get(entry.connectionId);
    keys?.delete(key);
    if (keys?.size === 0) keysOf.delete(entry.connectionId);
  };

  return {
    get(key) {
      const entry = held.get(key);
      if (entry === undefined || now() - entry.since <= maxAgeMs) return entry;
      remove(key);
      return undefined;
    },
    set(key, entry, mark) {
      if (mark !== heard) return;
      remove(key);
      if (held.size >= maxHeld) remove(held.keys().next().value ?? '');
      held.set(key, { ...entry, since: now() });
      keysOf.set(entry.connectionId, (keysOf.get(entry.connectionId) ?? new Set()).add(key));
    },
    mark: () => heard,
    drop(connectionId) {
      heard++;
      for (const key of [...(keysOf.get(connectionId) ?? [])]) remove(key);
    },
  };
}
