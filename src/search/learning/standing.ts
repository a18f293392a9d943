/**
 * Whether calls of a server succeed, as a factor on its final score.
 *
 *   posterior  = (4 × prior + good) / (4 + good + bad)
 *   prior      = (20 × all + the category's good) / (20 + the category's good and bad), `all` likewise over every
 *                server from 90 of 100 assumed
 *   factor     = 1 + .1 × (posterior − prior) / (1 − prior)   above the prior, at most 1.1
 *                1 − .6 × (prior − posterior) / prior         below it, at least .4
 *
 * A server without outcomes has exactly its prior: a factor of 1.
 */
import type { Trials } from './model.ts';

const priorTrials = 4;
const categoryTrials = 20;
const assumed = { good: 90, bad: 10 };
const reach = { up: 0.1, down: 0.6 };

export type Standing = Trials & {
  readonly prior: number;
  readonly posterior: number;
  readonly factor: number;
};

/** Where nothing is asked of the log. */
export const untried: Standing = { good: 0, bad: 0, prior: 0.9, posterior: 0.9, factor: 1 };

export type Priors = { of(category: number): number };

/** Prior means by category, from the outcomes that count for all. */
export function priorsOf(trials: Iterable<readonly [category: number, Trials]>): Priors {
  const categories = new Map<number, Trials>();
  let all: Trials = assumed;
  for (const [category, one] of trials) {
    categories.set(category, added(categories.get(category), one));
    all = added(all, one);
  }
  const mean = all.good / (all.good + all.bad);
  return {
    of(category) {
      const own = categories.get(category);
      if (own === undefined) return mean;
      return (categoryTrials * mean + own.good) / (categoryTrials + own.good + own.bad);
    },
  };
}

export function standingOf({ good, bad }: Trials, prior: number): Standing {
  const posterior = (priorTrials * prior + good) / (priorTrials + good + bad);
  const above = posterior - prior;
  const factor = above >= 0 ? 1 + (reach.up * above) / (1 - prior) : 1 + (reach.down * above) / prior;
  return { good, bad, prior, posterior, factor: good + bad === 0 ? 1 : factor };
}

/** What a newcomer gains, how good its neighbour must be known, and how near it in relevance it must stand. */
const exploring = { gain: 1.02, knownTrials: 3, mostBehind: 0.1 };

/** More than all of the above can lift a final score by. */
export const standingCeiling = (1 + reach.up) * exploring.gain;

/**
 * A small chance for newcomers: where the best by relevance has been tried, one that nobody has tried yet and that
 * fits about as well gains two hundredths, no more and not by chance; with its first outcome it has to do without.
 */
export function exploration(best: Trials, own: Trials, behind: number): number {
  const known = best.good + best.bad >= exploring.knownTrials;
  return known && own.good + own.bad === 0 && behind <= exploring.mostBehind ? exploring.gain : 1;
}

function added(a: Trials | undefined, b: Trials): Trials {
  return { good: (a?.good ?? 0) + b.good, bad: (a?.bad ?? 0) + b.bad };
}
