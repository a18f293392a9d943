/** Where the servers of several segments lie in the index that they make up, in the order of their ids. */

/** Servers that lie side by side in a segment and in the index; `segment` by its number. */
export type Run = {
  readonly segment: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
};

/** Both lists of ids in one order; of the first, without what is outdated. */
export function mergeRuns(
  [base, changed]: readonly [readonly string[], readonly string[]],
  gone: Uint8Array,
): Run[] {
  const runs: Run[] = [];
  let to = 0;
  let at = 0;
  const add = (segment: number, from: number, count: number) => {
    if (count > 0) runs.push({ segment, from, to, count });
    to += count;
  };
  const addBase = (end: number) => {
    while (at < end) {
      let last = at;
      while (last < end && gone[last] === 0) last++;
      add(0, at, last - at);
      at = last + 1;
    }
    at = end;
  };
  for (const [number, id] of changed.entries()) {
    let end = at;
    while (end < base.length && base[end]! < id) end++;
    addBase(end);
    add(1, number, 1);
  }
  addBase(base.length);
  return runs;
}

/** Of each server of the index: its segment, and its number there. */
export type Places = { readonly segments: Uint8Array; readonly locals: Uint32Array };

export function placesOf(runs: readonly Run[], servers: number): Places {
  const places = { segments: new Uint8Array(servers), locals: new Uint32Array(servers) };
  for (const { segment, from, to, count } of runs) {
    places.segments.fill(segment, to, to + count);
    for (let i = 0; i < count; i++) places.locals[to + i] = from + i;
  }
  return places;
}

/** In place of a number: the server changed since, or went. */
const outdated = -1;

/** By number in a segment, the numbers in the index. */
export function numbersOf(runs: readonly Run[], segment: number, servers: number): Int32Array {
  const numbers = new Int32Array(servers).fill(outdated);
  for (const run of runs)
    if (run.segment === segment) for (let i = 0; i < run.count; i++) numbers[run.from + i] = run.to + i;
  return numbers;
}

/** The place of an id among sorted ones (binary search); -1 for one that is not there. */
export function numberOf(sorted: readonly string[], id: string): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const there = sorted[middle]!;
    if (there === id) return middle;
    if (there < id) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
