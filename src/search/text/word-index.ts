/**
 * The catalog's words as they are written, findable by a spelling that is nearly theirs: every word is posted under the
 * hash of itself and of itself without each of its letters (symmetric deletion), so two words that are one edit apart
 * meet under one of them. Typed arrays over shared memory, like the rest of a snapshot.
 */
import { shared } from './shared-array.ts';

export type WordIndex = {
  /** All words' letters, a to z, one after the other. */
  readonly letters: Uint8Array;
  /** Where each word's letters begin; one more for the end. */
  readonly starts: Uint32Array;
  /** What each word stands for: the term that it stems to. */
  readonly terms: Uint32Array;
  /** Where each bucket of hashes begins; one more for the end. Their number is a power of two. */
  readonly buckets: Uint32Array;
  /** Word numbers, bucket by bucket, each below the upper bits of the hash that it is posted under. */
  readonly entries: Uint32Array;
};

/** Shorter ones have too many neighbours, longer ones are no words. */
export const wordLetters = { fewest: 4, most: 24 };
/** More words are not kept: a catalog that has them is mostly keys and hashes. */
export const mostWords = 2 ** 20;

/** Bits of an entry that number its word; the bits above them are the hash's, so that strangers in a bucket are not compared. */
const wordBits = 20;
const wordMask = 2 ** wordBits - 1;
const offset = 0x811c_9dc5;
const prime = 0x0100_0193;
const noLetter = -1;

/** FNV-1a of a word's letters but one; `noLetter` leaves none out. */
function hashWithout(letters: Uint8Array, from: number, to: number, without: number): number {
  let hash = offset;
  for (let i = from; i < to; i++) if (i !== without) hash = Math.imul(hash ^ letters[i]!, prime);
  // The low bits of FNV are its weakest, and they choose the bucket.
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** `vocabulary`: words of a to z with their terms. */
export function buildWordIndex(vocabulary: ReadonlyMap<string, number>): WordIndex {
  const starts = shared(Uint32Array, vocabulary.size + 1);
  const terms = shared(Uint32Array, vocabulary.size);
  let [word, length] = [0, 0];
  for (const [text, term] of vocabulary) {
    terms[word++] = term;
    length += text.length;
    starts[word] = length;
  }
  const letters = shared(Uint8Array, length);
  Buffer.from(letters.buffer).write([...vocabulary.keys()].join(''), 'latin1');
  const posts = length + vocabulary.size;
  const buckets = shared(Uint32Array, 2 ** Math.ceil(Math.log2(posts + 1)) + 1);
  const mask = buckets.length - 2;
  const eachHash = (visit: (hash: number, word: number) => void) => {
    for (let w = 0; w < terms.length; w++) {
      const from = starts[w]!;
      const to = starts[w + 1]!;
      visit(hashWithout(letters, from, to, noLetter), w);
      for (let i = from; i < to; i++) visit(hashWithout(letters, from, to, i), w);
    }
  };
  eachHash((hash) => {
    buckets[(hash & mask) + 1]! += 1;
  });
  for (let b = 1; b < buckets.length; b++) buckets[b]! += buckets[b - 1]!;
  const entries = shared(Uint32Array, posts);
  const next = buckets.slice();
  eachHash((hash, w) => {
    entries[next[hash & mask]!++] = (hash & ~wordMask) | w;
  });
  return { letters, starts, terms, buckets, entries };
}

/** The word of a number. */
export function wordAt({ letters, starts }: WordIndex, word: number): string {
  return Buffer.from(letters.buffer, starts[word]!, starts[word + 1]! - starts[word]!).toString('latin1');
}

/** Visits words of at most `most` edits' distance from `text` (a to z), some of them more than once. */
export function eachNearWord(
  index: WordIndex,
  text: string,
  most: number,
  visit: (word: number, distance: number) => void,
): void {
  const { letters, starts, buckets, entries } = index;
  const asked = Buffer.from(text, 'latin1');
  const mask = buckets.length - 2;
  for (let without = noLetter; without < asked.length; without++) {
    const hash = hashWithout(asked, 0, asked.length, without);
    const bucket = hash & mask;
    for (let e = buckets[bucket]!; e < buckets[bucket + 1]!; e++) {
      const entry = entries[e]!;
      if (((entry ^ hash) & ~wordMask) !== 0) continue;
      const word = entry & wordMask;
      const from = starts[word]!;
      const to = starts[word + 1]!;
      if (Math.abs(to - from - asked.length) > most) continue;
      const distance = distanceOf(asked, letters, from, to);
      if (distance <= most) visit(word, distance);
    }
  }
}

/** Rows of the table below, kept: to allocate them would cost more than to fill them. */
const widest = 42;
let before = new Uint8Array(widest);
let last = new Uint8Array(widest);
let row = new Uint8Array(widest);

/** Damerau's distance (optimal string alignment): letters left out, put in, exchanged, or swapped with their neighbour. */
function distanceOf(a: Uint8Array, letters: Uint8Array, from: number, to: number): number {
  const length = to - from;
  for (let j = 0; j <= length; j++) last[j] = j;
  for (let i = 1; i <= a.length; i++) {
    row[0] = i;
    for (let j = 1; j <= length; j++) {
      const x = a[i - 1]!;
      const y = letters[from + j - 1]!;
      let least = Math.min(last[j]!, row[j - 1]!) + 1;
      least = Math.min(least, last[j - 1]! + (x === y ? 0 : 1));
      const swapped = i > 1 && j > 1 && x === letters[from + j - 2]! && a[i - 2]! === y;
      row[j] = swapped ? Math.min(least, before[j - 2]! + 1) : least;
    }
    const free = before;
    before = last;
    last = row;
    row = free;
  }
  return last[length]!;
}
