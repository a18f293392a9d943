/** Something that may take too long. */
export type Timed = {
  /** Where it stands among the others; for `Deadlines` alone. */
  slot: number;
  /** Called again and again, by `performance.now()`. */
  checkTime(now: number): void;
};

export type Deadlines = {
  add(timed: Timed): void;
  delete(timed: Timed): void;
  close(): void;
};

/** What is late is found out so much later at most. */
const sweepMs = 100;

/**
 * One timer for all calls: with one or two of its own each, timers would be a fiftieth of what a call costs. An array in
 * which the last one takes the place of the one that goes: the tables that a Set leaves behind keep what was in them until
 * the next full collection, which costs a fifth of a call (measured).
 */
export function createDeadlines(): Deadlines {
  const underWay: Timed[] = [];
  const timer = setInterval(() => {
    const now = performance.now();
    for (const timed of [...underWay]) timed.checkTime(now);
  }, sweepMs).unref();
  return {
    add(timed) {
      timed.slot = underWay.push(timed) - 1;
    },
    delete(timed) {
      if (underWay[timed.slot] !== timed) return;
      const last = underWay.pop();
      if (last === undefined || last === timed) return;
      underWay[timed.slot] = last;
      last.slot = timed.slot;
    },
    close: () => clearInterval(timer),
  };
}
