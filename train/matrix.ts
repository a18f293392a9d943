/** Dense products for training: C = A·Bᵀ over 32-bit floats, as a WebAssembly SIMD loop written for one shape. */
import {
  constant,
  get,
  i32,
  moduleWith,
  op,
  pageBytes,
  set,
  v128,
  vectorLoad,
  zeroVector,
} from '../src/search/index/wasm.ts';

export type Shape = { readonly m: number; readonly n: number; readonly k: number };
export type Product = (a: Float32Array, b: Float32Array, c: Float32Array) => void;
export type Workspace = { alloc(length: number): Float32Array; product(shape: Shape): Product };

const rowsAtOnce = 4;
const columnsAtOnce = 2;

/** One linear memory; the arrays it hands out are what its products work on. */
export function createWorkspace(bytes: number): Workspace {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  let used = 0;
  return {
    alloc(length) {
      const made = new Float32Array(memory.buffer, used, length);
      used += Math.ceil((length * 4) / 64) * 64;
      return made;
    },
    product(shape) {
      const { m, n, k } = shape;
      if (m % rowsAtOnce || n % columnsAtOnce || k % 4)
        throw new RangeError(`no product of shape ${m}x${n}x${k}`);
      const module = moduleWith(
        { product: { params: [i32, i32, i32], body: productBody(shape) } },
        { shared: false },
      );
      const { exports } = new WebAssembly.Instance(module, { env: { memory } });
      const run = exports.product as (a: number, b: number, c: number) => void;
      return (a, b, c) => run(a.byteOffset, b.byteOffset, c.byteOffset);
    },
  };
}

/** product(a, b, c): eight dot products at a time, so that every loaded number is used more than once. */
function productBody({ m, n, k }: Shape): number[] {
  const [a, b, c, rows, columns, at, bRow, ka, kb] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const firstSum = 9;
  const firstLoad = firstSum + rowsAtOnce * columnsAtOnce;
  const rowBytes = k * 4;
  const advance = (local: number, by: number) => [...get(local), ...constant(by), op.add, ...set(local)];
  const countDown = (local: number) => [
    ...get(local),
    ...constant(1),
    op.sub,
    op.tee,
    local,
    op.branchIf,
    0,
    op.end,
  ];
  const inner: number[] = [];
  const clear: number[] = [];
  const store: number[] = [];
  for (let r = 0; r < rowsAtOnce; r++)
    inner.push(...get(ka), ...vectorLoad(r * rowBytes), ...set(firstLoad + r));
  for (let j = 0; j < columnsAtOnce; j++) {
    inner.push(...get(kb), ...vectorLoad(j * rowBytes), ...set(firstLoad + rowsAtOnce + j));
    for (let r = 0; r < rowsAtOnce; r++) {
      const sum = firstSum + r * columnsAtOnce + j;
      inner.push(...get(firstLoad + r), ...get(firstLoad + rowsAtOnce + j), ...op.mulFloats);
      inner.push(...get(sum), ...op.addFloats, ...set(sum));
      clear.push(...zeroVector, ...set(sum));
      const lane = (l: number) => [...get(sum), ...op.floatLane, l];
      store.push(
        ...get(c),
        ...lane(0),
        ...lane(1),
        op.addFloat,
        ...lane(2),
        op.addFloat,
        ...lane(3),
        op.addFloat,
      );
      store.push(...op.storeFloat((r * n + j) * 4));
    }
  }
  return [
    ...[2, 6, i32, rowsAtOnce * columnsAtOnce + rowsAtOnce + columnsAtOnce, v128],
    ...[...constant(m / rowsAtOnce), ...set(rows), op.loop, op.nothing],
    ...[...get(b), ...set(bRow), ...constant(n / columnsAtOnce), ...set(columns), op.loop, op.nothing],
    ...[...clear, ...get(a), ...set(ka), ...get(bRow), ...set(kb)],
    ...[...constant(k / 4), ...set(at), op.loop, op.nothing],
    ...[...inner, ...advance(ka, 16), ...advance(kb, 16), ...countDown(at)],
    ...[
      ...store,
      ...advance(c, columnsAtOnce * 4),
      ...advance(bRow, columnsAtOnce * rowBytes),
      ...countDown(columns),
    ],
    ...[...advance(a, rowsAtOnce * rowBytes), ...advance(c, (rowsAtOnce - 1) * n * 4), ...countDown(rows)],
    op.end,
  ];
}

export function transpose(from: Float32Array, rows: number, columns: number, to: Float32Array): void {
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c] ?? 0;
}
