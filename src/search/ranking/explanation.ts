import type { UsageSignal } from '../learning/learning-model.ts';
import type { OutcomeFactor } from '../learning/outcome-factor.ts';
import { type Evidence, round4 } from './score.ts';

/** Where a hit's scores come from: every part of them, with four decimals. */
export type HitExplanation = {
  /** The query in the words that were searched. */
  readonly query: string;
  readonly relevance: number;
  /** The server's BM25F score as a share of what a perfect match would get. */
  readonly lexical: number;
  readonly cosine: number;
  readonly evidence: Evidence;
  readonly popularityFactor: number;
  readonly livenessFactor: number;
  /** null where nothing was learned of it for a query like this. */
  readonly usage: UsageSignal | null;
  readonly outcomes: OutcomeFactor & { readonly explorationBonus: number };
};

export function explainHit(exact: HitExplanation): HitExplanation {
  return {
    query: exact.query,
    relevance: round4(exact.relevance),
    lexical: round4(exact.lexical),
    cosine: round4(exact.cosine),
    evidence: rounded(exact.evidence),
    popularityFactor: round4(exact.popularityFactor),
    livenessFactor: round4(exact.livenessFactor),
    usage: exact.usage === null ? null : rounded(exact.usage),
    outcomes: rounded(exact.outcomes),
  };
}

function rounded<T extends Readonly<Record<string, number>>>(numbers: T): T {
  return Object.fromEntries(Object.entries(numbers).map(([name, x]) => [name, round4(x)])) as T;
}
