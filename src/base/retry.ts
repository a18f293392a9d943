export type Backoff = {
  readonly firstMs: number;
  readonly maxMs: number;
  /** A share of the time by which it is longer or shorter at random, so that what failed together does not come back together. */
  readonly jitter?: number;
};

/** Exponential backoff: how long to wait before the retry that `failures` failures (1 or more) call for. */
export function backoffMs(
  { firstMs, maxMs, jitter = 0 }: Backoff,
  failures: number,
  random = Math.random(),
): number {
  // Beyond 2^30 every pause is the longest one, and the power must not overflow.
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 30));
  return Math.round(full * (1 + jitter * (2 * random - 1)));
}

/**
 * A `Retry-After` field in milliseconds from `nowMs` (RFC 9110 section 10.2.3: seconds or an HTTP date); undefined
 * where it says nothing that can be read.
 */
export function parseRetryAfter(
  value: string | readonly string[] | undefined,
  nowMs = Date.now(),
): number | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  // A date has letters: `Date.parse` also takes `-5` and `1.5` for years.
  const at = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
