/** One server's part of the ledger, weighed: how its successful queries read, and whether calls succeed. */
import type { Held, Win } from './ledger.ts';
import type { Trials } from './model.ts';

/** A word's share of a win, as a whole number: sums of them are exact in any order. */
export const unit = 1024;
/** After two months a query teaches half as much: servers change slowly, wordings more slowly. */
const winHalfLifeDays = 60;
/** After four days an outcome counts half: a server that broke and was mended is forgiven within two weeks. */
const trialHalfLifeDays = 4;
/** Of one developer's outcomes each weighs this much of the next newer one: three failures outweigh five successes. */
const olderTrial = 0.8;
/** Latest wins of a server that queries are compared with one by one. */
const examplesKept = 64;
const dayMs = 86_400_000;

export type Example = { readonly win: Win; readonly weight: number };

export type Profile = {
  readonly successes: number;
  /** Words to counts in `unit`s, and their sum. */
  readonly terms: ReadonlyMap<string, number>;
  readonly length: number;
  /** The weighted sum of the queries' vectors. */
  readonly middle: Float32Array;
  readonly middleSquare: number;
  readonly examples: readonly Example[];
  readonly trials: Trials;
};

/** Of each developer's evidence for a server, the share that counts. */
export type Shares = { wins(developerId: string): number; trials(developerId: string): number };

/**
 * Nobody outweighs all others together: of a developer's evidence at most as much counts as there is of the other
 * developers'. So what one developer alone says counts for nothing here, with however many keys and calls.
 */
export function fairShares(held: ReadonlyMap<string, Held>, today: number): Shares {
  const fair = (amountOf: (one: Held) => number) => {
    const amounts = new Map([...held].map(([developer, one]) => [developer, amountOf(one)]));
    const total = sum([...amounts.keys()].sort().map((developer) => amounts.get(developer) ?? 0));
    return (developer: string) => {
      const own = amounts.get(developer) ?? 0;
      return own === 0 ? 0 : Math.min(1, Math.max(0, total - own) / own);
    };
  };
  return {
    wins: fair(({ wins }) => sum([...wins.values()].map((win) => decayed(win, today)).sort((a, b) => a - b))),
    trials: fair(({ trials }) => sum(trials.map((_, i) => trialWeight(trials, i, today)))),
  };
}

/** The profile of one server from the evidence of these developers; the same however the ledger was filled. */
export function profileOf(held: ReadonlyMap<string, Held>, shares: Shares, today: number): Profile | null {
  const examples: Example[] = [];
  let [good, bad] = [0, 0];
  for (const developer of [...held.keys()].sort()) {
    const { wins, trials } = held.get(developer)!;
    const [ofWins, ofTrials] = [shares.wins(developer), shares.trials(developer)];
    if (ofWins > 0)
      for (const win of wins.values()) examples.push({ win, weight: ofWins * decayed(win, today) });
    for (const [i, trial] of trials.entries()) {
      const weight = ofTrials * trialWeight(trials, i, today);
      if (trial.good) good += weight;
      else bad += weight;
    }
  }
  if (examples.length === 0 && good + bad === 0) return null;
  examples.sort((a, b) => b.win.at - a.win.at || (a.win.id < b.win.id ? -1 : 1));
  return { ...readingOf(examples), examples: examples.slice(0, examplesKept), trials: { good, bad } };
}

function readingOf(examples: readonly Example[]) {
  const terms = new Map<string, number>();
  const middle = new Float32Array(examples[0]?.win.vector.length ?? 0);
  let [successes, length] = [0, 0];
  for (const { win, weight } of examples) {
    successes += weight;
    const share = Math.round(unit * weight);
    for (const stem of win.stems) terms.set(stem, (terms.get(stem) ?? 0) + share);
    length += share * win.stems.length;
    for (let i = 0; i < middle.length; i++) middle[i] = middle[i]! + (weight * win.vector[i]!) / 127;
  }
  const middleSquare = middle.reduce((sum, x) => sum + x * x, 0);
  return { successes, terms, length, middle, middleSquare };
}

function decayed(win: Win, today: number): number {
  return win.weight * decay(win.at, today, winHalfLifeDays);
}

/** Of the outcomes of one developer, oldest first. */
function trialWeight(trials: Held['trials'], i: number, today: number): number {
  return olderTrial ** (trials.length - 1 - i) * decay(trials[i]!.at, today, trialHalfLifeDays);
}

/** By whole UTC days, so that a day's answers are the same from its first second to its last. */
function decay(at: number, today: number, halfLifeDays: number): number {
  return 2 ** (-Math.max(0, today - Math.floor(at / dayMs)) / halfLifeDays);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
