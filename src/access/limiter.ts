import type { Clock } from '../base/clock.ts';

export type Quota = {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Until the whole burst is there again. */
  readonly resetMs: number;
  /** Until this very request would pass; 0 when it did. */
  readonly retryAfterMs: number;
};

export type Limiter = {
  /** Takes `cost` from the subject's quota of `perMinute`; a refused request takes nothing. */
  take(subject: string, cost: number, perMinute: number): Quota;
  /** What `take` with cost 1 would answer, without taking. */
  peek(subject: string, perMinute: number): Quota;
};

const minuteMs = 60_000;
/** Subjects held before those at rest are dropped; one costs about 100 bytes. */
const maxSubjects = 100_000;

/**
 * GCRA, the leaky bucket kept as one number a subject: the theoretical arrival time (TAT) of the next
 * conforming request (ITU-T I.371, annex A). The burst is one minute's worth.
 */
export function createLimiter(clock: Clock): Limiter {
  const arrivals = new Map<string, number>();

  const decide = (subject: string, cost: number, perMinute: number): Quota & { tat: number } => {
    const now = clock.monotonic();
    const emissionMs = minuteMs / perMinute;
    const tat = Math.max(arrivals.get(subject) ?? 0, now) + cost * emissionMs;
    const overMs = tat - now - minuteMs;
    // Half a nanosecond: sums of fractions must not refuse the last request of an exact burst.
    const allowed = overMs <= 5e-7 * minuteMs;
    const held = allowed ? tat : tat - cost * emissionMs;
    return {
      tat,
      allowed,
      limit: perMinute,
      remaining: Math.max(0, Math.floor((minuteMs - (held - now)) / emissionMs + 1e-6)),
      resetMs: held - now,
      retryAfterMs: allowed ? 0 : overMs,
    };
  };

  const sweep = () => {
    const now = clock.monotonic();
    for (const [subject, tat] of arrivals) if (tat <= now) arrivals.delete(subject);
    // Everybody is busy: forget the longest known, which can only be too kind to them.
    for (const subject of arrivals.keys()) {
      if (arrivals.size < maxSubjects) break;
      arrivals.delete(subject);
    }
  };

  return {
    take(subject, cost, perMinute) {
      const quota = decide(subject, cost, perMinute);
      if (quota.allowed && cost > 0) {
        if (arrivals.size >= maxSubjects) sweep();
        arrivals.set(subject, quota.tat);
      }
      return quota;
    },
    peek: (subject, perMinute) => decide(subject, 1, perMinute),
  };
}
