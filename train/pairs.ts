/** The training pairs as numbers: which words each side has, how often a pair is shown, which pairs never oppose. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { stemsOf } from '../src/search/text/text.ts';

/** The words of a text and what each counts: a word said five times is not five times the subject. */
export type Bag = { readonly words: Uint32Array; readonly weights: Float32Array };
export type Pair = { readonly a: Bag; readonly b: Bag; readonly group: number; readonly source: number };
export type Corpus = {
  readonly vocabulary: readonly string[];
  readonly pairs: readonly Pair[];
  readonly rates: readonly number[];
};

type Line = { a: string; b: string; group: string; source: string };

/** How often an epoch shows a pair of a source: general word knowledge less, MCP texts more. */
function rateOf(source: string): number {
  if (source === 'wn_hyp') return 0.2;
  if (source.startsWith('wn_')) return 0.4;
  return /^(?:srv_|tool_|tb_|cross_desc)/.test(source) ? 2 : 1;
}

export function readCorpus(file: string, vocabularySize: number): Corpus {
  const raw: { a: string[]; b: string[]; group: number; source: number }[] = [];
  const groups = new Map<string, number>();
  const sources = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const line of gunzipSync(readFileSync(file)).toString('utf8').split('\n')) {
    if (line === '') continue;
    const { a, b, group, source } = JSON.parse(line) as Line;
    const pair = {
      a: stemsOf(a),
      b: stemsOf(b),
      group: number(groups, group),
      source: number(sources, source),
    };
    for (const stem of new Set([...pair.a, ...pair.b]))
      counts.set(stem, (counts.get(stem) ?? 0) + rateOf(source));
    raw.push(pair);
  }
  const vocabulary = [...counts]
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, vocabularySize)
    .map(([stem]) => stem);
  const ids = new Map(vocabulary.map((stem, id) => [stem, id]));
  const pairs = raw
    .map((pair) => ({ ...pair, a: bagOf(pair.a, ids), b: bagOf(pair.b, ids) }))
    .filter(({ a, b }) => a.words.length > 0 && b.words.length > 0);
  return { vocabulary, pairs, rates: [...sources.keys()].map(rateOf) };
}

function number(known: Map<string, number>, name: string): number {
  const found = known.get(name);
  if (found !== undefined) return found;
  known.set(name, known.size);
  return known.size - 1;
}

function bagOf(stems: readonly string[], ids: ReadonlyMap<string, number>): Bag {
  const counts = new Map<number, number>();
  for (const stem of stems) {
    const id = ids.get(stem);
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return {
    words: Uint32Array.from(counts.keys()),
    weights: Float32Array.from(counts.values(), (count) => 1 + Math.log(count)),
  };
}

/** A small seeded generator (mulberry32): the same seed gives the same model. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
  };
}
