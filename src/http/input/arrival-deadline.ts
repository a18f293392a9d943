import { SlotList, type Slotted } from '../../base/slot-list.ts';

/** Cuts off what does not arrive in time. All have the same time, so one sweep serves them; a timer for each would cost more than reading a small body. */
export type ArrivalDeadline = {
  /** Calls `late` once unless the returned entry is done in time. */
  start(late: () => void): Arrival;
  done(arrival: Arrival): void;
  stop(): void;
};

type Arrival = Slotted & { readonly since: number; readonly late: () => void };

export function createArrivalDeadline(timeoutMs: number): ArrivalDeadline {
  const waiting = new SlotList<Arrival>();
  const sweep = () => {
    const before = performance.now() - timeoutMs;
    for (const arrival of waiting.all())
      if (arrival.since <= before && waiting.delete(arrival)) arrival.late();
  };
  const sweeping = setInterval(sweep, Math.min(1_000, timeoutMs)).unref();
  return {
    start(late) {
      const arrival: Arrival = { slot: -1, since: performance.now(), late };
      waiting.add(arrival);
      return arrival;
    },
    done: (arrival) => void waiting.delete(arrival),
    stop: () => clearInterval(sweeping),
  };
}
