/** The vocabulary of learning: what happened, and what a search may know of it. */

/** One recorded invocation, with the search it followed where there was one of the same developer. */
export type Outcome = {
  readonly id: string;
  readonly at: number;
  readonly developerId: string;
  readonly serverId: string;
  readonly toolName: string;
  readonly success: boolean;
  readonly errorType: string | null;
  /** How many calls it stands for, 1 unless said. */
  readonly calls?: number;
  /** The text of the search; null when none was named, or it is unknown, or another developer's. */
  readonly query: string | null;
  /** One was named and is not there, or not there yet. */
  readonly awaitsQuery?: boolean;
  /** Where the server stood in its reply, from 1; null when it was not shown. */
  readonly rank: number | null;
};

/** A query as learning reads it. */
export type UsageQuery = {
  readonly stems: readonly string[];
  /** Of unit length. */
  readonly vector: Float32Array;
  /** How rare a word is in the catalog. */
  idfOf(stem: string): number;
};

/** What earlier successes say of one server for one query; `bonus` is added to its relevance. */
export type UsageSignal = {
  readonly bonus: number;
  /** 0..1: how near the nearest query comes after which a call of this server succeeded. */
  readonly nearest: number;
  /** How much more likely the query's words are among this server's successes than among all, in logarithms. */
  readonly words: number;
  /** 0..1: how far the nearest one shows that the query has an answer at all. */
  readonly answerability: number;
  /** Of the query and the centroid of this server's successful ones. */
  readonly cosine: number;
  /** Successes, decayed and fairly shared among developers. */
  readonly successes: number;
};

/** Whether calls of one server succeed: sums of decayed outcomes. */
export type OutcomeCounts = { readonly good: number; readonly bad: number };

export type Candidate = { readonly id: string; readonly relevance: number };

/** All that was learned, as one developer's searches may use it. */
export type UsageModel = {
  /** Changes whenever any answer may change. */
  readonly version: string;
  /** Nothing was learned yet: rankings are those of the text. */
  readonly isEmpty: boolean;
  /** No success is tied to a query yet: `scoreUsage` finds nothing. */
  readonly hasNoQueries: boolean;
  /** Changes with `commonOutcomes`. */
  readonly commonVersion: number;
  /** By server; `candidates`: the best by text, best first. */
  scoreUsage(query: UsageQuery, candidates: readonly Candidate[]): ReadonlyMap<string, UsageSignal>;
  outcomes(serverId: string): OutcomeCounts;
  /** Of every server with outcomes that count for all; what the prior means are made of. */
  commonOutcomes(): Iterable<readonly [serverId: string, OutcomeCounts]>;
};
