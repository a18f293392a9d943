/**
 * What recorded successes do to the ranking. Logged queries are taken as outcomes of the asking developer, so many a
 * server; "by others" spreads them over 25 developers and asks as another one. Sparse: logs for a tenth or half of
 * the servers only, which must never lower a set by more than `sparseBar`.
 */
import type { Evaluation } from '../eval/evaluation.ts';
import { type Labelled, ndcg10, type QuerySet, readLogged } from '../eval/query-sets.ts';
import type { Outcome } from '../src/search/learning/learning-model.ts';
import { type UsageWeights, usageWeights } from '../src/search/learning/usage.ts';

export type LearningRow = {
  readonly set: string;
  readonly kind: 'logged' | 'by others' | 'sparse' | `without ${string}`;
  /** Successes a server, and the share of the servers that have any. */
  readonly logs: number;
  readonly share: number;
  readonly ndcg: number;
  /** Without any log, over the same queries. */
  readonly base: number;
  readonly bar: number | null;
};

/** nDCG@10 × 100 that the project promises after so many successes a server. */
const bars: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  metatool: { 1: 70, 5: 77, 10: 81, 50: 88 },
};
export const logCounts = [1, 5, 10, 50] as const;
export const sparseBar = 0.5;
const developers = 25;
const parts: Readonly<Record<string, Partial<UsageWeights>>> = {
  'words and middle': { broad: 0 },
  'middle only': { cosine: 0 },
  nearest: { nearest: 0, like: 0 },
  coverage: { coverage: 0 },
};

export async function measureLearning(evaluation: Evaluation, set: QuerySet): Promise<LearningRow[]> {
  const index = await evaluation.indexOf(set);
  const ask = evaluation.ask(index);
  const { trained, logged, asked } = readLogged(evaluation.folder, set);
  const mean = async (outcomes: readonly Outcome[], weights: UsageWeights = usageWeights) => {
    const model = await evaluation.learn(outcomes, 'asking', weights);
    const options = outcomes.length === 0 ? {} : { model };
    const gains = asked.map((query) => {
      const ranked = ask(query.query, options).hits.map(({ serverId }) => serverId);
      return ndcg10(ranked, query);
    });
    return (100 * gains.reduce((sum, gain) => sum + gain, 0)) / asked.length;
  };
  const base = await mean([]);
  const rows: LearningRow[] = [];
  const add = async (
    kind: LearningRow['kind'],
    logs: number,
    share: number,
    weights?: Partial<UsageWeights>,
  ) => {
    const who = kind === 'by others' ? developers : 0;
    const ndcg = await mean(outcomesOf(logged, logs, share, who), { ...usageWeights, ...weights });
    const bar = kind === 'logged' ? (bars[set.name]?.[logs] ?? null) : null;
    rows.push({ set: set.name, kind, logs, share, ndcg, base, bar });
  };
  if (trained) {
    for (const logs of logCounts) await add('logged', logs, 1);
    await add('by others', 50, 1);
    for (const [part, weights] of Object.entries(parts)) await add(`without ${part}`, 10, 1, weights);
    await add('without coverage', 50, 0.1, { coverage: 0 });
  }
  for (const logs of logCounts) await add('sparse', logs, 0.1);
  await add('sparse', 50, 0.5);
  return rows;
}

/** The first so many logged queries of each server, of a fixed share of the servers. */
function outcomesOf(logged: readonly Labelled[], logs: number, share: number, others: number): Outcome[] {
  const seen = new Map<string, number>();
  return logged.flatMap(({ query, relevant, groups }, i) =>
    [...new Set([...relevant, ...(groups ?? []).flat()])].flatMap((serverId) => {
      const before = seen.get(serverId) ?? 0;
      if (before >= logs || scattered(serverId) >= share) return [];
      seen.set(serverId, before + 1);
      const developerId = others === 0 ? 'asking' : `other ${before % others}`;
      const fixed = { at: 0, toolName: '', success: true, errorType: null, rank: null };
      return [{ id: `${i} ${serverId}`, developerId, serverId, query, ...fixed }];
    }),
  );
}

/** A text as a number in 0..1, the same every time. */
function scattered(text: string): number {
  let hash = 2_166_136_261;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

export function missed({ kind, ndcg, base, bar }: LearningRow): boolean {
  return kind === 'sparse' ? ndcg < base - sparseBar : bar !== null && ndcg < bar;
}

export function printLearning(rows: readonly LearningRow[]): void {
  const cell = (x: number | null) => (x === null ? '' : x.toFixed(1)).padStart(8);
  console.log('\nlearning from outcomes, nDCG@10 × 100');
  console.log(`${'set'.padEnd(22)} ${'which'.padEnd(26)} logs   share  before   after     bar`);
  for (const row of rows) {
    const share = `${100 * row.share} %`.padStart(8);
    const numbers = [row.base, row.ndcg, row.bar].map(cell).join('');
    console.log(
      `${row.set.padEnd(22)} ${row.kind.padEnd(26)}${String(row.logs).padStart(5)}${share}${numbers}${missed(row) ? ' MISSED' : ''}`,
    );
  }
  const losses = rows.filter(({ kind }) => kind === 'sparse').map(({ base, ndcg }) => base - ndcg);
  console.log(`sparse logs: largest loss ${Math.max(...losses).toFixed(2)}, bar ${sparseBar}`);
}
