/** One server's feedback, weighed: how its successful queries read, and whether calls succeed. */
import type { Feedback, Success } from './feedback-store.ts';
import type { OutcomeCounts } from './learning-model.ts';

/** A word's share of a success, as a whole number: sums of them are exact in any order. */
export const unit = 1024;
/** After two months a query teaches half as much: servers change slowly, wordings more slowly. */
const successHalfLifeDays = 60;
/** After four days an outcome counts half: a server that broke and was mended is forgiven within two weeks. */
const outcomeHalfLifeDays = 4;
/** Of one developer's outcomes each weighs this much of the next newer one: three failures outweigh five successes. */
const olderOutcome = 0.8;
/** Latest successes of a server that queries are compared with one by one. */
const maxExamples = 64;
const dayMs = 86_400_000;

/** A success that queries are compared with, and what it counts. */
export type Example = { readonly success: Success; readonly weight: number };

export type ServerProfile = {
  readonly successes: number;
  /** Words to counts in `unit`s, and their sum. */
  readonly terms: ReadonlyMap<string, number>;
  readonly length: number;
  /** The weighted sum of the queries' vectors, and its square. */
  readonly centroid: Float32Array;
  readonly centroidSquare: number;
  readonly examples: readonly Example[];
  readonly outcomes: OutcomeCounts;
};

/** Of each developer's feedback for a server, the share that counts. */
export type Shares = {
  ofSuccesses(developerId: string): number;
  ofOutcomes(developerId: string): number;
};

/**
 * Nobody outweighs all others together: of a developer's evidence at most as much counts as there is of the other
 * developers'. So what one developer alone says counts for nothing here, with however many keys and calls.
 */
export function fairShares(feedback: ReadonlyMap<string, Feedback>, today: number): Shares {
  const fair = (amountOf: (one: Feedback) => number) => {
    const amounts = new Map([...feedback].map(([developer, one]) => [developer, amountOf(one)]));
    const total = sum([...amounts.keys()].sort().map((developer) => amounts.get(developer) ?? 0));
    return (developer: string) => {
      const own = amounts.get(developer) ?? 0;
      return own === 0 ? 0 : Math.min(1, Math.max(0, total - own) / own);
    };
  };
  return {
    ofSuccesses: fair(({ successes }) =>
      sum([...successes.values()].map((success) => successWeight(success, today)).sort((a, b) => a - b)),
    ),
    ofOutcomes: fair(({ recent }) => sum(outcomeWeights(recent, today))),
  };
}

/** What the fair shares leave out. */
export function remainingShares(shares: Shares): Shares {
  return {
    ofSuccesses: (developer) => 1 - shares.ofSuccesses(developer),
    ofOutcomes: (developer) => 1 - shares.ofOutcomes(developer),
  };
}

/** The profile of one server from these developers' feedback; the same in whatever order it came. */
export function buildProfile(
  feedback: ReadonlyMap<string, Feedback>,
  shares: Shares,
  today: number,
): ServerProfile | null {
  const examples: Example[] = [];
  let [good, bad] = [0, 0];
  for (const [developer, { successes, recent }] of [...feedback].sort(byDeveloper)) {
    const [ofSuccesses, ofOutcomes] = [shares.ofSuccesses(developer), shares.ofOutcomes(developer)];
    if (ofSuccesses > 0)
      for (const success of successes.values())
        examples.push({ success, weight: ofSuccesses * successWeight(success, today) });
    for (const [i, weight] of outcomeWeights(recent, today).entries()) {
      if (recent[i]?.good) good += ofOutcomes * weight;
      else bad += ofOutcomes * weight;
    }
  }
  if (examples.length === 0 && good + bad === 0) return null;
  examples.sort((a, b) => b.success.at - a.success.at || (a.success.id < b.success.id ? -1 : 1));
  return { ...summarise(examples), examples: examples.slice(0, maxExamples), outcomes: { good, bad } };
}

function byDeveloper([a]: readonly [string, Feedback], [b]: readonly [string, Feedback]): number {
  return a < b ? -1 : 1;
}

function summarise(examples: readonly Example[]) {
  const terms = new Map<string, number>();
  const centroid = new Float32Array(examples[0]?.success.vector.length ?? 0);
  let [successes, length] = [0, 0];
  for (const { success, weight } of examples) {
    const { stems, vector } = success;
    successes += weight;
    const share = Math.round(unit * weight);
    for (const stem of stems) terms.set(stem, (terms.get(stem) ?? 0) + share);
    length += share * stems.length;
    for (let i = 0; i < centroid.length; i++) centroid[i]! += (weight * vector[i]!) / 127;
  }
  const centroidSquare = centroid.reduce((sum, x) => sum + x * x, 0);
  return { successes, terms, length, centroid, centroidSquare };
}

function successWeight({ weight, at }: Success, today: number): number {
  return weight * decay(at, today, successHalfLifeDays);
}

/** Of the outcomes of one developer, oldest first. */
function outcomeWeights(recent: Feedback['recent'], today: number): number[] {
  return recent.map(
    ({ at }, i) => olderOutcome ** (recent.length - 1 - i) * decay(at, today, outcomeHalfLifeDays),
  );
}

/** By whole UTC days, so that a day's answers are the same from its first second to its last. */
function decay(at: number, today: number, halfLifeDays: number): number {
  return 2 ** (-Math.max(0, today - Math.floor(at / dayMs)) / halfLifeDays);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
