/** The embedder that needs no service: a table of word vectors trained by `train/`, committed as `model/vectors.bin`. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { Problem } from '../../base/problem.ts';
import { countsOf, queryCounts, stemsOf } from '../text/text.ts';
import type { Embedder, TextKind } from './embedder.ts';
import { toUnit } from './unit-vectors.ts';

export const modelUrl = new URL('../../../model/vectors.bin', import.meta.url);
/** Header of the model file: six 32-bit little-endian numbers. */
export const modelHeader = { magic: 0x5652434d, version: 1, bytes: 24 };

/** Reads and checks the committed table; a damaged or missing one stops the start with the way out. */
export function loadBuiltInEmbedder(file: string | URL = modelUrl): Embedder {
  const path = typeof file === 'string' ? file : fileURLToPath(file);
  const refuse = (why: string, cause?: unknown) =>
    new Problem(
      'setup',
      `The model file ${path} ${why}; restore it with \`git checkout -- model\` or make it with \`npm run train\`.`,
      { cause },
    );
  let table: SharedArrayBuffer;
  try {
    table = readShared(path);
  } catch (error) {
    throw refuse('cannot be read', error);
  }
  const damage = findDamage(Buffer.from(table));
  if (damage !== null) throw refuse(`is damaged: ${damage}`);
  return embedderFromTable(table);
}

/** Straight into the memory that both threads will read. */
function readShared(path: string): SharedArrayBuffer {
  const file = openSync(path, 'r');
  try {
    const table = new SharedArrayBuffer(fstatSync(file).size);
    const bytes = new Uint8Array(table);
    let at = 0;
    while (at < bytes.length) {
      const read = readSync(file, bytes, at, bytes.length - at, null);
      if (read === 0) break;
      at += read;
    }
    return table;
  } finally {
    closeSync(file);
  }
}

function findDamage(file: Buffer): string | null {
  if (file.length < modelHeader.bytes) return 'it is too short';
  if (file.readUInt32LE(0) !== modelHeader.magic) return 'it does not begin like a model';
  const version = file.readUInt32LE(4);
  if (version !== modelHeader.version) return `its version is ${version}, not ${modelHeader.version}`;
  const [rows, dims, wordBytes] = [file.readUInt32LE(8), file.readUInt32LE(12), file.readUInt32LE(16)];
  const expected = modelHeader.bytes + wordBytes + rows * 4 + rows * dims;
  if (file.length !== expected) return `it has ${file.length} bytes instead of ${expected}`;
  if (crc32(file.subarray(modelHeader.bytes)) !== file.readUInt32LE(20)) return 'its checksum does not match';
  return null;
}

/** An embedder over a table that `loadBuiltInEmbedder` has checked; both threads share the one copy. */
export function embedderFromTable(table: SharedArrayBuffer): Embedder {
  const header = new DataView(table);
  const [rows, dims] = [header.getUint32(8, true), header.getUint32(12, true)];
  const wordBytes = header.getUint32(16, true);
  const words = new TextDecoder()
    .decode(new Uint8Array(table, modelHeader.bytes, wordBytes).slice())
    .trimEnd()
    .split('\n');
  const rowOf = new Map(words.map((word, row) => [word, row]));
  const scales = new Float32Array(table, modelHeader.bytes + wordBytes, rows);
  const vectors = new Int8Array(table, modelHeader.bytes + wordBytes + rows * 4, rows * dims);
  const addWords = (sum: Float32Array, counts: ReadonlyMap<string, number>) => {
    counts.forEach((count, word) => {
      const row = rowOf.get(word);
      if (row === undefined) return;
      // A word said five times is not five times the subject.
      const by = (1 + Math.log(count)) * scales[row]!;
      const from = row * dims;
      for (let i = 0; i < dims; i++) sum[i]! += by * vectors[from + i]!;
    });
    toUnit(sum);
  };
  return {
    id: `builtin-${rows}x${dims}-${header.getUint32(20, true).toString(16)}`,
    dims,
    table,
    knows: (stem) => rowOf.has(stem),
    embed(texts: readonly string[], kind: TextKind) {
      const out = new Float32Array(texts.length * dims);
      for (const [i, text] of texts.entries()) {
        const counts = kind === 'query' ? queryCounts(text) : countsOf(stemsOf(text));
        addWords(texts.length === 1 ? out : out.subarray(i * dims, (i + 1) * dims), counts);
      }
      return out;
    },
  };
}
