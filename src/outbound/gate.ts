import type { Clock } from '../base/clock.ts';
import { OutboundFailure } from './model.ts';

/** How a call ended, for the breaker: `neutral` says nothing about the upstream (the caller went away). */
export type Outcome = 'ok' | 'failed' | 'neutral';

export type GateLimits = {
  /** Calls to one origin under way at once. */
  readonly concurrency: number;
  /** Calls to one origin that wait for their turn; beyond it they are refused. */
  readonly waiting: number;
  readonly waitMs: number;
  /** Failures in a row that open the breaker. */
  readonly failures: number;
  /** How long it stays open the first time; doubles with each failed probe up to `openMaxMs`. */
  readonly openMs: number;
  readonly openMaxMs: number;
};

/** One slow origin holds at most 64 of our calls; a dead one is asked once every few seconds at most. */
export const defaultGateLimits: GateLimits = {
  concurrency: 64,
  waiting: 256,
  waitMs: 10_000,
  failures: 8,
  openMs: 2_000,
  openMaxMs: 60_000,
};

type State = {
  underWay: number;
  failures: number;
  openUntil: number;
  openForMs: number;
  probing: boolean;
  readonly queue: (() => void)[];
};

export type Gates = {
  /** Lets a call through, now or in its turn; throws `refused` when it may not go. */
  enter(host: string): undefined | Promise<void>;
  leave(host: string, outcome: Outcome): void;
};

/** Per-origin concurrency and circuit breaker: closed -> open after failures in a row -> one probe at a time -> closed. */
export function createGates(clock: Clock, limits: GateLimits): Gates {
  const states = new Map<string, State>();

  const stateOf = (host: string): State => {
    let state = states.get(host);
    if (state === undefined) {
      state = { underWay: 0, failures: 0, openUntil: 0, openForMs: limits.openMs, probing: false, queue: [] };
      states.set(host, state);
    }
    return state;
  };
  /** Throws while the breaker is open; when its time is over, lets one call through as the probe. */
  const checkBreaker = (host: string, state: State) => {
    if (state.failures < limits.failures) return;
    const restMs = state.openUntil - clock.monotonic();
    if (restMs > 0 || state.probing)
      // The same words as for an unreachable host: a blocked address must not read differently (E8).
      throw new OutboundFailure(
        'refused',
        `${host} cannot be reached`,
        new Error('the breaker is open'),
        Math.max(restMs, 1_000),
      );
    state.probing = true;
  };
  const wait = (host: string, state: State): Promise<void> => {
    if (state.queue.length >= limits.waiting)
      throw new OutboundFailure(
        'refused',
        `${host} is busy: too many calls are waiting for it`,
        undefined,
        1_000,
      );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const proceed = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      state.queue.splice(state.queue.indexOf(proceed), 1);
      reject(new OutboundFailure('refused', `${host} is busy: no turn came in time`, undefined, 1_000));
    }, limits.waitMs);
    state.queue.push(proceed);
    return promise;
  };

  return {
    enter(host) {
      const state = stateOf(host);
      checkBreaker(host, state);
      if (state.underWay >= limits.concurrency) return wait(host, state);
      state.underWay++;
      return undefined;
    },
    leave(host, outcome) {
      const state = stateOf(host);
      const wasProbe = state.probing;
      state.probing = false;
      if (outcome === 'ok') {
        state.failures = 0;
        state.openForMs = limits.openMs;
      } else if (outcome === 'failed' && ++state.failures >= limits.failures) {
        if (wasProbe) state.openForMs = Math.min(state.openForMs * 2, limits.openMaxMs);
        state.openUntil = clock.monotonic() + state.openForMs;
      }
      // Whoever waits takes over the place, so the count stays as it is.
      const next = state.queue.shift();
      if (next !== undefined) next();
      else if (--state.underWay === 0 && state.failures === 0) states.delete(host);
    },
  };
}
