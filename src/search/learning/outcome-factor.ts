/**
 * Whether calls of a server succeed, as a factor on its final score.
 *
 *   posterior  = (4 × prior + good) / (4 + good + bad)
 *   prior      = (20 × all + the category's good) / (20 + the category's good and bad), `all` likewise over every
 *                server from 90 of 100 assumed
 *   factor     = 1 + 0.1 × (posterior − prior) / (1 − prior)   above the prior, at most 1.1
 *                1 − 0.6 × (prior − posterior) / prior         below it, at least 0.4
 *
 * A server without outcomes has exactly its prior: a factor of 1.
 */
import type { OutcomeCounts } from './learning-model.ts';

const priorOutcomes = 4;
const categoryOutcomes = 20;
const assumed = { good: 90, bad: 10 };
const reach = { up: 0.1, down: 0.6 };

export type OutcomeFactor = OutcomeCounts & {
  readonly prior: number;
  readonly posterior: number;
  readonly factor: number;
};

/** Where nothing was learned. */
export const untried: OutcomeFactor = { good: 0, bad: 0, prior: 0.9, posterior: 0.9, factor: 1 };

/** The prior mean of each category, from the outcomes that count for all. */
export function categoryPriors(
  outcomes: Iterable<readonly [category: number, OutcomeCounts]>,
): (category: number) => number {
  const categories = new Map<number, OutcomeCounts>();
  let all: OutcomeCounts = assumed;
  for (const [category, counts] of outcomes) {
    categories.set(category, add(categories.get(category), counts));
    all = add(all, counts);
  }
  const mean = all.good / (all.good + all.bad);
  return (category) => {
    const own = categories.get(category);
    if (own === undefined) return mean;
    return (categoryOutcomes * mean + own.good) / (categoryOutcomes + own.good + own.bad);
  };
}

export function outcomeFactor({ good, bad }: OutcomeCounts, prior: number): OutcomeFactor {
  const posterior = (priorOutcomes * prior + good) / (priorOutcomes + good + bad);
  const above = posterior - prior;
  const factor = above >= 0 ? 1 + (reach.up * above) / (1 - prior) : 1 + (reach.down * above) / prior;
  return { good, bad, prior, posterior, factor: good + bad === 0 ? 1 : factor };
}

/** What an untried server gains, how well the best must be known, and how near it in relevance the other must stand. */
const exploration = { gain: 1.02, knownOutcomes: 3, mostBehind: 0.1 };

/** More than all of the above can lift a final score by. */
export const maxOutcomeLift = (1 + reach.up) * exploration.gain;

/**
 * A small chance for untried servers (deterministic exploration): where the best by relevance has been tried, one that nobody has tried
 * yet and that fits about as well gains two hundredths, no more and not by chance; with its first outcome it has to do without.
 */
export function explorationBonus(best: OutcomeCounts, own: OutcomeCounts, behind: number): number {
  const isKnown = best.good + best.bad >= exploration.knownOutcomes;
  const isUntried = own.good + own.bad === 0;
  return isKnown && isUntried && behind <= exploration.mostBehind ? exploration.gain : 1;
}

function add(a: OutcomeCounts | undefined, b: OutcomeCounts): OutcomeCounts {
  return { good: (a?.good ?? 0) + b.good, bad: (a?.bad ?? 0) + b.bad };
}
