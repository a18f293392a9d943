import { SlotList, type Slotted } from '../base/slot-list.ts';

/** Something that may take too long. */
export type Timed = Slotted & {
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

/** One timer for all calls: with one or two of its own each, timers would be a fiftieth of what a call costs. */
export function createDeadlines(): Deadlines {
  const underWay = new SlotList<Timed>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const timed of underWay.all()) timed.checkTime(now);
  }, sweepMs).unref();
  return {
    add: (timed) => underWay.add(timed),
    delete: (timed) => void underWay.delete(timed),
    close: () => clearInterval(timer),
  };
}
