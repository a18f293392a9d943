import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { Clock } from '../../base/clock.ts';
import { unreachable } from '../outbound-failures.ts';

/** How a call ended: `neutral` says nothing about the upstream (the caller went away). */
export type Outcome = 'ok' | 'failed' | 'neutral';

export type BreakerLimits = {
  /** Failures in a row that open the breaker. */
  readonly failures: number;
  /** How long it stays open the first time; doubles with each failed trial up to `openMaxMs`. */
  readonly openMs: number;
  readonly openMaxMs: number;
};

/** A dead origin is asked once every few seconds at most. */
export const defaultBreakerLimits: BreakerLimits = { failures: 8, openMs: 2_000, openMaxMs: 60_000 };

const hostsKept = 10_000;

type State = { failures: number; openUntil: number; openForMs: number; isOnTrial: boolean };

export type CircuitBreaker = {
  /** Throws `refused` while it is open; when its time is over, lets one call through on trial (half open). */
  check(host: string): void;
  /** How a call ended that was let through. */
  report(host: string, outcome: Outcome): void;
};

/** By host: closed, open after failures in a row, half open when its time is over, closed again. */
export function createCircuitBreaker(clock: Clock, limits: BreakerLimits): CircuitBreaker {
  /** Of hosts that failed lately. */
  const states = createBoundedCache<State>(hostsKept);

  const fail = (host: string, state: State) => {
    if (++state.failures >= limits.failures) {
      if (state.isOnTrial) state.openForMs = Math.min(state.openForMs * 2, limits.openMaxMs);
      state.openUntil = clock.monotonic() + state.openForMs;
    }
    state.isOnTrial = false;
    states.set(host, state);
  };

  return {
    check(host) {
      const state = states.get(host);
      if (state === undefined || state.failures < limits.failures) return;
      const restMs = state.openUntil - clock.monotonic();
      if (restMs > 0 || state.isOnTrial)
        throw unreachable(host, new Error('the circuit breaker is open'), Math.max(restMs, 1_000));
      state.isOnTrial = true;
    },
    report(host, outcome) {
      const state = states.get(host);
      if (outcome === 'ok') states.delete(host);
      else if (outcome === 'failed')
        fail(host, state ?? { failures: 0, openUntil: 0, openForMs: limits.openMs, isOnTrial: false });
      else if (state !== undefined) state.isOnTrial = false;
    },
  };
}
