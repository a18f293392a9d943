/** What misspelled words cost: every set again with a share of its longer words misspelled, searched as it is and corrected. */
import type { Evaluation } from '../eval/evaluation.ts';
import { misspell, seededRandom } from '../eval/misspell.ts';
import { ndcg10, type QuerySet, readQueries } from '../eval/query-sets.ts';

export type SpellingRow = {
  readonly share: number;
  /** Means over the sets, nDCG@10 × 100. */
  readonly asTyped: number;
  readonly corrected: number;
  readonly bar: number;
};

const seed = 1;
/** The mean of the sets that the project promises, by the share of words that are misspelled. */
const bars: ReadonlyMap<number, number> = new Map([
  [0, 0],
  [0.15, 71.8],
  [0.4, 71.3],
]);
/** What looking for misspellings may cost queries that have none. */
const cleanLoss = 0.05;

/** `ours`: whether these are the sets that the bars are for. */
export async function measureSpelling(
  evaluation: Evaluation,
  sets: readonly QuerySet[],
  ours: boolean,
): Promise<SpellingRow[]> {
  const rows: SpellingRow[] = [];
  for (const [share, bar] of bars) {
    const asTyped = await meanOf(evaluation, sets, share, false);
    const corrected = await meanOf(evaluation, sets, share, true);
    rows.push({ share, asTyped, corrected, bar: share === 0 ? asTyped - cleanLoss : ours ? bar : 0 });
  }
  return rows;
}

async function meanOf(evaluation: Evaluation, sets: readonly QuerySet[], share: number, spelling: boolean) {
  let sum = 0;
  for (const set of sets) {
    const ask = evaluation.ask(await evaluation.indexOf(set));
    const queries = readQueries(evaluation.folder, set);
    const random = seededRandom(seed);
    const gains = queries.map((labelled) => {
      const { hits } = ask(misspell(labelled.query, share, random), { spelling });
      return ndcg10(
        hits.map(({ serverId }) => serverId),
        labelled,
      );
    });
    sum += (100 * gains.reduce((a, b) => a + b, 0)) / gains.length;
  }
  return sum / sets.length;
}

export function missedSpelling({ corrected, bar }: SpellingRow): boolean {
  return corrected < bar;
}

export function printSpelling(rows: readonly SpellingRow[]): void {
  console.log(
    '\nMisspelled words (seeded: one edit in a word of five letters or more), mean nDCG@10 × 100 of the sets:',
  );
  console.log('misspelled  as typed  corrected     bar');
  for (const row of rows) {
    const cells = [row.asTyped, row.corrected, row.bar].map((x) => x.toFixed(2).padStart(10)).join('');
    console.log(`${`${100 * row.share} %`.padStart(10)}${cells}${missedSpelling(row) ? ' MISSED' : ''}`);
  }
}
