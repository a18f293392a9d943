/** What was learned, by the numbers of one index instead of by ids. */
import type { UsageModel, UsageQuery, UsageSignal } from '../learning/learning-model.ts';
import { categoryPriors, type OutcomeFactor, outcomeFactor } from '../learning/outcome-factor.ts';
import { numberOf } from '../segments/runs.ts';
import type { SearchIndex } from '../segments/search-index.ts';

export type IndexedModel = {
  /** By server; `candidates`: the best by text, best first. */
  scoreUsage(
    query: UsageQuery,
    candidates: readonly { readonly server: number; readonly relevance: number }[],
  ): ReadonlyMap<number, UsageSignal>;
  outcomes(server: number): OutcomeFactor;
};

const noUsage: ReadonlyMap<number, UsageSignal> = new Map();

/** Makes models of one index's numbers; null for a model that changes nothing. */
export function createModelIndexer(ids: readonly string[], category: SearchIndex['columns']['category']) {
  let priors: { readonly version: number; readonly of: (category: number) => number } | undefined;

  function priorsOf({ commonVersion, commonOutcomes }: UsageModel): (category: number) => number {
    if (priors?.version !== commonVersion)
      priors = { version: commonVersion, of: categoryPriors(byCategory(commonOutcomes())) };
    return priors.of;
  }
  function* byCategory(outcomes: ReturnType<UsageModel['commonOutcomes']>) {
    for (const [id, counts] of outcomes) {
      const server = numberOf(ids, id);
      if (server >= 0) yield [category[server]!, counts] as const;
    }
  }

  return (model: UsageModel | null): IndexedModel | null => {
    if (model === null || model.isEmpty) return null;
    const priorOf = priorsOf(model);
    return {
      scoreUsage(query, candidates) {
        if (model.hasNoQueries) return noUsage;
        const named = candidates.map(({ server, relevance }) => ({ id: ids[server]!, relevance }));
        const found = new Map<number, UsageSignal>();
        for (const [id, signal] of model.scoreUsage(query, named)) {
          const server = numberOf(ids, id);
          if (server >= 0) found.set(server, signal);
        }
        return found;
      },
      outcomes: (server) => outcomeFactor(model.outcomes(ids[server] ?? ''), priorOf(category[server] ?? -1)),
    };
  };
}
