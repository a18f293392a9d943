import { OutboundFailure } from '../outbound-model.ts';

export type ConcurrencyLimits = {
  /** Calls to one origin under way at once. */
  readonly concurrency: number;
  /** Calls to one origin that wait for their turn; beyond it they are refused. */
  readonly waiting: number;
  readonly waitMs: number;
};

export type ConcurrencyLimit = {
  /** A place now (undefined), or in turn; throws `refused` when too many wait. */
  acquire(host: string): undefined | Waiter;
  release(host: string): void;
};

export type Waiter = {
  /** Rejects as `refused` when the turn does not come in time. */
  readonly turn: Promise<void>;
  /** Gives the place in the queue up; `turn` stays open. */
  leave(): void;
};

/** More than this, and hosts at rest are forgotten. */
const hostsKept = 1_000;

type State = { underWay: number; readonly queue: Set<() => void> };

/** How many calls one host gets at once: first come, first served. */
export function createConcurrencyLimit(limits: ConcurrencyLimits): ConcurrencyLimit {
  const states = new Map<string, State>();

  /** Those at rest are not thrown away one by one: a map that changes with each call costs more than the call's place. */
  const open = (host: string): State => {
    if (states.size >= hostsKept)
      for (const [name, { underWay }] of states) if (underWay === 0) states.delete(name);
    const state = { underWay: 0, queue: new Set<() => void>() };
    states.set(host, state);
    return state;
  };
  const wait = (host: string, { queue }: State): Waiter => {
    if (queue.size >= limits.waiting)
      throw new OutboundFailure(
        'refused',
        `${host} is busy: too many calls are waiting for it`,
        undefined,
        1_000,
      );
    const { promise: turn, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      clearTimeout(timer);
      queue.delete(proceed);
    };
    const proceed = () => {
      leave();
      resolve();
    };
    const timer = setTimeout(() => {
      leave();
      reject(new OutboundFailure('refused', `${host} is busy: no turn came in time`, undefined, 1_000));
    }, limits.waitMs);
    queue.add(proceed);
    return { turn, leave };
  };

  return {
    acquire(host) {
      const state = states.get(host) ?? open(host);
      if (state.underWay >= limits.concurrency) return wait(host, state);
      state.underWay++;
      return undefined;
    },
    release(host) {
      const state = states.get(host);
      if (state === undefined) return;
      const [next] = state.queue;
      // Whoever waits takes over the place, so the count stays as it is.
      if (next !== undefined) next();
      else state.underWay--;
    },
  };
}
