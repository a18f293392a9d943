/**
 * Contrastive learning: in a batch every text should be nearest to its own partner, and to no other pair's
 * (symmetric InfoNCE; pairs of one group are not held against each other). Word vectors move by row-wise Adagrad.
 */
import { createWorkspace, transpose } from './matrix.ts';
import type { Bag, Corpus, Pair } from './pairs.ts';

export type LearnOptions = {
  readonly dims: number;
  readonly epochs: number;
  readonly batch: number;
  readonly temperature: number;
  readonly rate: number;
  readonly random: () => number;
  readonly onEpoch: (epoch: number, loss: number) => void;
};

export function learn(corpus: Corpus, vectors: Float32Array, options: LearnOptions): void {
  const step = createStep(vectors, options);
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    let loss = 0;
    let batches = 0;
    // The step shrinks to a tenth over the run, so that the last epochs settle instead of wandering.
    const rate = options.rate * (1 - (0.9 * (epoch - 1)) / options.epochs);
    for (const batch of batchesOf(corpus, options)) {
      loss += step(batch, rate);
      batches++;
    }
    options.onEpoch(epoch, loss / batches);
  }
}

/** One epoch: each pair as often as its source's rate says, half the batches of one source only (hard negatives). */
function batchesOf({ pairs, rates }: Corpus, { batch, random }: LearnOptions): Pair[][] {
  const shown: Pair[] = [];
  for (const pair of pairs) {
    const rate = rates[pair.source] ?? 1;
    const times = Math.floor(rate) + (random() < rate % 1 ? 1 : 0);
    for (let i = 0; i < times; i++) shown.push(pair);
  }
  shuffle(shown, random);
  const half = shown.splice(0, shown.length >> 1);
  const bySource = new Map<number, Pair[]>();
  for (const pair of half) bySource.set(pair.source, [...(bySource.get(pair.source) ?? [])]);
  for (const pair of half) bySource.get(pair.source)?.push(pair);
  const out: Pair[][] = [];
  for (const own of bySource.values()) {
    while (own.length >= batch) out.push(own.splice(-batch));
    shown.push(...own);
  }
  shuffle(shown, random);
  while (shown.length >= batch) out.push(shown.splice(-batch));
  shuffle(out, random);
  return out;
}

function shuffle<T>(list: T[], random: () => number): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
}

type Side = {
  readonly unit: Float32Array;
  readonly flipped: Float32Array;
  readonly grad: Float32Array;
  readonly norms: Float32Array;
};

function createStep(vectors: Float32Array, { dims, batch, temperature }: LearnOptions) {
  const space = createWorkspace((6 * batch * dims + 2 * batch * batch) * 4 + 65_536);
  const side = (): Side => ({
    unit: space.alloc(batch * dims),
    flipped: space.alloc(batch * dims),
    grad: space.alloc(batch * dims),
    norms: new Float32Array(batch),
  });
  const [left, right] = [side(), side()];
  const similar = space.alloc(batch * batch);
  const similarFlipped = space.alloc(batch * batch);
  const compare = space.product({ m: batch, n: batch, k: dims });
  const pull = space.product({ m: batch, n: dims, k: batch });
  const squares = new Float32Array(vectors.length / dims).fill(1e-8);
  const moves = new Map<number, Float32Array>();

  return (pairs: readonly Pair[], rate: number): number => {
    for (const [i, { a, b }] of pairs.entries()) {
      embed(a, left, i);
      embed(b, right, i);
    }
    compare(left.unit, right.unit, similar);
    const loss = softmaxGradient(pairs, similar, batch, temperature);
    transpose(right.unit, batch, dims, right.flipped);
    transpose(left.unit, batch, dims, left.flipped);
    transpose(similar, batch, batch, similarFlipped);
    pull(similar, right.flipped, left.grad);
    pull(similarFlipped, left.flipped, right.grad);
    for (const [i, { a, b }] of pairs.entries()) {
      collect(a, left, i);
      collect(b, right, i);
    }
    move(rate);
    return loss;
  };

  function embed({ words, weights }: Bag, { unit, norms }: Side, at: number): void {
    const row = unit.subarray(at * dims, (at + 1) * dims).fill(0);
    for (let w = 0; w < words.length; w++) {
      const from = words[w]! * dims;
      const by = weights[w]!;
      for (let d = 0; d < dims; d++) row[d]! += by * vectors[from + d]!;
    }
    let square = 0;
    for (let d = 0; d < dims; d++) square += row[d]! * row[d]!;
    const norm = Math.sqrt(square) || 1;
    norms[at] = norm;
    for (let d = 0; d < dims; d++) row[d]! /= norm;
  }

  /** Back through the normalisation, and on to the words. */
  function collect({ words, weights }: Bag, { unit, grad, norms }: Side, at: number): void {
    const from = at * dims;
    let along = 0;
    for (let d = 0; d < dims; d++) along += unit[from + d]! * grad[from + d]!;
    for (let w = 0; w < words.length; w++) {
      let sum = moves.get(words[w]!);
      if (sum === undefined) {
        sum = new Float32Array(dims);
        moves.set(words[w]!, sum);
      }
      const by = weights[w]! / norms[at]!;
      for (let d = 0; d < dims; d++) sum[d]! += by * (grad[from + d]! - along * unit[from + d]!);
    }
  }

  function move(rate: number): void {
    for (const [word, sum] of moves) {
      let square = 0;
      for (let d = 0; d < dims; d++) square += sum[d]! * sum[d]!;
      squares[word]! += square;
      const by = rate / Math.sqrt(squares[word]!);
      const from = word * dims;
      for (let d = 0; d < dims; d++) vectors[from + d]! -= by * sum[d]!;
    }
    moves.clear();
  }
}

/** Turns similarities into the loss's gradient by them, in place; returns the loss. */
function softmaxGradient(pairs: readonly Pair[], s: Float32Array, n: number, temperature: number): number {
  const exp = s;
  const columns = new Float64Array(n);
  const rows = new Float64Array(n);
  const own = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const masked = i !== j && pairs[i]!.group === pairs[j]!.group;
      const e = masked ? 0 : Math.exp((s[i * n + j]! - 1) / temperature);
      exp[i * n + j] = e;
      rows[i]! += e;
      columns[j]! += e;
    }
    own[i] = exp[i * n + i]!;
  }
  let loss = 0;
  const by = 1 / (2 * n * temperature);
  for (let i = 0; i < n; i++) {
    loss -= Math.log(own[i]! / rows[i]!) + Math.log(own[i]! / columns[i]!);
    for (let j = 0; j < n; j++) s[i * n + j] = by * exp[i * n + j]! * (1 / rows[i]! + 1 / columns[j]!);
    s[i * n + i]! -= 2 * by;
  }
  return loss / (2 * n);
}
