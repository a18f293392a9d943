import { EarlyRefusal } from '../respond.ts';

/**
 * Load shedding: refuses early what could not be answered in time anyway.
 *
 * An overloaded Node process does everything late, its timers too: how late a timer fires is how long a request waits
 * before anybody looks at it. While that is more than a request should wait, a growing share of new requests is answered
 * 503 at once, which costs a tenth of serving them; the share shrinks as soon as the lateness does. So what is served is
 * served in time, and an overload ends when its cause does. One late timer alone is a start or a machine that was busy
 * with something else: those who waited through it are served, and nobody is refused for it.
 *
 * Only a request that waited together with others is refused: what came while the process was late is read in one turn of
 * the event loop, and the first of each turn always comes in. A process that is late because it got no processor, and has
 * one caller, has nothing to shed.
 */
export type LoadShedder = {
  /** Lets a request in, or throws `unavailable`; one that is `exempt` always comes in. */
  admit(exempt: boolean): void;
  stop(): void;
};

const tickMs = 20;
/** By how much the share changes a tick: full refusal in half a second, none a second after. */
const rise = 0.04;
const fall = 0.02;
/** Late timers that were due within so long of each other are one overload. */
const againMs = 1_000;
const retryAfterMs = 1_000;

export function createLoadShedder(deps: {
  readonly now: () => number;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly onShed: () => void;
  /** How late the event loop was, every 20 ms: milliseconds. */
  readonly onTick: (lateMs: number) => void;
  /** A request may wait so long for its turn. */
  readonly lateMs: number;
}): LoadShedder {
  const { now, random, onShed, onTick, lateMs } = deps;
  let share = 0;
  /** Whether a request was let in since the event loop last looked for others. */
  let isTurnTaken = false;
  let due = now() + tickMs;
  /** When the last timer that was late was over. */
  let lateAt = Number.NEGATIVE_INFINITY;
  const timer = setInterval(() => {
    const time = now();
    const late = time - due;
    onTick(late);
    if (late <= lateMs) share = Math.max(0, share - fall);
    else {
      if (due - lateAt < againMs) share = Math.min(1, share + rise * Math.min(5, late / lateMs));
      lateAt = time;
    }
    due = time + tickMs;
  }, tickMs).unref();
  return {
    admit(exempt) {
      if (exempt || share === 0) return;
      if (!isTurnTaken) {
        isTurnTaken = true;
        setImmediate(() => {
          isTurnTaken = false;
        });
        return;
      }
      if (random() >= share) return;
      onShed();
      throw new EarlyRefusal('unavailable', 'The service has more requests than it can answer', {
        retryAfterMs,
      });
    },
    stop: () => clearInterval(timer),
  };
}
