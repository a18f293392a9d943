/**
 * Text to terms: what counts as "the same word" for the lexical index and for the built-in vectors.
 * The trainer uses these functions too, so a change here asks for `npm run train`.
 */
/** Never indexed, never searched: they carry grammar, not subject. */
export const functionWords = words(`
a an the and or but nor so if then than that this these those there here of in on at by for from to into onto with without within
as is are was were be been being am do does did done doing have has had having it its itself he she they them their theirs his her hers
him you your yours we our ours us i me my mine myself yourself s t re ve ll d m don doesn didn isn aren wasn weren won wouldn couldn
shouldn can't will would shall should can could may might must not no yes which who whom whose what when where why how also just very
too such only own same both each any all some few more most other another about between during before after above below again once
via per etc eg ie while because until since upon
`);

/** Courtesy and request phrasing: dropped from a query when something else is left, kept in documents. */
const requestWords = words(`
need needs want wants wanted like help helps please pls give let lets know looking interested able using use used make sure
thanks thank hi hello hey dear kindly wondering wonder trying try tried possible could additionally furthermore moreover
something someone anything things thing way ways go going come see wanna gonna gotta got really much many lot lots
tell ask provide provided including include
`);

/** The long-vowel mark ー is of no script of its own, and stands in the middle of katakana words. */
const cjkRun = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}ー]+/gu;
const wordRun = /[\p{L}\p{N}]+/gu;
const asciiRun = /[A-Za-z0-9]+/g;
const notAscii = /[^\x00-\x7f]/;
/** `getHTTPResponse` → get, HTTP, Response; `s3Bucket` → s3, Bucket. */
const camelPart = /[A-Z]{2,}(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+|[^A-Za-z0-9]+/g;

/** Longest word kept: longer runs are keys, hashes or encoded data. */
const longestWord = 40;
/** A request of more words than this usually asks for several things. */
const longQueryStems = 25;
/** Sentences of fewer words join their neighbour: alone they say too little. */
const shortestPart = 4;
const mostParts = 6;
/**
 * How words were split, kept in two generations of so many: the words of a large catalog, not its keys and hashes. (To keep the order
 * of use, as other caches do, costs more than to split: a tenth of a small search.)
 */
const perGeneration = 25_000;
let splitLately = new Map<string, readonly string[]>();
let splitEarlier: ReadonlyMap<string, readonly string[]> = new Map();

/** The stems of a text in order, function words left out. */
export function stemsOf(text: string): string[] {
  const out: string[] = [];
  if (notAscii.test(text)) return stemsOfUnicode(text, out);
  for (const match of text.match(asciiRun) ?? []) pushAll(out, splitWord(match));
  return out;
}

type QueryWords = {
  readonly text: string;
  readonly stems: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
};

/** The stems of a query: request phrasing is dropped too, unless nothing else is left. */
export function queryStems(text: string): readonly string[] {
  return wordsOf(text).stems;
}

/** How often each stem of a query occurs, in the order of their first occurrence. */
export function queryCounts(text: string): ReadonlyMap<string, number> {
  return wordsOf(text).counts;
}

/** Memo of the last texts: the words of a query and of each of its sentences are asked for to cut it, to embed it and to look them up. */
const lastTexts: QueryWords[] = [];
const textsKept = 8;
let oldest = 0;

function wordsOf(text: string): QueryWords {
  for (let i = 0; i < lastTexts.length; i++) if (lastTexts[i]!.text === text) return lastTexts[i]!;
  const all = stemsOf(text);
  const kept = all.filter((stem) => !requestStems.has(stem));
  const stems = kept.length > 0 ? kept : all;
  const words = { text, stems, counts: countsOf(stems) };
  lastTexts[oldest] = words;
  oldest = (oldest + 1) % textsKept;
  return words;
}

/** How often each stem occurs, in the order of their first occurrence. */
export function countsOf(stems: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const stem of stems) counts.set(stem, (counts.get(stem) ?? 0) + 1);
  return counts;
}

/** A query as it is searched: whole, and when it is long also sentence by sentence (short ones joined). */
export function queryParts(text: string): string[] {
  if (queryStems(text).length <= longQueryStems) return [text];
  const parts: string[] = [];
  let stems = 0;
  for (const sentence of text.split(/(?<=[.!?;\n。！？])\s*/u)) {
    const own = queryStems(sentence).length;
    if (parts.length > 0 && (own < shortestPart || stems < shortestPart)) {
      parts.push(`${parts.pop()} ${sentence}`);
      stems += own;
    } else if (own > 0) {
      parts.push(sentence);
      stems = own;
    }
  }
  return parts.length > 1 ? [text, ...parts.slice(0, mostParts)] : [text];
}

/** Accents, widths and marks taken off: what words are compared by. */
export function plainText(text: string): string {
  if (!notAscii.test(text)) return text;
  return text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .normalize('NFC');
}

