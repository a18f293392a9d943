/**
 * The best of many numbered scores, best first, equal ones by the lower number.
 *
 *   topK(values, k)                         numbers of the k highest values; zeros never count
 *   sortByScore(numbers, scores, minScore)  numbers by scores of four decimals, those below the least left out
 *   topOfSum(range, k, sum)                 the k best of consecutive numbers by a weighted sum; k up to a hundred
 *
 * Values are floats of at least 0, numbers are below 2^21. This runs over every server at every query, so score and
 * number are packed into one double, which sorts without a callback, and the memory that it takes is kept here: no call
 * holds on to it, and none calls out.
 */
let keyMemory = new Float64Array(0);
let blockMemory = new Int32Array(0);
const scoreMemory = new Float64Array(100);

/** Sort keys hold a number beside what it is sorted by: 2^21 numbers at most. */
const slots = 2 ** 21;

export function topK(values: Float32Array, k: number): number[] {
  // Floats that are not negative order like their bits, so a key holds value and number exactly.
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const threshold = thresholdOf(bits, k);
  const keys = reserveKeys(bits.length);
  let count = 0;
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i]!;
    if (value >= threshold) keys[count++] = (0x7fffffff - value) * slots + i;
  }
  return sortedNumbers(keys, count, k);
}

export function sortByScore(
  numbers: readonly number[],
  scores: readonly number[],
  minScore: number,
): number[] {
  const keys = reserveKeys(numbers.length);
  let count = 0;
  for (let i = 0; i < numbers.length; i++) {
    const score = scores[i]!;
    if (score >= minScore) keys[count++] = (10_000 - Math.round(score * 10_000)) * slots + numbers[i]!;
  }
  return sortedNumbers(keys, count, count);
}

export type WeightedSum = {
  readonly a: Float32Array;
  readonly byA: number;
  readonly b: Float32Array;
  readonly byB: number;
};

/** An insertion sort into k places: k is small, and few numbers get past its last one. */
export function topOfSum(
  { from, to }: { readonly from: number; readonly to: number },
  k: number,
  { a, byA, b, byB }: WeightedSum,
): number[] {
  const numbers = new Array<number>(Math.max(0, Math.min(k, to - from, scoreMemory.length)));
  const scores = scoreMemory;
  const last = numbers.length - 1;
  for (let number = from; number < to; number++) {
    const score = byA * a[number]! + byB * b[number]!;
    if (number - from > last && !(score > scores[last]!)) continue;
    let at = Math.min(number - from, last);
    for (; at > 0 && score > scores[at - 1]!; at--) {
      numbers[at] = numbers[at - 1]!;
      scores[at] = scores[at - 1]!;
    }
    numbers[at] = number;
    scores[at] = score;
  }
  return numbers;
}

/** At most the k-th highest value, and seldom much less: so many blocks have at least one that is as high. */
function thresholdOf(bits: Int32Array, k: number): number {
  const blocks = 2 * k;
  const length = Math.ceil(bits.length / blocks);
  if (length < 4) return 1;
  if (blockMemory.length !== blocks) blockMemory = new Int32Array(blocks);
  const highest = blockMemory;
  for (let block = 0, i = 0; block < blocks; block++) {
    let best = 0;
    for (const end = Math.min(bits.length, i + length); i < end; i++) best = Math.max(best, bits[i]!);
    highest[block] = best;
  }
  return Math.max(1, highest.sort()[blocks - k]!);
}

function reserveKeys(count: number): Float64Array {
  if (keyMemory.length < count) keyMemory = new Float64Array(count);
  return keyMemory;
}

/** The numbers of the lowest k of the first `count` keys. */
function sortedNumbers(keys: Float64Array, count: number, k: number): number[] {
  sortKeys(keys, count);
  const numbers = new Array<number>(Math.min(k, count));
  for (let i = 0; i < numbers.length; i++) {
    const key = keys[i]!;
    // Not `%`: the remainder of large doubles is found bit by bit.
    numbers[i] = key - Math.floor(key / slots) * slots;
  }
  return numbers;
}

/** Up to so many keys, often in order almost, are sorted faster here than by a call into native code. */
const fewKeys = 64;

function sortKeys(keys: Float64Array, count: number): void {
  if (count > fewKeys) {
    keys.subarray(0, count).sort();
    return;
  }
  for (let i = 1; i < count; i++) {
    const key = keys[i]!;
    let at = i;
    for (; at > 0 && keys[at - 1]! > key; at--) keys[at] = keys[at - 1]!;
    keys[at] = key;
  }
}
