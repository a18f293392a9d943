import { Problem } from '../base/problem.ts';

export type ConcurrencyLimits = {
  /** Calls of one user in flight at once. */
  readonly perUser: number;
  /** Calls to one provider in flight at once, all users together. */
  readonly perProvider: number;
};

/** One user with many downloads leaves room for others; one slow provider leaves sockets for others (threats O3). */
export const defaultConcurrency: ConcurrencyLimits = { perUser: 64, perProvider: 512 };

/** Acquires a place for a call and answers with what releases it, once however often it is called. Throws rate_limited. */
export type AcquireCall = (user: string, provider: string) => () => void;

export function createCallLimiter({ perUser, perProvider }: ConcurrencyLimits): AcquireCall {
  const users = new Map<string, number>();
  const providers = new Map<string, number>();

  return (user, provider) => {
    check(users.get(user), perUser, 'calls of this user');
    check(providers.get(provider), perProvider, `calls to ${provider}`);
    increment(users, user);
    increment(providers, provider);
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      decrement(users, user);
      decrement(providers, provider);
    };
  };
}

function check(count: number | undefined, limit: number, what: string): void {
  if ((count ?? 0) >= limit)
    throw new Problem('rate_limited', `${limit} ${what} are under way, which is the limit`, {
      retryAfterMs: 1_000,
    });
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function decrement(counts: Map<string, number>, name: string): void {
  const count = (counts.get(name) ?? 1) - 1;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
