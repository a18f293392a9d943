/**
 * A query in the catalog's words. It is rewritten as text, before anything reads it: words and vectors (whoever makes them)
 * then see the same query.
 */
import type { SearchIndex } from '../segments/search-index.ts';
import { isCompound, queryStems, splitWord, stemsOf } from '../text/text.ts';
import { type Abbreviations, readAbbreviations, spellOut } from './abbreviations.ts';
import { createConcepts } from './concepts.ts';
import { readModelText } from './known-words.ts';
import { isKnown, serversWith, type ViewMask } from './seen-terms.ts';
import { correctSpelling, isSpellable } from './spelling.ts';
import { createTranslator, type Translator, type WordRarity } from './translation.ts';

export type RewrittenQuery = {
  /** What is searched. */
  readonly text: string;
  /** The query with its misspelled words corrected; null where none was. */
  readonly corrected: string | null;
};

export type RewriteOptions = { readonly spelling: boolean; readonly mask: ViewMask | null };
export type QueryRewriter = (text: string, options: RewriteOptions) => RewrittenQuery;

/** A word that more of the servers have is a word of the catalog's language, whatever it means in another. */
const commonShare = 0.01;
const fewestCommon = 2;
const notAscii = /[^\x00-\x7f]/;

type Tables = { readonly translate: Translator; readonly abbreviations: Abbreviations };
let tables: Tables | undefined;

/** Read once a process. */
function readTables(): Tables {
  tables ??= {
    translate: createTranslator(createConcepts(readModelText('concepts.txt'))),
    abbreviations: readAbbreviations(readModelText('abbreviations.txt')),
  };
  return tables;
}

/** `hasVector`: whether the built-in vectors know a stem. */
export function createQueryRewriter(index: SearchIndex, hasVector: (stem: string) => boolean): QueryRewriter {
  const { translate, abbreviations } = readTables();
  const isKnownStem = (stem: string, mask: ViewMask | null) =>
    isKnown(index, index.termOf(stem), mask) || hasVector(stem);

  function rarityFor(mask: ViewMask | null): WordRarity {
    const servers = (text: string) =>
      stemsOf(text).map((stem) => serversWith(index, index.termOf(stem), mask));
    return {
      serversWith: (text) => Math.min(...servers(text)),
      serversWithAny: (text) => Math.max(0, ...servers(text)),
    };
  }

  /** What may have to be done with a query, told from its stems alone: for most nothing has. */
  function lookAt(text: string, mask: ViewMask | null) {
    const common = Math.max(fewestCommon, commonShare * (mask ?? index).serverCount);
    const found = { mayBeForeign: notAscii.test(text), hasUnknown: false, hasAbbreviation: false };
    for (const stem of queryStems(text)) {
      if (abbreviations.has(stem)) found.hasAbbreviation = true;
      const servers = serversWith(index, index.termOf(stem), mask);
      if (servers > common) continue;
      found.mayBeForeign = true;
      if (servers === 0 && !hasVector(stem)) found.hasUnknown = true;
    }
    return found;
  }

  /** A word is suspect when nobody knows it; of a compound, when nobody knows it whole, nor one of its parts. */
  function isSuspect(word: string, mask: ViewMask | null): boolean {
    const stems = splitWord(word);
    if (stems.every((stem) => isKnownStem(stem, mask))) return false;
    const whole = isCompound(word) ? splitWord(word.toLowerCase()) : stems;
    return isSpellable(word) && !whole.some((stem) => isKnownStem(stem, mask));
  }

  function correct(text: string, mask: ViewMask | null): string {
    return text.replace(/[\p{L}\p{N}]+/gu, (word) =>
      isSuspect(word, mask) ? (correctSpelling(index, word, mask) ?? word) : word,
    );
  }

  return (text, { spelling, mask }) => {
    const { mayBeForeign, hasUnknown, hasAbbreviation } = lookAt(text, mask);
    if (!mayBeForeign && !hasAbbreviation) return { text, corrected: null };
    const rarity = rarityFor(mask);
    const translated = mayBeForeign ? translate(text, rarity) : null;
    // A word of another language is no misspelling.
    const corrected = spelling && hasUnknown && translated === null ? correct(text, mask) : text;
    const searched = translated ?? corrected;
    return {
      text: hasAbbreviation ? spellOut(searched, abbreviations, rarity) : searched,
      corrected: corrected === text ? null : corrected,
    };
  };
}
