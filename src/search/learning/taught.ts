/** What was learned, by the numbers of one snapshot instead of by ids. */
import type { Snapshot } from '../index/snapshot.ts';
import type { Taught } from '../ranking/learned.ts';
import type { Learned, Usage } from './model.ts';
import { type Priors, priorsOf, standingOf } from './standing.ts';

const nothing: ReadonlyMap<number, Usage> = new Map();

export function createTeaching(ids: readonly string[], category: Snapshot['facts']['category']) {
  let priors: { readonly of: Priors; readonly version: number } | undefined;

  function priorsFor({ commonVersion, common }: Learned): Priors {
    if (priors?.version !== commonVersion)
      priors = { of: priorsOf(numbered(common())), version: commonVersion };
    return priors.of;
  }
  function* numbered(common: ReturnType<Learned['common']>) {
    for (const [id, trials] of common) {
      const server = indexOf(ids, id);
      if (server >= 0) yield [category[server]!, trials] as const;
    }
  }

  return (learned: Learned): Taught => {
    const prior = priorsFor(learned);
    return {
      usage(asked, top) {
        if (learned.wordless) return nothing;
        const named = top.map(({ server, relevance }) => ({ id: ids[server]!, relevance }));
        const found = learned.usage(asked, named);
        return new Map(
          [...found].flatMap(([id, usage]) => {
            const server = indexOf(ids, id);
            return server < 0 ? [] : [[server, usage] as const];
          }),
        );
      },
      standing: (server) => standingOf(learned.trials(ids[server] ?? ''), prior.of(category[server] ?? -1)),
    };
  };
}

/** In sorted ids; -1 for one that is not there. */
export function indexOf(sorted: readonly string[], id: string): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const there = sorted[middle]!;
    if (there === id) return middle;
    if (there < id) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
