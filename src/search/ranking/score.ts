/**
 * From relevance to the numbers a client sees. All constants here were fitted on labelled queries by
 * `node train/calibrate.ts`; `npm run eval` shows how well they hold.
 */

/** What is known of a query's whole result, as absolute quantities: the best of a bad lot must not look good. */
export type Evidence = {
  /** The best hit's relevance: 1 when words and vectors name the same server. */
  readonly agreement: number;
  /** The best BM25F score as a share of what a perfect match would get, and the best hit's own. */
  readonly lexical: number;
  readonly covered: number;
  /** The best cosine. */
  readonly cosine: number;
  /** How far it stands out of the catalog's, in standard deviations: sense has few neighbours, chatter has many. */
  readonly standout: number;
  /** `covered × cosine`: each says less where the other has spoken. */
  readonly both: number;
  /** The share of the query's words, by rarity, that the catalog knows at all. */
  readonly known: number;
  /** How far the best hit is ahead of the tenth. */
  readonly lead: number;
  /** The same by words alone, ahead of the next best and of the tenth. */
  readonly wordsLead: number;
  readonly wordsLeadOfTen: number;
  /** The logarithm of the number of words searched: long queries are never covered fully. */
  readonly logWords: number;
};

export const noEvidence: Evidence = {
  agreement: 0,
  lexical: 0,
  covered: 0,
  cosine: 0,
  standout: 0,
  both: 0,
  known: 0,
  lead: 0,
  wordsLead: 0,
  wordsLeadOfTen: 0,
  logWords: 0,
};

export type Calibration = {
  readonly bias: number;
  /** Weight of how far a hit's relevance lies behind the best one's. */
  readonly behind: number;
  readonly evidence: Readonly<Record<keyof Evidence, number>>;
};

export const calibration: Calibration = {
  bias: -6.689,
  behind: 9.538,
  evidence: {
    agreement: 1.131,
    lexical: 6.23,
    covered: 4.5,
    cosine: 3.379,
    standout: -0.156,
    both: -10.57,
    known: -0.876,
    lead: 2.811,
    wordsLead: 4.514,
    wordsLeadOfTen: 4.991,
    logWords: 0.902,
  },
};

/** One setting for every catalog; all flat optima (±0.05 changes the mean of nine query sets by ≤ 0.2). */
export const defaultWeights = {
  dense: 0.4,
  whole: 0.3,
  sentence: 0.5,
  /** Popularity reorders near-ties, it never lifts the irrelevant. */
  popularity: 0.2,
  /** Tells queries with an answer from those without best (`npm run eval`). */
  strong: 0.25,
  calibration,
};

/** The part of the score that all servers of one reply share. */
export function evidenceScore(evidence: Evidence, by: Calibration): number {
  let sum = by.bias;
  for (const name of Object.keys(by.evidence) as (keyof Evidence)[])
    sum += by.evidence[name] * evidence[name];
  return sum;
}

/** The chance that a hit is right: what the whole result shows, less what it lacks against the best hit. */
export function semanticScore(behind: number, evidence: number, by: Calibration): number {
  return 1 / (1 + Math.exp(by.behind * behind - evidence));
}

/** `semantic × (1 − share × (1 − popularity))`: at 0.92 and 0.85 this is 0.89. */
export function finalScore(semantic: number, popularity: number, share: number): number {
  return semantic * (1 - share * (1 - popularity));
}

/** Four decimals, as shown; ordering uses the rounded value so that shown ties are ties. */
export function round4(x: number): number {
  return Math.round(x * 10_000) / 10_000;
}
