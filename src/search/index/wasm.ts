/**
 * Just enough of WebAssembly's binary form to write loops over numbers by hand: functions over one imported
 * memory. A second toolchain for two loops would cost more than these lines.
 */

/** The part of the global object that is used here; neither the language's nor Node's types carry it. */
declare global {
  namespace WebAssembly {
    class Memory {
      constructor(limits: { initial: number; maximum?: number; shared?: boolean });
      readonly buffer: ArrayBuffer;
    }
    class Module {
      constructor(bytes: Uint8Array);
    }
    class Instance {
      constructor(module: Module, imports: { env: { memory: Memory } });
      readonly exports: Readonly<Record<string, unknown>>;
    }
  }
}

export const i32 = 0x7f;
export const f32 = 0x7d;
export const v128 = 0x7b;
export const pageBytes = 65_536;
/** 4 GiB, the limit of 32-bit WebAssembly. */
const mostPages = 65_536;

/** The instructions used, by what they do. Loads and stores are 4-byte aligned, vectors not. */
export const op = {
  loop: 0x03,
  if: 0x04,
  nothing: 0x40,
  end: 0x0b,
  branchIf: 0x0d,
  tee: 0x22,
  less: 0x49,
  add: 0x6a,
  sub: 0x6b,
  shiftLeft: 0x74,
  addFloat: 0x92,
  storeFloat: (offset: number): readonly number[] => [0x38, 0x02, ...leb(offset)],
  /** i32x4: add, to f32x4; and the relaxed dot product of signed 8-bit by unsigned 7-bit. */
  addInts: [0xfd, 0xae, 0x01],
  toFloats: [0xfd, 0xfa, 0x01],
  dotAdd: [0xfd, 0x93, 0x02],
  /** f32x4: splat, extract_lane, add, sub, mul, pmax (no branch, unlike f32.max). */
  splat: [0xfd, 0x13],
  floatLane: [0xfd, 0x1f],
  addFloats: [0xfd, 0xe4, 0x01],
  subFloats: [0xfd, 0xe5, 0x01],
  mulFloats: [0xfd, 0xe6, 0x01],
  maxFloats: [0xfd, 0xeb, 0x01],
} as const;

export const zeroVector: readonly number[] = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];

export function vectorLoad(offset: number): readonly number[] {
  return [0xfd, 0x00, 0x00, ...leb(offset)];
}

export function load(offset: number): readonly number[] {
  return [0x28, 0x02, ...leb(offset)];
}

/** One 32-bit number in all four lanes. */
export const loadSplat: readonly number[] = [0xfd, 0x09, 0x02, 0x00];
/** The first of four lanes. */
export const storeLane: readonly number[] = [0xfd, 0x5a, 0x02, 0x00, 0x00];

export const vectorStore: readonly number[] = [0xfd, 0x0b, 0x00, 0x00];

/** Four 32-bit lanes out of two vectors' eight. */
export function shuffle(lanes: readonly number[]): readonly number[] {
  return [0xfd, 0x0d, ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte))];
}

export function get(local: number): readonly number[] {
  return [0x20, ...leb(local)];
}

export function set(local: number): readonly number[] {
  return [0x21, ...leb(local)];
}

export function constant(value: number): readonly number[] {
  return [0x41, ...sleb(value)];
}

export type WasmFunction = { readonly params: readonly number[]; readonly body: readonly number[] };

/** A module that exports functions over the memory it is given as `env.memory`. */
export function moduleWith(
  functions: Readonly<Record<string, WasmFunction>>,
  memory: { readonly shared: boolean },
): WebAssembly.Module {
  const limits = memory.shared ? [0x03, ...leb(1), ...leb(mostPages)] : [0x00, ...leb(1)];
  const all = Object.entries(functions);
  const list = (items: readonly (readonly number[])[]) => [...leb(items.length), ...items.flat()];
  return new WebAssembly.Module(
    new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      ...section(1, list(all.map(([, { params }]) => [0x60, params.length, ...params, 0]))),
      ...section(2, [1, ...text('env'), ...text('memory'), 0x02, ...limits]),
      ...section(3, list(all.map((_, i) => [i]))),
      ...section(7, list(all.map(([name], i) => [...text(name), 0x00, i]))),
      ...section(10, list(all.map(([, { body }]) => sized(body)))),
    ]),
  );
}

function section(id: number, content: readonly number[]): readonly number[] {
  return [id, ...sized(content)];
}

function sized(content: readonly number[]): readonly number[] {
  return [...leb(content.length), ...content];
}

function text(name: string): readonly number[] {
  return sized([...new TextEncoder().encode(name)]);
}

function leb(value: number): readonly number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...leb(value >>> 7)];
}

function sleb(value: number): readonly number[] {
  const low = value & 0x7f;
  const rest = value >> 7;
  const ends = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
  return ends ? [low] : [low | 0x80, ...sleb(rest)];
}
