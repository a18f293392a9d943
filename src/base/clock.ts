/**
 * Time as a dependency: whatever compares times takes a Clock, so that tests turn it by hand.
 * `now` is wall time (milliseconds since the epoch, for what is stored or shown); `monotonic` is
 * milliseconds from an arbitrary start (for what is measured: it never jumps).
 */
export type Clock = {
  readonly now: () => number;
  readonly monotonic: () => number;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
