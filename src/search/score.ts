/**
 * From relevance to the numbers a client sees. All constants here were fitted on labelled queries by
 * `node train/calibrate.ts`; `npm run eval` shows how well they hold.
 */

/** What is known of a query's whole result, as absolute quantities: the best of a bad lot must not look good. */
export type Evidence = {
  /** The best server's lexical score as a fraction of what a perfect match would get, 0..1. */
  readonly lexical: number;
  /** The best cosine. */
  readonly cosine: number;
  /** The share of the query's words, by rarity, that the catalogue knows at all. */
  readonly known: number;
  /** The share of the query's words, by rarity, that the best server has. */
  readonly covered: number;
  /** The logarithm of the number of words searched. */
  readonly logWords: number;
};

export type Calibration = {
  readonly bias: number;
  /** Weight of the server's own relevance, 0..1 within the reply. */
  readonly relevance: number;
  readonly evidence: Readonly<Record<keyof Evidence, number>>;
};

export const calibration: Calibration = {
  bias: -6,
  relevance: 5,
  evidence: { lexical: 2, cosine: 2, known: 0, covered: 1, logWords: 0 },
};

/** From this calibrated relevance on a hit counts as a match. */
export const strongFrom = 0.5;

/** The share of the final score that popularity decides: it reorders near-ties, it never lifts the irrelevant. */
export const popularityShare = 0.2;

/** The part of the score that all servers of one reply share. */
export function evidenceScore(evidence: Evidence, by: Calibration): number {
  let sum = by.bias;
  for (const name of Object.keys(by.evidence) as (keyof Evidence)[])
    sum += by.evidence[name] * evidence[name];
  return sum;
}

export function semanticScore(relevance: number, evidence: number, by: Calibration): number {
  return 1 / (1 + Math.exp(-(evidence + by.relevance * relevance)));
}

/** `semantic × (1 − share × (1 − popularity))`: at .92 and .85 this is .89. */
export function finalScore(semantic: number, popularity: number, share: number): number {
  return semantic * (1 - share * (1 - popularity));
}

/** Four decimals, as shown; ordering uses the rounded value so that shown ties are ties. */
export function round4(x: number): number {
  return Math.round(x * 10_000) / 10_000;
}
