/**
 * What earlier successes add to a server's relevance for a query. Two readings:
 *
 *   broad    words + 2 × cosine, where `words` is the mean over the query's words of
 *            ln((.7 × their share of this server's successes + .3 × p) / (.3 × p)), p their share of all, and
 *            `cosine` that of the query and the middle of the server's successful queries;
 *   nearest  how much the query is like the one most like it after which a call succeeded:
 *            half cosine, half that of the words weighed by rarity.
 *
 *   bonus    1.2 × coverage³ × n / (n + 2) × (broad + 3 × nearest³)  +  4 × nearest⁸
 *
 * (`nearest` to a power is times the weight of that example: decayed, and a fair share.) Servers with a log look more
 * alike any query than servers without one, so the first part speaks as far as the servers in question have logs
 * alike: `coverage` is the mean of n / (n + 2) over the twenty best by text, by their relevance squared, against that
 * of the best-known server. Measured on MetaTool: with logs for a tenth of the servers the plain sum falls from 69 to
 * 44, with coverage it does not fall. `nearest⁸` is next to nothing unless the query all but repeats an earlier one
 * (with the fourth power, other sets lose up to 1.5), so one success is enough to learn from.
 */
import type { Layer } from './layer.ts';
import type { AskedQuery, Candidate, Usage } from './model.ts';
import { type Example, type Profile, unit } from './profile.ts';

/** Flat optima (±30 % changes MetaTool's curve by ≤ .5); the evaluation also measures without each part. */
export const usageFit = { broad: 1.2, cosine: 2, like: 3, nearest: 4, coverage: 3 };
/** The share of a server's own words in its language; the rest is everybody's. */
const ownWords = 0.7;
/** Successes at which a server counts as half known. */
const half = 2;
/** A catalogue whose best-known server has fewer successes than this is known too little to be covered. */
const fewest = 2;
/** Words that nobody has said yet: as if this many had been, of all words alike. */
const smoothing = { word: 0.5, all: 1000 };
export type UsageFit = typeof usageFit;
const coverageOf = 20;
/** Servers that are read for a query beside the best by text. */
const considered = 200;
/** A word known of more servers than this hardly tells them apart, and would cost more than the rest of the search. */
const mostKnowing = 1_000;
/** Servers, best by the broad reading, whose examples are compared one by one; more were never right. */
const compared = 32;
/** Below this cosine an example is not near, whatever its words. */
const leastCosine = 0.3;

export function usageOf(
  asked: AskedQuery,
  top: readonly Candidate[],
  layers: readonly Layer[],
  fit: UsageFit,
): ReadonlyMap<string, Usage> {
  const found = new Map<string, Usage>();
  if (layers.every(({ profiles }) => profiles.size === 0)) return found;
  const words = wordsOf(asked, layers);
  const known = (id: string) => layers.flatMap(({ profiles }) => profiles.get(id) ?? []);
  const best = [...words].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, considered);
  const ids = new Set([...best.map(([id]) => id), ...top.map(({ id }) => id)]);
  const read = [...ids].flatMap((id) => {
    const profiles = known(id);
    if (profiles.length === 0) return [];
    const logs = words.get(id) ?? 0;
    const successes = profiles.reduce((sum, profile) => sum + profile.successes, 0);
    const cosine = middleCosine(asked.vector, profiles);
    return { id, words: logs, cosine, successes, broad: logs + fit.cosine * cosine, profiles };
  });
  read.sort((a, b) => b.broad - a.broad || (a.id < b.id ? -1 : 1));
  const byCoverage = fit.broad * coverage(top, known, layers) ** fit.coverage;
  for (const [i, { id, words, cosine, successes, broad, profiles }] of read.entries()) {
    const near = i < compared ? nearestOf(asked, profiles) : { nearest: 0, weight: 0 };
    const sure = near.nearest ** 8 * near.weight;
    const like = fit.like * near.nearest ** 3 * near.weight;
    const bonus = byCoverage * shrunk(successes) * (broad + like) + fit.nearest * sure;
    if (successes > 0) found.set(id, { bonus, nearest: near.nearest, sure, words, cosine, successes });
  }
  return found;
}

