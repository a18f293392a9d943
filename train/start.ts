/**
 * Where training starts: latent semantic analysis of the pairs. A randomised subspace iteration finds the
 * leading directions of the word-by-pair matrix; word vectors are its left singular vectors times their values.
 */
import type { Corpus } from './pairs.ts';

const iterations = 3;

export function startVectors(corpus: Corpus, dims: number, random: () => number): Float32Array {
  const rows = corpus.vocabulary.length;
  const idf = inverseFrequencies(corpus);
  let basis = new Float32Array(rows * dims).map(() => random() + random() + random() - 1.5);
  orthonormalise(basis, rows, dims);
  for (let i = 0; i < iterations; i++) {
    basis = timesGram(corpus, idf, basis, dims);
    orthonormalise(basis, rows, dims);
  }
  const image = timesGram(corpus, idf, basis, dims);
  const values = cholesky(gram(basis, image, rows, dims), dims);
  return weighted(product(basis, values, rows, dims), idf, rows, dims);
}

function inverseFrequencies(corpus: Corpus): Float32Array {
  const frequency = new Float64Array(corpus.vocabulary.length).fill(1);
  for (const { a, b } of corpus.pairs)
    for (const word of new Set([...a.words, ...b.words])) frequency[word]! += 1;
  return Float32Array.from(frequency, (f) => Math.log(corpus.pairs.length / f));
}

/** M·Mᵀ·basis, where a column of M is one pair's words, weighted and of unit length. */
function timesGram(
  { pairs }: Corpus,
  idf: Float32Array,
  basis: Float32Array,
  dims: number,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(basis.length);
  const sum = new Float32Array(dims);
  for (const pair of pairs) {
    const column = columnOf(pair, idf);
    sum.fill(0);
    let square = 0;
    for (const { word, weight } of column) {
      square += weight * weight;
      for (let d = 0; d < dims; d++) sum[d]! += weight * basis[word * dims + d]!;
    }
    const unit = 1 / (square || 1);
    for (const { word, weight } of column) {
      const share = weight * unit;
      for (let d = 0; d < dims; d++) out[word * dims + d]! += share * sum[d]!;
    }
  }
  return out;
}

function columnOf({ a, b }: Corpus['pairs'][number], idf: Float32Array) {
  return [a, b].flatMap(({ words, weights }) =>
    Array.from(words, (word, i) => ({ word, weight: weights[i]! * idf[word]! })),
  );
}

/** Columns made orthonormal through the Cholesky factor of their Gram matrix. */
function orthonormalise(basis: Float32Array, rows: number, dims: number): void {
  const factor = cholesky(gram(basis, basis, rows, dims), dims);
  for (let r = 0; r < rows; r++) {
    const row = basis.subarray(r * dims, (r + 1) * dims);
    for (let i = 0; i < dims; i++) {
      let x = row[i]!;
      for (let j = 0; j < i; j++) x -= row[j]! * factor[i * dims + j]!;
      row[i] = x / factor[i * dims + i]!;
    }
  }
}

function gram(x: Float32Array, y: Float32Array, rows: number, dims: number): Float64Array {
  const out = new Float64Array(dims * dims);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < dims; i++) {
      const xi = x[r * dims + i]!;
      for (let j = 0; j < dims; j++) out[i * dims + j]! += xi * y[r * dims + j]!;
    }
  }
  return out;
}

/** Lower triangular L with L·Lᵀ = m (m symmetric up to rounding); tiny pivots are lifted. */
function cholesky(m: Float64Array, dims: number): Float64Array {
  const l = new Float64Array(dims * dims);
  for (let i = 0; i < dims; i++) {
    for (let j = 0; j <= i; j++) {
      let x = (m[i * dims + j]! + m[j * dims + i]!) / 2;
      for (let k = 0; k < j; k++) x -= l[i * dims + k]! * l[j * dims + k]!;
      l[i * dims + j] = i === j ? Math.sqrt(Math.max(x, 1e-12)) : x / l[j * dims + j]!;
    }
  }
  return l;
}

function product(x: Float32Array, y: Float64Array, rows: number, dims: number): Float32Array {
  const out = new Float32Array(rows * dims);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < dims; i++) {
      const xi = x[r * dims + i]!;
      for (let j = 0; j <= i; j++) out[r * dims + j]! += xi * y[i * dims + j]!;
    }
  }
  return out;
}

/** Unit direction times rarity: how much a word says is the length of its vector from then on. */
function weighted(vectors: Float32Array, idf: Float32Array, rows: number, dims: number): Float32Array {
  const meanIdf = idf.reduce((sum, x) => sum + x, 0) / rows;
  for (let r = 0; r < rows; r++) {
    const row = vectors.subarray(r * dims, (r + 1) * dims);
    const by = idf[r]! / meanIdf / (Math.hypot(...row) || 1);
    for (let i = 0; i < dims; i++) row[i]! *= by;
  }
  return vectors;
}
