/** Labelled evidence for the calibrated score: queries with their answer, without it, and with no answer at all. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Evidence } from '../src/search/ranking/score.ts';
import type { Ask, Evaluation, Indexed } from './eval-engine.ts';
import { type Labelled, querySets, readQueries } from './eval-sets.ts';

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
    const index = await evaluation.indexOf(set);
    const queries = thinned(readQueries(evaluation.folder, set), queriesPerSet);
    const foreign = foreignQueries(evaluation.folder, queries);
    samples.push(...sampleSet(set.name, queries, foreign, evaluation.ask(index), index));
  }
  return samples;
}

function sampleSet(
  set: string,
  queries: readonly Labelled[],
  foreign: readonly string[],
  ask: Ask,
  index: Indexed,
): Sample[] {
  const samples: Sample[] = [];
  const take = (kind: Kind, query: string, right: ReadonlySet<string>, without?: ReadonlySet<string>) => {
    const { evidence, hits } = ask(query, without === undefined ? {} : { without });
    const judged = hits.map(({ origin, semantic, server }) => ({
      relevance: origin?.relevance ?? 0,
      semantic,
      right: right.has(index.ids[server] ?? ''),
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

export const aucBar = 0.9;

type Separation = { readonly removed: number; readonly foreign: number; readonly both: number };
export type Honesty = {
  /** Queries whose right server is the first hit, against the unanswerable ones: what the score claims to tell. */
  readonly answered: Separation;
  /** All queries that have a right server, also those where the ranking did not put it first. */
  readonly answerable: Separation;
  /**
   * The last one's AUC if the score knew of every first hit whether it is right: where it is not, there is nothing to
   * tell it from the first hit of a query without an answer.
   */
  readonly knowing: number;
  readonly curve: readonly { from: number; hits: number; said: number; right: number }[];
  /** The threshold of `strong` that best tells the two apart. */
  readonly strong: number;
};

export function judgeHonesty(samples: readonly Sample[]): Honesty {
  const top = (of: readonly Sample[]) => of.map(({ hits }) => hits[0]?.semantic ?? 0);
  const ofKind = (kind: Kind) => samples.filter((s) => s.kind === kind);
  const [removed, foreign] = [top(ofKind('removed')), top(ofKind('foreign'))];
  const against = (positives: readonly number[]): Separation => {
    const [fromRemoved, fromForeign] = [auc(positives, removed), auc(positives, foreign)];
    return { removed: fromRemoved, foreign: fromForeign, both: (fromRemoved + fromForeign) / 2 };
  };
  const answered = top(ofKind('answerable').filter(isClear));
  const youden = (t: number) =>
    answered.filter((x) => x >= t).length / answered.length -
    [...removed, ...foreign].filter((x) => x >= t).length / (removed.length + foreign.length);
  const thresholds = Array.from({ length: 99 }, (_, i) => (i + 1) / 100);
  return {
    answered: against(answered),
    answerable: against(top(ofKind('answerable'))),
    knowing: (1 + answered.length / ofKind('answerable').length) / 2,
    curve: reliability(samples),
    strong: thresholds.reduce((a, b) => (youden(b) > youden(a) ? b : a)),
  };
}

/** What hits of about one score said, and how many of them were right. */
function reliability(samples: readonly Sample[]): Honesty['curve'] {
  const hits = samples.flatMap((s) => s.hits.map((hit) => ({ ...hit, weight: weightOf(s) })));
  return Array.from({ length: 10 }, (_, i) => {
    const within = hits.filter(({ semantic }) => Math.min(9, Math.floor(semantic * 10)) === i);
    const weight = within.reduce((sum, hit) => sum + hit.weight, 0);
    const share = (pick: (hit: (typeof within)[number]) => number) =>
      within.reduce((sum, hit) => sum + hit.weight * pick(hit), 0) / weight;
    return {
      from: i / 10,
      hits: within.length,
      said: share((h) => h.semantic),
      right: share((h) => Number(h.right)),
    };
  });
}

export function printHonesty({ answered, answerable, knowing, curve, strong }: Honesty): void {
  const row = (what: string, { both, removed, foreign }: Separation) =>
    `${what.padEnd(46)} AUC ${both.toFixed(3)} (right servers taken out ${removed.toFixed(3)}, foreign sentences ${foreign.toFixed(3)}), bar ${aucBar}${both < aucBar ? ' MISSED' : ''}`;
  console.log('\nFirst hits of queries with an answer against those of queries without one:');
  console.log(row('where the right server is the first hit', answered));
  console.log(row('all, also where the ranking put another first', answerable));
  console.log(`a score that knew which first hits are right would have ${knowing.toFixed(3)} there`);
  console.log(`best threshold of strong ${strong}`);
  console.log('semantic    hits    said   right');
  for (const { from, hits, said, right } of curve) {
    console.log(
      `from ${from.toFixed(1)}${String(hits).padStart(8)}${said.toFixed(2).padStart(8)}${right.toFixed(2).padStart(8)}`,
    );
  }
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
