/**
 * How much a server is used, in 0..1.
 *
 *   w(calls)   = min(1, ln(1 + calls) / ln(1 + 10))           one developer's UTC day; ten calls are a full day
 *   s(d)       = sum over days of w(calls) * 2^(-age / 30)     age in days: a month halves it
 *   share(d)   = s(d) / (s(d) + 2)                             one developer is worth less than 1, whatever it does
 *   use        = sum over developers of min(share(d), the others' shares)   "effective developers"
 *   popularity = prior + (1 - prior) * use / (use + 20)        twenty effective developers close half the gap to 1
 *
 * Nobody outweighs all others together, so one developer alone moves nothing. Keys do not appear: a hundred keys of
 * one developer count as that developer. The prior comes from what
 * registries know: the largest of ln(1 + n) / ln(1 + full) over the signals, times .8 so that hearsay alone
 * never reaches what use can; at least .1, which is also what a newcomer without any signal gets.
 * Examples: one developer, whatever it calls: 0; two with one call each today: 2 * .126; two with ten calls each:
 * 2 * .333; a hundred with one full day each: 33.3, which over the neutral prior gives .1 + .9 * 33.3 / 53.3 = .662.
 */

const halfLifeDays = 30;
const fullDayCalls = 10;
const developerHalf = 2;
const useHalf = 20;
const priorCeiling = 0.8;
export const neutralPrior = 0.1;
const dayMs = 86_400_000;
/** Ten half-lives: what is older weighs less than a thousandth. */
export const horizonDays = 300;

/** The count at which a signal alone gives the full prior: roughly the largest seen in the public lists. */
const fullSignals: Readonly<Record<string, number>> = {
  use_count: 100_000,
  stars: 100_000,
  downloads: 10_000_000,
  pulls: 1_000_000,
  forks: 10_000,
};

export type UseRow = {
  readonly server_id: string;
  readonly developer_id: string;
  readonly day: number;
  readonly calls: number;
};
/** server -> developer -> s(d) as of the epoch day below, so that adding a day never touches the others. */
export type UseSums = Map<string, Map<string, number>>;

export function dayOf(ms: number): number {
  return Math.floor(ms / dayMs);
}

function dayWeight(calls: number): number {
  return Math.min(1, Math.log1p(calls) / Math.log1p(fullDayCalls));
}

/** Adds rows to sums that are decayed to `today`. */
export function addUse(sums: UseSums, rows: readonly UseRow[], today: number): void {
  for (const row of rows) {
    let developers = sums.get(row.server_id);
    if (developers === undefined) {
      developers = new Map();
      sums.set(row.server_id, developers);
    }
    const weight = dayWeight(row.calls) * 2 ** (-Math.max(0, today - row.day) / halfLifeDays);
    developers.set(row.developer_id, (developers.get(row.developer_id) ?? 0) + weight);
  }
}

/** Effective developers: the older sums and the recent ones of each developer taken together. */
export function effectiveUse(
  older: ReadonlyMap<string, number> | undefined,
  recent: ReadonlyMap<string, number> | undefined,
): number {
  const shares: number[] = [];
  for (const [developer, sum] of older ?? []) shares.push(share(sum + (recent?.get(developer) ?? 0)));
  for (const [developer, sum] of recent ?? []) if (older?.has(developer) !== true) shares.push(share(sum));
  const all = shares.reduce((sum, one) => sum + one, 0);
  return shares.reduce((use, one) => use + Math.min(one, Math.max(0, all - one)), 0);
}

function share(sum: number): number {
  return sum / (sum + developerHalf);
}

export function popularityOf(prior: number, use: number): number {
  return prior + ((1 - prior) * use) / (use + useHalf);
}

/** The prior of `popularity` in the catalog format: an object of counts, or a number (0..1 as it is, above 1 a use count). */
export function priorOf(signals: unknown): number | null {
  if (typeof signals === 'number') {
    if (!Number.isFinite(signals)) return null;
    return signals > 1 ? priorOf({ use_count: signals }) : Math.max(neutralPrior, signals);
  }
  if (typeof signals !== 'object' || signals === null) return null;
  let prior: number | null = null;
  for (const [name, full] of Object.entries(fullSignals)) {
    const count = (signals as Record<string, unknown>)[name];
    if (typeof count !== 'number' || !Number.isFinite(count) || count < 0) continue;
    const known = priorCeiling * Math.min(1, Math.log1p(count) / Math.log1p(full));
    prior = Math.max(prior ?? neutralPrior, known);
  }
  return prior;
}
