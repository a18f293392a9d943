/** Writes the model file that `src/search/embedding/built-in-embedder.ts` reads. */
import { writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { modelHeader } from '../src/search/embedding/built-in-embedder.ts';

export function encodeModel(words: readonly string[], vectors: Float32Array, dims: number): Buffer {
  const rows = words.length;
  const list = Buffer.from(words.join('\n'));
  const padded = Buffer.alloc(Math.ceil((list.length + 1) / 4) * 4, '\n');
  list.copy(padded);
  const scales = new Float32Array(rows);
  const cells = new Int8Array(rows * dims);
  for (let r = 0; r < rows; r++) {
    let largest = 1e-9;
    for (let i = r * dims; i < (r + 1) * dims; i++) largest = Math.max(largest, Math.abs(vectors[i] ?? 0));
    scales[r] = largest / 127;
    for (let i = r * dims; i < (r + 1) * dims; i++)
      cells[i] = Math.round(((vectors[i] ?? 0) / largest) * 127);
  }
  const body = Buffer.concat([padded, Buffer.from(scales.buffer), Buffer.from(cells.buffer)]);
  const header = Buffer.alloc(modelHeader.bytes);
  const numbers = [modelHeader.magic, modelHeader.version, rows, dims, padded.length, crc32(body)];
  for (const [i, n] of numbers.entries()) header.writeUInt32LE(n, i * 4);
  return Buffer.concat([header, body]);
}

export function writeModel(
  file: string,
  words: readonly string[],
  vectors: Float32Array,
  dims: number,
): void {
  writeFileSync(file, encodeModel(words, vectors, dims));
}
