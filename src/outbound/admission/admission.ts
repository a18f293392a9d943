import type { CircuitBreaker, Outcome } from './circuit-breaker.ts';
import type { ConcurrencyLimit, Waiter } from './concurrency-limit.ts';

/** Whether a call may go out, and when. */
export type Admission = {
  /** A place now (undefined), or in turn. Throws `refused`. */
  enter(host: string): undefined | Waiter;
  /** What became of a call that entered. */
  report(host: string, outcome: Outcome): void;
  /** It needs its place no longer. */
  leave(host: string): void;
};

/** Streams that stay open pass no breaker: they end when it pleases their server. */
export function createAdmission(limit: ConcurrencyLimit, breaker: CircuitBreaker | null): Admission {
  return {
    enter(host) {
      breaker?.check(host);
      try {
        return limit.acquire(host);
      } catch (error) {
        breaker?.report(host, 'neutral');
        throw error;
      }
    },
    report: (host, outcome) => breaker?.report(host, outcome),
    leave: limit.release,
  };
}
