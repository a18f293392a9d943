import { OutboundFailure } from './model.ts';

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

type State = { underWay: number; readonly queue: Set<() => void> };

/** How many calls one host gets at once: first come, first served. */
export function createConcurrencyLimit(limits: ConcurrencyLimits): ConcurrencyLimit {
  const states = new Map<string, State>();

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
      const state = states.get(host) ?? { underWay: 0, queue: new Set() };
      states.set(host, state);
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
      else if (--state.underWay === 0) states.delete(host);
    },
  };
}
