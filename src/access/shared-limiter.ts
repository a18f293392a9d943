import { createHash } from 'node:crypto';
import type { Limiter, Quota } from './limiter.ts';

/** Runs a script as one step in the store that all processes share; rejects when that is away or slow. */
export type RunScript = (
  script: { readonly text: string; readonly sha1: string },
  key: string,
  args: readonly (string | number)[],
) => Promise<readonly string[]>;

export type SharedLimiter = {
  /** As `Limiter.take`, over all processes; falls back to this process's own count while the shared store is away. */
  take(subject: string, cost: number, perMinute: number): Promise<Quota>;
};

/**
 * GCRA as in limiter.ts, by the shared store's clock: clocks of processes differ. Numbers travel as text, because
 * scripts answer whole numbers only. What is held further ahead than a whole burst is from before that clock was put back,
 * and would refuse everything until it is that late again.
 */
const text = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local cost, emission = tonumber(ARGV[1]), 60000 / tonumber(ARGV[2])
local held = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
if held > now + 60001 then held = now end
local arrival = held + cost * emission
local over = arrival - now - 60000
local allowed = over <= 0.03
if allowed then
  held = arrival
  if cost > 0 then
    redis.call('SET', KEYS[1], string.format('%.6f', arrival), 'PX', math.ceil(arrival - now) + 1)
  end
end
return { allowed and '1' or '0', string.format('%.6f', held - now), string.format('%.6f', over) }
`;
const gcra = { text, sha1: createHash('sha1').update(text).digest('hex') };

/** After a failure the shared store is left alone for so long: not every request shall wait for it. */
const restMs = 1_000;

export function createSharedLimiter(deps: {
  readonly run: RunScript;
  readonly local: Limiter;
  readonly now: () => number;
  /** Hears of each fall back to local counting. */
  readonly onFallback: (error: unknown) => void;
}): SharedLimiter {
  const { run, local, now, onFallback } = deps;
  let restUntil = 0;
  return {
    async take(subject, cost, perMinute) {
      if (now() < restUntil) return local.take(subject, cost, perMinute);
      try {
        const [allowed, held, over] = await run(gcra, `mcprank:limit:${subject}`, [cost, perMinute]);
        return quotaOf(allowed === '1', Number(held), Number(over), perMinute);
      } catch (error) {
        restUntil = now() + restMs;
        onFallback(error);
        return local.take(subject, cost, perMinute);
      }
    },
  };
}

function quotaOf(allowed: boolean, heldMs: number, overMs: number, perMinute: number): Quota {
  return {
    allowed,
    limit: perMinute,
    remaining: Math.max(0, Math.floor(((60_000 - heldMs) * perMinute) / 60_000 + 1e-6)),
    resetMs: heldMs,
    retryAfterMs: allowed ? 0 : overMs,
  };
}
