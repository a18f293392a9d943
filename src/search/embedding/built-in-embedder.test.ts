import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Problem } from '../../base/problem.ts';
import { loadBuiltInEmbedder, modelUrl } from './built-in-embedder.ts';

const folder = mkdtempSync(join(tmpdir(), 'model-'));
after(() => rmSync(folder, { recursive: true }));

function loadDamaged(damage: (file: Buffer) => Buffer): unknown {
  const file = join(folder, 'vectors.bin');
  writeFileSync(file, damage(readFileSync(modelUrl)));
  try {
    return loadBuiltInEmbedder(file);
  } catch (error) {
    return error;
  }
}

test('the committed table puts related words nearer than unrelated ones', () => {
  const embedder = loadBuiltInEmbedder();
  const vectors = embedder.embed(['send an email message', 'gmail inbox', 'satellite orbit'], 'document');
  assert.ok(vectors instanceof Float32Array);
  const at = (i: number) => vectors.subarray(i * embedder.dims, (i + 1) * embedder.dims);
  const cosine = (a: number, b: number) => at(a).reduce((sum, x, i) => sum + x * (at(b)[i] ?? 0), 0);
  assert.ok(cosine(0, 1) > cosine(0, 2) + 0.2);
  assert.ok(Math.abs(cosine(0, 0) - 1) < 1e-5, 'vectors have unit length');
});

test('a damaged table stops the start and says how to restore it', () => {
  const cases: [RegExp, (file: Buffer) => Buffer][] = [
    [/too short/, (file) => file.subarray(0, 10)],
    [/bytes instead of/, (file) => file.subarray(0, -1)],
    [/does not begin/, (file) => Buffer.concat([Buffer.from('nope'), file.subarray(4)])],
    [/version/, (file) => file.fill(9, 4, 8)],
    [/checksum/, (file) => file.fill(file[500] === 1 ? 2 : 1, 500, 501)],
  ];
  for (const [words, damage] of cases) {
    const error = loadDamaged(damage);
    assert.ok(error instanceof Problem && error.kind === 'setup', `${words}: ${error}`);
    assert.match(error.detail, words);
    assert.match(error.detail, /git checkout|npm run train/);
  }
});

test('a missing table stops the start', () => {
  assert.throws(() => loadBuiltInEmbedder(join(folder, 'none.bin')), /cannot be read/);
});
