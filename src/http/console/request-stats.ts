import type { Clock } from '../../base/clock.ts';
import type { Route } from '../route.ts';

/** One step of the past. Times in milliseconds; percentiles are null where nothing was asked. */
export type StatsStep = {
  readonly at: number;
  readonly requests: number;
  readonly clientErrors: number;
  /** Of ours. */
  readonly serverErrors: number;
  /** Of a server or provider behind us (502). */
  readonly upstreamErrors: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
};

export type RequestStats = {
  /** Counts one finished request; routes that are nobody's use of the product (admin, health, pages) do not count. */
  observe(url: string | undefined, status: number, elapsedMs: number, isCallersFault?: boolean): void;
  read(windowMs: number): {
    readonly steps: readonly StatsStep[];
    readonly total: Omit<StatsStep, 'at'>;
    readonly kinds: readonly { readonly kind: string; readonly requests: number }[];
  };
};

const minuteMs = 60_000;
const minutesKept = 24 * 60;
const stepsShown = 60;
/** Upper bounds grow by a third from a tenth of a millisecond to two minutes: a percentile is right within a sixth. */
const leastMs = 0.1;
const growth = 1.35;
const logGrowth = Math.log(growth);
const buckets = 48;
const kinds = ['search', 'mcp', 'invocations', 'identity', 'proxy'] as const;

/**
 * What this process was asked, minute by minute for a day, in arrays that are made once: counting allocates nothing. A
 * ring: the minute's number says whether a slot is of this round.
 */
export function createRequestStats(routes: readonly Route[], clock: Clock): RequestStats {
  const kindOf = new Map<string, number>(
    routes.flatMap(({ url, scope }) => {
      const kind = (kinds as readonly (string | null)[]).indexOf(scope);
      return kind < 0 ? [] : [[url, kind] as const];
    }),
  );
  const minutes = new Float64Array(minutesKept);
  const requests = new Uint32Array(minutesKept * kinds.length);
  const clientErrors = new Uint32Array(minutesKept);
  const serverErrors = new Uint32Array(minutesKept);
  const upstreamErrors = new Uint32Array(minutesKept);
  const latencies = new Uint32Array(minutesKept * buckets);

  const slotOf = (minute: number): number => {
    const slot = minute % minutesKept;
    if (minutes[slot] === minute) return slot;
    minutes[slot] = minute;
    requests.fill(0, slot * kinds.length, (slot + 1) * kinds.length);
    latencies.fill(0, slot * buckets, (slot + 1) * buckets);
    clientErrors[slot] = serverErrors[slot] = upstreamErrors[slot] = 0;
    return slot;
  };
  const sum = (from: number, to: number) => {
    const found = {
      kinds: kinds.map(() => 0),
      clientErrors: 0,
      serverErrors: 0,
      upstreamErrors: 0,
      latencies: new Array(buckets).fill(0),
    };
    for (let minute = from; minute < to; minute++) {
      const slot = minute % minutesKept;
      if (minutes[slot] !== minute) continue;
      found.clientErrors += clientErrors[slot]!;
      found.serverErrors += serverErrors[slot]!;
      found.upstreamErrors += upstreamErrors[slot]!;
      for (let k = 0; k < kinds.length; k++) found.kinds[k]! += requests[slot * kinds.length + k]!;
      for (let b = 0; b < buckets; b++) found.latencies[b] += latencies[slot * buckets + b]!;
    }
    const counted = found.kinds.reduce((all, each) => all + each, 0);
    return {
      kinds: found.kinds,
      requests: counted,
      clientErrors: found.clientErrors,
      serverErrors: found.serverErrors,
      upstreamErrors: found.upstreamErrors,
      p50: percentile(found.latencies, counted, 0.5),
      p95: percentile(found.latencies, counted, 0.95),
      p99: percentile(found.latencies, counted, 0.99),
    };
  };

  return {
    observe(url = '', status, elapsedMs, isCallersFault = false) {
      const kind = kindOf.get(url);
      if (kind === undefined) return;
      const slot = slotOf(Math.floor(clock.now() / minuteMs));
      requests[slot * kinds.length + kind]! += 1;
      if (isCallersFault) clientErrors[slot]! += 1;
      else if (status === 502) upstreamErrors[slot]! += 1;
      else if (status >= 500) serverErrors[slot]! += 1;
      else if (status >= 400) clientErrors[slot]! += 1;
      latencies[slot * buckets + bucketOf(elapsedMs)]! += 1;
    },
    read(windowMs) {
      const minutesShown = Math.min(minutesKept, Math.round(windowMs / minuteMs));
      const stepMinutes = Math.max(1, Math.floor(minutesShown / stepsShown));
      const end = Math.floor(clock.now() / minuteMs) + 1;
      const steps: StatsStep[] = [];
      for (let from = end - minutesShown; from < end; from += stepMinutes) {
        const { kinds: _, ...step } = sum(from, Math.min(end, from + stepMinutes));
        steps.push({ at: from * minuteMs, ...step });
      }
      const { kinds: counts, ...total } = sum(end - minutesShown, end);
      return { steps, total, kinds: kinds.map((kind, i) => ({ kind, requests: counts[i]! })) };
    },
  };
}

function bucketOf(ms: number): number {
  if (ms <= leastMs) return 0;
  return Math.min(buckets - 1, Math.ceil(Math.log(ms / leastMs) / logGrowth));
}

/** The middle of the bucket in which the rank falls. */
function percentile(counts: readonly number[], total: number, share: number): number | null {
  if (total === 0) return null;
  const rank = Math.ceil(total * share);
  let seen = 0;
  const bucket = counts.findIndex((count) => {
    seen += count;
    return seen >= rank;
  });
  return Math.round(leastMs * growth ** (bucket - 0.5) * 100) / 100;
}