/**
 * The words of a text as they are written, in small letters: those of a to z alone. Identifiers are split; compounds of two or
 * three are also one word, as above.
 */
export function writtenWords(text: string): string[] {
  const out: string[] = [];
  for (const run of plainText(text).match(wordRun) ?? []) {
    if (notAscii.test(run)) continue;
    const parts = isCompound(run) ? (run.match(camelPart) ?? []) : [run];
    if (parts.length > 1 && parts.length <= 3) parts.push(run);
    for (const part of parts) if (/^[A-Za-z]+$/.test(part)) out.push(part.toLowerCase());
  }
  return out;
}

/** Whether capitals inside say that it is several words. */
export function isCompound(word: string): boolean {
  return /[a-z0-9][A-Z]|[A-Z]{2}[a-z]/.test(word);
}

function stemsOfUnicode(text: string, out: string[]): string[] {
  for (const run of plainText(text).match(wordRun) ?? []) {
    if (!notAscii.test(run)) {
      pushAll(out, splitWord(run));
      continue;
    }
    let from = 0;
    for (const cjk of run.matchAll(cjkRun)) {
      if (cjk.index > from) pushAll(out, splitWord(run.slice(from, cjk.index)));
      pushBigrams(out, cjk[0]);
      from = cjk.index + cjk[0].length;
    }
    if (from < run.length) pushAll(out, splitWord(run.slice(from)));
  }
  return out;
}

/** CJK is written without spaces: pairs of characters stand in for words. */
function pushBigrams(out: string[], run: string): void {
  const chars = [...run];
  if (chars.length === 1) out.push(run);
  for (let i = 0; i + 1 < chars.length; i++) out.push(`${chars[i]}${chars[i + 1]}`);
}

/** The stems of one word; none of one that carries grammar. */
export function splitWord(word: string): readonly string[] {
  const known = splitLately.get(word);
  if (known !== undefined) return known;
  const split = splitEarlier.get(word) ?? splitUncached(word);
  if (splitLately.size === perGeneration) {
    splitEarlier = splitLately;
    splitLately = new Map();
  }
  splitLately.set(word, split);
  return split;
}

function splitUncached(word: string): string[] {
  if (word.length > longestWord) return [];
  const parts = isCompound(word) ? (word.match(camelPart) ?? [word]) : [word];
  const out: string[] = [];
  for (const part of parts) pushStem(out, part.toLowerCase());
  // Brands are written GitHub and github, iPhone and iphone: a capitalised compound is also one word.
  const first = parts[0] ?? '';
  if (parts.length > 1 && parts.length <= 3 && (/^[A-Z]/.test(first) || first.length === 1)) {
    pushStem(out, word.toLowerCase());
  }
  return out;
}

function pushStem(out: string[], word: string): void {
  if (functionWords.has(word)) return;
  if (word.length === 1 && /[a-z]/.test(word) && word !== 'r' && word !== 'c') return;
  out.push(stem(word));
}

/** Plurals, -ing, -ed, -ion, -er and a final e: enough to join a request's wording to a description's. */
function stem(word: string): string {
  if (word.length < 4 || /[^a-z]/.test(word)) return word;
  return stripEnd(stripInflection(stripPlural(word)));
}

function stripPlural(w: string): string {
  if (w.endsWith('ies') && w.length > 4) return `${w.slice(0, -3)}y`;
  if (/(?:ss|sh|ch|x|z)es$/.test(w)) return w.slice(0, -2);
  if (w.endsWith('s') && !/(?:ss|us|is)$/.test(w)) return w.slice(0, -1);
  return w;
}

function stripInflection(w: string): string {
  for (const ending of ['ing', 'ed']) {
    if (!w.endsWith(ending)) continue;
    const root = w.slice(0, -ending.length);
    if (root.length < 3 || !/[aeiouy]/.test(root)) return w;
    return /([bdfgmnprt])\1$/.test(root) ? root.slice(0, -1) : root;
  }
  return w;
}

function stripEnd(w: string): string {
  if (w.length > 8 && w.endsWith('ization')) return w.slice(0, -5);
  if (w.length > 7 && w.endsWith('ation')) return w.slice(0, -3);
  if (w.length > 6 && w.endsWith('ion')) return w.slice(0, -3);
  if (w.length > 6 && /[eo]r$/.test(w)) return w.slice(0, -2);
  if (w.length > 5 && w.endsWith('ly')) return w.slice(0, -2);
  if (w.length > 4 && w.endsWith('e')) return w.slice(0, -1);
  if (w.length > 4 && w.endsWith('y')) return `${w.slice(0, -1)}i`;
  return w;
}

function pushAll(out: string[], more: readonly string[]): void {
  for (const one of more) out.push(one);
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

const requestStems: ReadonlySet<string> = new Set([...requestWords].map(stem));
