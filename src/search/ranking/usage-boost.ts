/** Adds what was learned to the text: relevance with the bonus of earlier successes, in the range it had before. */
import type { UsageSignal } from '../learning/learning-model.ts';
import type { ViewMask } from '../query/seen-terms.ts';
import { idfOf } from '../relevance/query-terms.ts';
import type { ServerScores } from '../relevance/relevance.ts';
import type { RelevanceIndex } from '../relevance/relevance-index.ts';
import { queryStems } from '../text/text.ts';
import type { IndexedModel } from './indexed-model.ts';

export type UsageBoost = {
  readonly usage: ReadonlyMap<number, UsageSignal>;
  /** The best relevance now. */
  readonly bestRelevance: number;
  /** In logits, added to the evidence that something fits. */
  readonly answerabilityBonus: number;
};

/** In logits: a query after which the same call succeeded before is answerable, whatever its words. */
const answerabilityWeight = 3;
const noUsage: ReadonlyMap<number, UsageSignal> = new Map();

export function addUsage(
  index: RelevanceIndex,
  { relevance }: ServerScores,
  request: {
    readonly model: IndexedModel | null;
    readonly parts: readonly string[];
    /** The whole query's vector in the space of what was learned. */
    readonly modelVector: Float32Array;
    readonly allowed: Uint8Array | null;
    readonly mask: ViewMask | null;
    /** The best by text, best first. */
    readonly byText: readonly number[];
  },
): UsageBoost {
  const { model, parts, modelVector, allowed, mask, byText } = request;
  const bestByText = relevance[byText[0] ?? -1] ?? 0;
  const unchanged = { usage: noUsage, bestRelevance: bestByText, answerabilityBonus: 0 };
  if (model === null) return unchanged;
  const stems = [...new Set(queryStems(parts[0] ?? ''))];
  const usage = model.scoreUsage(
    { stems, vector: modelVector, idfOf: (stem) => idfOf(index, stem, mask) },
    byText.map((server) => ({ server, relevance: relevance[server]! })),
  );
  if (usage.size === 0) return unchanged;
  let [best, answerability] = [bestByText, 0];
  for (const [server, signal] of usage) {
    if (allowed !== null && allowed[server] !== 1) continue;
    relevance[server]! += signal.bonus;
    best = Math.max(best, relevance[server]!);
    answerability = Math.max(answerability, signal.answerability);
  }
  // Brought back to the range that the calibration knows: the best is as good as it was, the others lie behind it.
  const range = bestByText || Math.min(1, best);
  if (best > range) for (let s = 0; s < relevance.length; s++) relevance[s] = (relevance[s]! * range) / best;
  return { usage, bestRelevance: range, answerabilityBonus: answerabilityWeight * answerability };
}
