/** What words of other languages mean, as English words: `model/concepts.txt`, written for this project. */
import { plainText } from '../text/text.ts';

/** The English words of a concept; none for a word that carries grammar. */
export type Concept = string;

export type Concepts = {
  entries(): Iterable<[word: string, Concept]>;
  /** The concept of a word exactly as it is listed; undefined for none. Small letters, without accents. */
  exactly(word: string): Concept | undefined;
  /** Of an inflected or compound word, too. */
  of(word: string): Concept | undefined;
  /** Cut out of text that is written without spaces: concepts, and between them what is unknown. */
  segments(run: string): readonly Segment[];
};

export type Segment = { readonly text: string; readonly concept: Concept | undefined };

/** Of the longer word, what must be shared from the beginning on: enough for most inflection. */
const sharedBeginning = 0.7;
const fewestLetters = 4;
/** What can follow a Korean noun. */
const particle = /(?:에서|으로|이나|까지|부터|을|를|이|가|은|는|의|에|로|와|과|도)$/;
const isHan = /\p{Script=Han}/u;
const isHangul = /^\p{Script=Hangul}+$/u;
/** Words that begin alike are compared. */
const keyLength = 3;

export function createConcepts(lines: readonly string[]): Concepts {
  const meanings = new Map<string, Concept>();
  const alike = new Map<string, string[]>();
  let longest = 0;
  for (const line of lines.filter((line) => !line.startsWith('#'))) {
    const [english = '', ...languages] = line.split('|');
    for (const word of plainText(languages.join(' ').toLowerCase()).split(' ')) {
      if (word === '' || meanings.has(word)) continue;
      meanings.set(word, english === '-' ? '' : english);
      longest = Math.max(longest, word.length);
      const key = word.slice(0, keyLength);
      alike.set(key, [...(alike.get(key) ?? []), word]);
    }
  }

  function inflected(word: string): Concept | undefined {
    let [best, bestShare] = ['', 0];
    for (const candidate of alike.get(word.slice(0, keyLength)) ?? []) {
      const share = sharedLetters(word, candidate) / Math.max(word.length, candidate.length);
      if (candidate.length < fewestLetters || share < sharedBeginning || share <= bestShare) continue;
      if (meanings.get(candidate) !== '') [best, bestShare] = [candidate, share];
    }
    return meanings.get(best);
  }

  /** By its longest known beginning, and by the rest where that is known too. */
  function compound(word: string, fewest: number): Concept | undefined {
    for (let length = word.length - 1; length >= fewest; length--) {
      const concept = meanings.get(word.slice(0, length));
      if (concept === undefined || concept === '') continue;
      const rest = word.slice(length);
      const more = meanings.get(rest) ?? meanings.get(rest.replace(/^(?:s|n|en|es)/, '')) ?? '';
      return more === '' ? concept : `${concept} ${more}`;
    }
    return undefined;
  }

  function conceptOf(word: string): Concept | undefined {
    const exact = meanings.get(word);
    if (exact !== undefined) return exact;
    if (isHangul.test(word)) return meanings.get(word.replace(particle, '')) ?? compound(word, 2);
    return word.length < fewestLetters ? undefined : (inflected(word) ?? compound(word, fewestLetters));
  }

  return {
    entries: () => meanings,
    exactly: (word) => meanings.get(word),
    of: conceptOf,
    segments: (run) => segmentsOf(run, meanings, longest),
  };
}

function sharedLetters(a: string, b: string): number {
  let shared = 0;
  while (shared < a.length && a[shared] === b[shared]) shared++;
  return shared;
}

/** The longest known word at each place. One character alone counts only where it is not the middle of something unknown. */
function segmentsOf(run: string, meanings: ReadonlyMap<string, Concept>, longest: number): Segment[] {
  const segments: Segment[] = [];
  for (let at = 0; at < run.length; ) {
    let length = Math.min(longest, run.length - at);
    while (length > 1 && !meanings.has(run.slice(at, at + length))) length--;
    const text = run.slice(at, at + length);
    segments.push({ text, concept: meanings.get(text) });
    at += length;
  }
  return joinUnknown(
    segments.map((segment, i) => (isPartOfUnknown(segments, i) ? unknown(segment) : segment)),
  );
}

function isPartOfUnknown(segments: readonly Segment[], at: number): boolean {
  const { text, concept } = segments[at]!;
  if (text.length > 1 || concept === '') return false;
  const beside = [segments[at - 1], segments[at + 1]];
  return beside.some((other) => other !== undefined && other.concept === undefined && isHan.test(other.text));
}

function unknown({ text }: Segment): Segment {
  return { text, concept: undefined };
}

function joinUnknown(segments: readonly Segment[]): Segment[] {
  const joined: Segment[] = [];
  for (const segment of segments) {
    const last = joined.at(-1);
    const follows = last !== undefined && last.concept === undefined && segment.concept === undefined;
    if (follows) joined[joined.length - 1] = unknown({ ...segment, text: last.text + segment.text });
    else joined.push(segment);
  }
  return joined;
}
