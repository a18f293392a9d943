/**
 * A query in the catalog's words. It is rewritten as text, before anything reads it: words and vectors (whoever makes them)
 * then see the same query.
 */
import type { Snapshot } from '../index/snapshot.ts';
import { isCompound, queryStems, splitWord } from '../text/text.ts';
import { isKnown, type ViewMask } from './seen-terms.ts';
import { correctSpelling, isSpellable } from './spelling.ts';

export type RewrittenQuery = {
  /** What is searched. */
  readonly text: string;
  /** The query with its misspelled words corrected; null where none was. */
  readonly corrected: string | null;
};

export type RewriteOptions = { readonly spelling: boolean; readonly mask: ViewMask | null };
export type QueryRewriter = (text: string, options: RewriteOptions) => RewrittenQuery;

/** `hasVector`: whether the built-in vectors know a stem. */
export function createQueryRewriter(
  snapshot: Snapshot,
  lexicon: ReadonlyMap<string, number>,
  hasVector: (stem: string) => boolean,
): QueryRewriter {
  const isKnownStem = (stem: string, mask: ViewMask | null) =>
    isKnown(snapshot, lexicon.get(stem) ?? snapshot.termCount, mask) || hasVector(stem);
  const areAllKnown = (stems: readonly string[], mask: ViewMask | null) => {
    for (const stem of stems) if (!isKnownStem(stem, mask)) return false;
    return true;
  };

  /** A word is suspect when nobody knows it; of a compound, when nobody knows it whole, nor one of its parts. */
  function isSuspect(word: string, mask: ViewMask | null): boolean {
    const stems = splitWord(word);
    if (areAllKnown(stems, mask)) return false;
    const whole = isCompound(word) ? splitWord(word.toLowerCase()) : stems;
    return isSpellable(word) && !whole.some((stem) => isKnownStem(stem, mask));
  }

  return (text, { spelling, mask }) => {
    // Most queries have nothing but words that are known, and are done here.
    if (!spelling || areAllKnown(queryStems(text), mask)) return { text, corrected: null };
    const corrected = text.replace(/[\p{L}\p{N}]+/gu, (word) =>
      isSuspect(word, mask) ? (correctSpelling(snapshot, word, mask) ?? word) : word,
    );
    return { text: corrected, corrected: corrected === text ? null : corrected };
  };
}
