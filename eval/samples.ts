/** Labelled evidence for the calibrated score: queries with their answer, without it, and with no answer at all. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Evidence } from '../src/search/ranking/score.ts';
import type { Ask, Evaluation } from './evaluation.ts';
import { type Labelled, querySets, readQueries } from './query-sets.ts';

export type Kind = 'answerable' | 'removed' | 'foreign';

/** One query's result as the calibration sees it. */
export type Sample = {
  readonly kind: Kind;
  readonly set: string;
  readonly evidence: Evidence;
  readonly hits: readonly {
    readonly relevance: number;
    readonly semantic: number;
    readonly right: boolean;
  }[];
};

/** Both kinds of unanswerable queries together weigh as much as the answerable ones. */
export function weightOf({ kind }: Sample): number {
  return kind === 'answerable' ? 1 : 0.5;
}

/** Not an answerable query whose right server is not the first hit: there the ranking failed, whatever the score says. */
export function isClear({ kind, hits }: Sample): boolean {
  return kind !== 'answerable' || hits[0]?.right === true;
}

/** Of each set so many queries: every set counts alike. */
const queriesPerSet = 300;

export async function collectSamples(evaluation: Evaluation): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const set of querySets) {
    const ask = evaluation.ask(await evaluation.indexOf(set));
    const queries = thinned(readQueries(evaluation.folder, set), queriesPerSet);
    const foreign = foreignQueries(evaluation.folder, queries);
    samples.push(...sampleSet(set.name, ask, { queries, foreign }));
  }
  return samples;
}

function sampleSet(
  set: string,
  ask: Ask,
  { queries, foreign }: { readonly queries: readonly Labelled[]; readonly foreign: readonly string[] },
): Sample[] {
  const samples: Sample[] = [];
  const take = (kind: Kind, query: string, right: ReadonlySet<string>, without?: ReadonlySet<string>) => {
    const { evidence, hits } = ask(query, without === undefined ? {} : { without });
    const judged = hits.map(({ explanation, semantic, serverId }) => ({
      relevance: explanation?.relevance ?? 0,
      semantic,
      right: right.has(serverId),
    }));
    samples.push({ kind, set, evidence, hits: judged });
  };
  for (const { query, relevant, groups } of queries) {
    const right = new Set([...relevant, ...(groups ?? []).flat()]);
    take('answerable', query, right);
    take('removed', query, new Set(), right);
  }
  for (const query of foreign) take('foreign', query, new Set());
  return samples;
}

/** Every n-th, so that the order of the file does not matter. */
function thinned<T>(list: readonly T[], most: number): T[] {
  const step = Math.max(1, list.length / most);
  const out: T[] = [];
  for (let i = 0; Math.floor(i) < list.length && out.length < most; i += step) out.push(list[Math.floor(i)]!);
  return out;
}

/** Sentences that ask for no tool: dictionary examples from the training pairs, strung together to queries' lengths. */
function foreignQueries(folder: string, like: readonly Labelled[]): string[] {
  const lines = gunzipSync(readFileSync(join(folder, 'train', 'pairs.jsonl.gz')))
    .toString('utf8')
    .split('\n');
  const sentences = lines
    .filter((line) => line.endsWith('"source": "wn_ex"}'))
    .map((line) => (JSON.parse(line) as { a: string }).a);
  let next = 0;
  return like.map(({ query }) => {
    let text = '';
    while (text.length < query.length)
      text += `${text === '' ? '' : '. '}${sentences[next++ % sentences.length]}`;
    return text;
  });
}

/** The chance that a positive scores above a negative. */
export function auc(positives: readonly number[], negatives: readonly number[]): number {
  const all = [...positives.map((x) => ({ x, p: 1 })), ...negatives.map((x) => ({ x, p: 0 }))].sort(
    (a, b) => a.x - b.x,
  );
  let rankSum = 0;
  for (let i = 0; i < all.length; ) {
    let j = i;
    while (j < all.length && all[j]!.x === all[i]!.x) j++;
    const rank = (i + 1 + j) / 2;
    for (; i < j; i++) rankSum += all[i]!.p * rank;
  }
  const [n, m] = [positives.length, negatives.length];
  return (rankSum - (n * (n + 1)) / 2) / (n * m);
}
