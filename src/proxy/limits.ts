import { Problem } from '../base/problem.ts';

export type ConcurrencyLimits = {
  /** Calls of one user under way at once. */
  readonly perUser: number;
  /** Calls to one provider under way at once, all users together. */
  readonly perProvider: number;
};

/** One user with many downloads leaves room for others; one slow provider leaves sockets for others (threats O3). */
export const defaultConcurrency: ConcurrencyLimits = { perUser: 64, perProvider: 512 };

/** Takes a place for a call and answers with what gives it back, once however often it is called. */
export type Enter = (user: string, provider: string) => () => void;

export function createConcurrency({ perUser, perProvider }: ConcurrencyLimits): Enter {
  const users = new Map<string, number>();
  const providers = new Map<string, number>();

  return (user, provider) => {
    take(users, user, perUser, 'calls of this user');
    try {
      take(providers, provider, perProvider, `calls to ${provider}`);
    } catch (error) {
      leave(users, user);
      throw error;
    }
    let under = true;
    return () => {
      if (!under) return;
      under = false;
      leave(users, user);
      leave(providers, provider);
    };
  };
}

function take(counts: Map<string, number>, name: string, limit: number, what: string): void {
  const count = counts.get(name) ?? 0;
  if (count >= limit)
    throw new Problem('rate_limited', `${limit} ${what} are under way, which is the limit`, {
      retryAfterMs: 1_000,
    });
  counts.set(name, count + 1);
}

function leave(counts: Map<string, number>, name: string): void {
  const count = (counts.get(name) ?? 1) - 1;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
