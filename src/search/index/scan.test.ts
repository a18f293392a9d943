import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createScan } from './scan.ts';
import { createVectorStore, quantise, type VectorStore, vectorsAt } from './vector-store.ts';

const dims = 64;

function unit(seed: readonly number[]): Float32Array {
  const vector = Float32Array.from({ length: dims }, (_, i) => seed[i % seed.length] ?? 0).map(
    (x, i) => x + Math.sin(i),
  );
  const norm = Math.hypot(...vector) || 1;
  return vector.map((x) => x / norm);
}

function put(store: VectorStore, at: number, vector: Float32Array): void {
  const [own, quantised] = [vectorsAt(store, at, 1), quantise(vector, dims)];
  for (const name of ['vectors', 'scales', 'biases'] as const) own[name].set(quantised[name]);
}

const seeds = fc.array(
  fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 3, maxLength: 9 }),
  {
    minLength: 1,
    maxLength: 12,
  },
);

test('the scan finds the cosines, to two hundredths, of every document and the best tool of every server', () => {
  fc.assert(
    fc.property(seeds, seeds, (documents, [question]) => {
      const vectors = documents.map(unit);
      const store = createVectorStore(vectors.length, 1, dims);
      for (const [at, vector] of vectors.entries()) put(store, at, vector);
      // One server that has every document but the first as a tool.
      const scan = createScan(store, Uint32Array.of(0, vectors.length), 0.25);
      const query = unit(question ?? []);
      scan.setQuery(query);
      scan.compare(0, 1);
      const exact = vectors.map((v) => v.reduce((sum, x, i) => sum + x * (query[i] ?? 0), 0));
      for (const [d, cosine] of exact.entries())
        assert.ok(Math.abs((scan.ofDocument[d] ?? 9) - cosine) < 0.02);
      const best = exact.length > 1 ? Math.max(...exact.slice(1)) : (exact[0] ?? 0);
      const expected = Math.max(0, 0.25 * (exact[0] ?? 0) + 0.75 * best);
      assert.ok(Math.abs((scan.ofServer[0] ?? 9) - expected) < 0.02);
      const found = exact.length > 1 ? scan.ofDocument.slice(1) : scan.ofDocument;
      assert.equal(scan.ofBestTool[0], Math.max(...found));
    }),
  );
});

test('a query of which nothing is known is near to nothing', () => {
  const store = createVectorStore(1, 1, dims);
  put(store, 0, unit([1, 2, 3]));
  const scan = createScan(store, Uint32Array.of(0, 1), 0.3);
  scan.setQuery(new Float32Array(dims));
  scan.compare(0, 1);
  assert.equal(scan.ofDocument[0], 0);
});

test('dimensions that the loop cannot take are refused', () => {
  assert.throws(() => createVectorStore(1, 1, 20), /multiple of 64/);
});