/** Per server that knows one of the query's words: the mean log-likelihood ratio. */
function wordsOf({ stems }: AskedQuery, layers: readonly Layer[]): Map<string, number> {
  const all = layers.reduce((sum, layer) => sum + layer.length(), 0) / unit;
  const found = new Map<string, number>();
  for (const stem of stems) {
    const total = layers.reduce((sum, layer) => sum + layer.total(stem), 0) / unit;
    const chance = (1 - ownWords) * ((total + smoothing.word) / (all + smoothing.all));
    const counts = countsOf(stem, layers);
    if (counts.size > mostKnowing) continue;
    for (const [id, count] of counts) {
      let length = 0;
      for (const { profiles } of layers) length += profiles.get(id)?.length ?? 0;
      const ratio = Math.log(((ownWords * count) / length + chance) / chance);
      found.set(id, (found.get(id) ?? 0) + ratio / stems.length);
    }
  }
  return found;
}

/** Of one word by server, over all layers. */
function countsOf(stem: string, layers: readonly Layer[]): ReadonlyMap<string, number> {
  const [first, ...more] = layers.flatMap(({ postings }) => postings.get(stem) ?? []);
  if (first === undefined || more.length === 0) return first ?? nobody;
  const sums = new Map(first);
  for (const counts of more) for (const [id, count] of counts) sums.set(id, (sums.get(id) ?? 0) + count);
  return sums;
}
const nobody: ReadonlyMap<string, number> = new Map();

/** 0..1: how well, and how evenly, the best candidates are known. */
function coverage(
  top: readonly Candidate[],
  known: (id: string) => readonly Profile[],
  layers: readonly Layer[],
): number {
  const most = layers.reduce((sum, layer) => sum + layer.mostSuccesses(), 0);
  let [covered, all] = [0, 0];
  for (const { id, relevance } of top.slice(0, coverageOf)) {
    const weight = relevance ** 2;
    all += weight;
    covered += weight * shrunk(known(id).reduce((sum, { successes }) => sum + successes, 0));
  }
  return all === 0 || most === 0 ? 0 : Math.min(1, covered / all / shrunk(Math.max(fewest, most)));
}

function shrunk(successes: number): number {
  return successes / (successes + half);
}

function middleCosine(vector: Float32Array, profiles: readonly Profile[]): number {
  const [first, second] = profiles;
  if (first === undefined) return 0;
  let square = first.middleSquare;
  let cosine = dot(vector, first.middle);
  if (second !== undefined) {
    cosine += dot(vector, second.middle);
    square += 2 * dot(first.middle, second.middle) + second.middleSquare;
  }
  return square <= 0 ? 0 : Math.max(0, cosine / Math.sqrt(square));
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function nearestOf(asked: AskedQuery, profiles: readonly Profile[]): { nearest: number; weight: number } {
  let best = { nearest: 0, weight: 0 };
  for (const { examples } of profiles) {
    for (const example of examples) {
      const nearest = likeness(asked, example);
      const weight = Math.min(1, example.weight);
      if (nearest ** 8 * weight > best.nearest ** 8 * best.weight) best = { nearest, weight };
    }
  }
  return best;
}

function likeness({ stems, vector, weightOf }: AskedQuery, { win }: Example): number {
  let cosine = 0;
  for (let i = 0; i < vector.length; i++) cosine += vector[i]! * win.vector[i]!;
  cosine /= 127;
  if (cosine < leastCosine) return 0;
  let [both, own, other] = [0, 0, 0];
  const theirs = new Set(win.stems);
  for (const stem of stems) {
    const square = weightOf(stem) ** 2;
    own += square;
    if (theirs.has(stem)) both += square;
  }
  for (const stem of win.stems) other += weightOf(stem) ** 2;
  return Math.min(1, cosine / 2 + both / (2 * Math.sqrt(own * other) || 1));
}
