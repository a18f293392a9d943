/**
 * What earlier successes add to a server's relevance for a query. Two readings:
 *
 *   broad    words + 2 × cosine, where `words` is the mean over the query's words of
 *            ln((0.7 × their share of this server's successes + 0.3 × p) / (0.3 × p)), p their share of all, and
 *            `cosine` that of the query and the centroid of the server's successful queries;
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
import type { Candidate, UsageQuery, UsageSignal } from './learning-model.ts';
import type { ProfileIndex } from './profile-index.ts';
import { type Example, type ServerProfile, unit } from './server-profile.ts';

/** Flat optima (±30 % changes MetaTool's curve by ≤ 0.5); the evaluation also measures without each part. */
export const usageWeights = { broad: 1.2, cosine: 2, like: 3, nearest: 4, coverage: 3 };
export type UsageWeights = typeof usageWeights;
/** The share of a server's own words in its language model; the rest is everybody's. */
const ownWords = 0.7;
/** Successes at which a server counts as half known. */
const half = 2;
/** A catalog whose best-known server has fewer successes than this is known too little to be covered. */
const minSuccesses = 2;
/** Words that nobody has said yet: as if this many had been, of all words alike (additive smoothing). */
const smoothing = { word: 0.5, all: 1000 };
/** The best by text whose logs make the coverage. */
const coverageTopN = 20;
/** Servers that are read for a query beside the best by text. */
const candidateLimit = 200;
/** A word known of more servers than this hardly tells them apart, and would cost more than the rest of the search. */
const maxServersOfWord = 1_000;
/** Servers, best by the broad reading, whose examples are compared one by one; more were never right. */
const nearestLimit = 32;
/** Below this cosine an example is not near, whatever its words. */
const minCosine = 0.3;

export function scoreUsage(
  query: UsageQuery,
  top: readonly Candidate[],
  indexes: readonly ProfileIndex[],
  weights: UsageWeights,
): ReadonlyMap<string, UsageSignal> {
  const found = new Map<string, UsageSignal>();
  if (indexes.every(({ profiles }) => profiles.size === 0)) return found;
  const profilesOf = (id: string) => indexes.flatMap(({ profiles }) => profiles.get(id) ?? []);
  const byCoverage = weights.broad * coverage(top, profilesOf, indexes) ** weights.coverage;
  for (const [i, reading] of readBroadly(query, top, indexes, weights).entries()) {
    const { id, words, cosine, successes, broad, profiles } = reading;
    const { nearest, weight } = i < nearestLimit ? findNearest(query, profiles) : { nearest: 0, weight: 0 };
    const answerability = nearest ** 8 * weight;
    const like = weights.like * nearest ** 3 * weight;
    const bonus = byCoverage * shrink(successes) * (broad + like) + weights.nearest * answerability;
    if (successes > 0) found.set(id, { bonus, nearest, words, answerability, cosine, successes });
  }
  return found;
}

/** What the logs of one server say at first sight. */
type BroadReading = {
  readonly id: string;
  readonly words: number;
  readonly cosine: number;
  readonly successes: number;
  readonly broad: number;
  readonly profiles: readonly ServerProfile[];
};

/** Of the best by text and of those that know the query's words best; best first. */
function readBroadly(
  query: UsageQuery,
  top: readonly Candidate[],
  indexes: readonly ProfileIndex[],
  weights: UsageWeights,
): BroadReading[] {
  const likelihoods = wordLikelihoods(query, indexes);
  const best = [...likelihoods].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, candidateLimit);
  const ids = new Set([...best.map(([id]) => id), ...top.map(({ id }) => id)]);
  const read = [...ids].flatMap((id) => {
    const profiles = indexes.flatMap((index) => index.profiles.get(id) ?? []);
    if (profiles.length === 0) return [];
    const words = likelihoods.get(id) ?? 0;
    const successes = profiles.reduce((sum, profile) => sum + profile.successes, 0);
    const cosine = centroidCosine(query.vector, profiles);
    return { id, words, cosine, successes, broad: words + weights.cosine * cosine, profiles };
  });
  return read.sort((a, b) => b.broad - a.broad || (a.id < b.id ? -1 : 1));
}

