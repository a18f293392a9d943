/** Dense products for training: C = A·Bᵀ over 32-bit floats, in a WebAssembly SIMD loop (`product.wat`). */
import { readFileSync } from 'node:fs';
import { pageBytes } from '../src/search/index/vector-store.ts';

export type Shape = { readonly m: number; readonly n: number; readonly k: number };
export type Product = (a: Float32Array, b: Float32Array, c: Float32Array) => void;
export type Workspace = { alloc(length: number): Float32Array; product(shape: Shape): Product };

const rowsAtOnce = 4;
const columnsAtOnce = 2;

/** One linear memory; the arrays it hands out are what its products work on. */
export function createWorkspace(bytes: number): Workspace {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  const module = new WebAssembly.Module(readFileSync(new URL('./product.wasm', import.meta.url)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const run = exports.product as (...args: readonly number[]) => void;
  let used = 0;
  return {
    alloc(length) {
      const made = new Float32Array(memory.buffer, used, length);
      used += Math.ceil((length * 4) / 64) * 64;
      return made;
    },
    product({ m, n, k }) {
      if (m % rowsAtOnce || n % columnsAtOnce || k % 4)
        throw new RangeError(`no product of shape ${m}x${n}x${k}`);
      return (a, b, c) => run(a.byteOffset, b.byteOffset, c.byteOffset, m, n, k);
    },
  };
}

export function transpose(from: Float32Array, rows: number, columns: number, to: Float32Array): void {
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c] ?? 0;
}
