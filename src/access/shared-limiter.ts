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
  take(subject: string, cost: number, perMinute: number): Quota | Promise<Quota>;
};

/**
 * GCRA as in limiter.ts, by the shared store's clock: clocks of processes differ. Numbers travel as text, because
 * scripts answer whole numbers only. What is held further ahead than a whole burst is from before that clock was put back,
 * and would refuse everything until it is that late again. ARGV: the cost (below 0: units that come back), the limit a
 * minute, and units to take beside the cost where there are so many.
 */
const text = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local cost, emission, lot = tonumber(ARGV[1]), 60000 / tonumber(ARGV[2]), tonumber(ARGV[3])
local held = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
if held > now + 60001 then held = now end
local over = held + cost * emission - now - 60000
local allowed = over <= 0.03
if allowed then
  if over + lot * emission > 0.03 then lot = 0 end
  held = held + (cost + lot) * emission
  if held <= now then
    redis.call('DEL', KEYS[1])
  elseif cost + lot ~= 0 then
    redis.call('SET', KEYS[1], string.format('%.6f', held), 'PX', math.ceil(held - now) + 1)
  end
end
return { allowed and '1' or '0', string.format('%.6f', held - now), string.format('%.6f', over), allowed and lot or 0 }
`;
const gcra = { text, sha1: createHash('sha1').update(text).digest('hex') };

/** After a failure the shared store is left alone for so long: not every request shall wait for it. */
const restMs = 1_000;
/** The most of a limit that one process holds in advance. Where that is less than ten requests, each is asked for. */
const lotShare = 0.01;
const smallestLot = 10;
/** What is not used of a lot goes back after so long. */
const lotMs = 1_000;

/** What the shared store says: `granted`, units that are held beside the cost and not used. */
type Answer = {
  readonly isAllowed: boolean;
  readonly heldMs: number;
  readonly overMs: number;
  readonly granted: number;
};

/** Units of one subject that this process has taken in advance. */
type Lot = {
  readonly perMinute: number;
  left: number;
  /** How far ahead of the shared clock the subject was when it was taken, the whole lot included: milliseconds. */
  readonly heldMs: number;
  readonly takenAt: number;
  /** Units that were asked for since. */
  used: number;
  /** The next one is on its way; whoever finds this one empty meanwhile asks for itself alone. */
  isFollowed: boolean;
};

/**
 * Large limits are taken in lots, as far as they are used: a request that finds one asks nobody. A lot is at most a hundredth of
 * the limit and twice what was used while the one before lasted; what is left of it goes back after a second. So all processes
 * together admit no more than the limit, and one of them may be refused what others hold for that second.
 */
export function createSharedLimiter(deps: {
  readonly run: RunScript;
  readonly local: Limiter;
  readonly now: () => number;
  /** Hears of each fall back to local counting. */
  readonly onFallback: (error: unknown) => void;
}): SharedLimiter {
  const { run, local, now, onFallback } = deps;
  const lots = new Map<string, Lot>();
  let restUntil = 0;
  let isSweepDue = false;

  const ask = async (subject: string, cost: number, perMinute: number, lot = 0): Promise<Answer> => {
    const [allowed, held, over, granted] = await run(gcra, `mcprank:limit:${subject}`, [
      cost,
      perMinute,
      lot,
    ]);
    return {
      isAllowed: allowed === '1',
      heldMs: Number(held),
      overMs: Number(over),
      granted: Number(granted),
    };
  };

  const giveBack = (subject: string, { left, perMinute }: Lot) => {
    // Where it cannot be told it runs out by itself, with the minute.
    if (left > 0) ask(subject, -left, perMinute).catch(() => undefined);
  };
  const sweep = () => {
    isSweepDue = false;
    for (const [subject, lot] of lots) {
      if (now() - lot.takenAt < lotMs) continue;
      giveBack(subject, lot);
      lots.delete(subject);
    }
    sweepLater();
  };
  const sweepLater = () => {
    if (isSweepDue || lots.size === 0) return;
    isSweepDue = true;
    setTimeout(sweep, lotMs).unref();
  };
  const keep = (subject: string, lot: Lot) => {
    const before = lots.get(subject);
    if (before !== undefined) giveBack(subject, before);
    lots.set(subject, lot);
    sweepLater();
  };

  const fallBack = (error: unknown) => {
    lots.clear();
    restUntil = now() + restMs;
    onFallback(error);
  };
  const takeExactly = async (subject: string, cost: number, perMinute: number): Promise<Quota> => {
    try {
      return quotaOf(await ask(subject, cost, perMinute), perMinute);
    } catch (error) {
      fallBack(error);
      return local.take(subject, cost, perMinute);
    }
  };
  /** The first is of the cost alone, and begins to count. */
  const takeLot = async (subject: string, cost: number, perMinute: number): Promise<Quota> => {
    const last = lots.get(subject);
    const most = Math.floor(perMinute * lotShare);
    if (last !== undefined) last.isFollowed = true;
    try {
      const answer = await ask(subject, cost, perMinute, Math.min(most, 2 * (last?.used ?? 0)));
      const { granted: left, heldMs } = answer;
      keep(subject, { perMinute, left, heldMs, takenAt: now(), used: cost, isFollowed: false });
      return quotaOf(answer, perMinute);
    } catch (error) {
      fallBack(error);
      return local.take(subject, cost, perMinute);
    }
  };

  return {
    take(subject, cost, perMinute) {
      const at = now();
      if (at < restUntil) return local.take(subject, cost, perMinute);
      if (perMinute * lotShare < smallestLot || cost === 0) return takeExactly(subject, cost, perMinute);
      const lot = lots.get(subject);
      if (lot === undefined) return takeLot(subject, cost, perMinute);
      lot.used += cost;
      const ageMs = at - lot.takenAt;
      const isGood = lot.perMinute === perMinute && ageMs < lotMs && lot.left >= cost;
      if (!isGood) return (lot.isFollowed ? takeExactly : takeLot)(subject, cost, perMinute);
      lot.left -= cost;
      const heldMs = Math.max(0, lot.heldMs - ageMs);
      return quotaOf({ isAllowed: true, heldMs, overMs: 0, granted: lot.left }, perMinute);
    },
  };
}

function quotaOf({ isAllowed, heldMs, overMs, granted }: Answer, perMinute: number): Quota {
  const usedMs = Math.max(0, heldMs - (granted * 60_000) / perMinute);
  return {
    allowed: isAllowed,
    limit: perMinute,
    remaining: Math.max(0, Math.floor(((60_000 - usedMs) * perMinute) / 60_000 + 1e-6)),
    resetMs: usedMs,
    retryAfterMs: isAllowed ? 0 : overMs,
  };
}