/** Per server that knows one of the query's words: the mean log-likelihood ratio. */
function wordLikelihoods({ stems }: UsageQuery, indexes: readonly ProfileIndex[]): Map<string, number> {
  const all = indexes.reduce((sum, index) => sum + index.length(), 0) / unit;
  const found = new Map<string, number>();
  for (const stem of stems) {
    const total = indexes.reduce((sum, index) => sum + index.total(stem), 0) / unit;
    const chance = (1 - ownWords) * ((total + smoothing.word) / (all + smoothing.all));
    const counts = countsByServer(stem, indexes);
    if (counts.size > maxServersOfWord) continue;
    for (const [id, count] of counts) {
      const length = indexes.reduce((sum, { profiles }) => sum + (profiles.get(id)?.length ?? 0), 0);
      const ratio = Math.log(((ownWords * count) / length + chance) / chance);
      found.set(id, (found.get(id) ?? 0) + ratio / stems.length);
    }
  }
  return found;
}

const noCounts: ReadonlyMap<string, number> = new Map();

/** Of one word by server, over all indexes. */
function countsByServer(stem: string, indexes: readonly ProfileIndex[]): ReadonlyMap<string, number> {
  const [first = noCounts, ...more] = indexes.flatMap(({ postings }) => postings.get(stem) ?? []);
  if (more.length === 0) return first;
  const sums = new Map(first);
  for (const counts of more) for (const [id, count] of counts) sums.set(id, (sums.get(id) ?? 0) + count);
  return sums;
}

/** 0..1: how well, and how evenly, the best candidates are known. */
function coverage(
  top: readonly Candidate[],
  profilesOf: (id: string) => readonly ServerProfile[],
  indexes: readonly ProfileIndex[],
): number {
  const most = indexes.reduce((sum, index) => sum + index.maxSuccesses(), 0);
  let [covered, all] = [0, 0];
  for (const { id, relevance } of top.slice(0, coverageTopN)) {
    const weight = relevance ** 2;
    all += weight;
    covered += weight * shrink(profilesOf(id).reduce((sum, { successes }) => sum + successes, 0));
  }
  return all === 0 || most === 0 ? 0 : Math.min(1, covered / all / shrink(Math.max(minSuccesses, most)));
}

/** How far so many successes can be relied on, 0..1 (shrinkage). */
function shrink(successes: number): number {
  return successes / (successes + half);
}

/** Of a vector and the centroid of all these profiles together. */
function centroidCosine(vector: Float32Array, profiles: readonly ServerProfile[]): number {
  const [first, second] = profiles;
  if (first === undefined) return 0;
  let square = first.centroidSquare;
  let cosine = dot(vector, first.centroid);
  if (second !== undefined) {
    cosine += dot(vector, second.centroid);
    square += 2 * dot(first.centroid, second.centroid) + second.centroidSquare;
  }
  return square <= 0 ? 0 : Math.max(0, cosine / Math.sqrt(square));
}

function dot(a: Float32Array, b: Float32Array | Int8Array): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The example that is most like the query, by what it counts. */
function findNearest(query: UsageQuery, profiles: readonly ServerProfile[]) {
  let best = { nearest: 0, weight: 0 };
  for (const { examples } of profiles) {
    for (const example of examples) {
      const nearest = similarity(query, example);
      const weight = Math.min(1, example.weight);
      if (nearest ** 8 * weight > best.nearest ** 8 * best.weight) best = { nearest, weight };
    }
  }
  return best;
}

function similarity({ stems, vector, idfOf }: UsageQuery, { success }: Example): number {
  const cosine = dot(vector, success.vector) / 127;
  if (cosine < minCosine) return 0;
  let [both, own, other] = [0, 0, 0];
  const theirs = new Set(success.stems);
  for (const stem of stems) {
    const square = idfOf(stem) ** 2;
    own += square;
    if (theirs.has(stem)) both += square;
  }
  for (const stem of success.stems) other += idfOf(stem) ** 2;
  return Math.min(1, cosine / 2 + both / (2 * Math.sqrt(own * other) || 1));
}
