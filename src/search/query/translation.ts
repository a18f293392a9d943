/** Queries in other languages, brought into the words that the catalog is written in. */
import { functionWords, plainText } from '../text/text.ts';
import type { Concept, Concepts } from './concepts.ts';
import { isKnownWord } from './known-words.ts';

/** How common words are in what the caller sees of the catalog. */
export type WordRarity = {
  /** Servers that have all stems of a text. */
  serversWith(text: string): number;
  /** Servers that have the commonest of its stems. */
  serversWithAny(text: string): number;
};

/** The query in English as far as its words are known; null for one that is English, or of a language that nobody here knows. */
export type Translator = (text: string, rarity: WordRarity) => string | null;

const wordRun = /[\p{L}\p{N}]+/gu;
const spacelessRun = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]+/gu;
const hasSpaceless = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const otherScript = /(?!\p{Script=Latin})\p{L}/u;
const latinRun = /[\p{Script=Latin}\p{M}\p{N}]{2,}/gu;
const notAscii = /[^\x00-\x7f]/;
/** Words that no other language here has: who says one of them speaks English, which is found out soonest this way. */
const surelyEnglish = /\b(?:the|of|and|with|from|your|this|that)\b/i;
/** A word written in Latin letters is translated where the English one is so many times as common here. */
const latinRarity = 5;
/** What a query needs to be taken for one in another language that is written in Latin letters. */
const evidence = { foreignWord: 2, grammar: 1, accent: 1, least: 2, wordsForEach: 6 };

export function createTranslator(concepts: Concepts): Translator {
  const signs = signsOf(concepts);

  return (text, rarity) => {
    const isLatin = isForeignLatin(text, signs);
    if (!isLatin && !(notAscii.test(text) && otherScript.test(text))) return null;
    let translated = 0;
    const meaning = (word: string, concept: Concept | undefined, times: number): string => {
      if (concept === undefined) return word;
      const here = concept === '' ? 0 : rarity.serversWith(word);
      if (here > 0 && here * times >= rarity.serversWithAny(concept)) return word;
      translated++;
      return concept;
    };
    const ofRun = (run: string) => {
      const parts = concepts.segments(run).map(({ text, concept }) => {
        return meaning(concept === undefined ? namely(text) : text, concept, 1);
      });
      return ` ${parts.join(' ')} `;
    };
    const words = text.replace(wordRun, (word) => {
      const plain = plainText(word.toLowerCase());
      if (!otherScript.test(plain)) return isLatin ? meaning(word, concepts.of(plain), latinRarity) : word;
      if (!hasSpaceless.test(plain)) return meaning(word, concepts.of(plain), 1);
      return plainText(word).replace(spacelessRun, ofRun);
    });
    return translated === 0 ? null : words.replace(/\s+/g, ' ').trim();
  };
}

/** Of what is unknown: names and terms, but not the syllables and characters that grammar is made of. */
function namely(text: string): string {
  return (text.match(/[\p{Script=Han}]{2,}|[\p{Script=Katakana}ー]{2,}/gu) ?? []).join(' ');
}

/** What a word says for another language (what English has no word for), or against one (what only English has). */
function signsOf(concepts: Concepts): ReadonlyMap<string, number> {
  const signs = new Map<string, number>();
  for (const word of functionWords)
    if (concepts.exactly(word) === undefined) signs.set(word, -evidence.grammar);
  for (const [word, concept] of concepts.entries()) {
    const isEnglish = functionWords.has(word) || concept.split(' ').includes(word) || isKnownWord(word);
    if (!isEnglish && !otherScript.test(word))
      signs.set(word, concept === '' ? evidence.grammar : evidence.foreignWord);
  }
  return signs;
}

function isForeignLatin(text: string, signs: ReadonlyMap<string, number>): boolean {
  const isPlain = !notAscii.test(text);
  if (isPlain && surelyEnglish.test(text)) return false;
  let found = 0;
  let words = 0;
  for (const word of text.toLowerCase().match(latinRun) ?? []) {
    words++;
    const plain = isPlain ? word : plainText(word);
    if (plain !== word) found += evidence.accent;
    found += signs.get(plain) ?? 0;
  }
  return found >= evidence.least && found * evidence.wordsForEach >= words;
}
