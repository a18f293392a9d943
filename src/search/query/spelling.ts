/** Misspelled words of a query, by the words that the caller's part of the catalog has and by those that the vectors know. */
import type { SearchIndex } from '../segments/search-index.ts';
import { eachNearWord, type WordIndex, wordAt, wordLetters } from '../text/word-index.ts';
import { grammarTerm, knownWords } from './known-words.ts';
import { serversWith, type ViewMask } from './seen-terms.ts';

/** From so many letters on a word may have two mistakes. */
const longWord = 9;
/** Fitted on misspelled queries (`npm run eval`): how much rarer a word may be for one mistake less, in logarithms of servers. */
const weights = { firstLetter: 2, distance: 3 };

/** Grammar is misspelled as if so many of the servers had the word: who asks for "wether" wants the weather. */
const grammarShare = 0.01;

/** A word that could be meant, and how likely. */
type Guess = { word: string | null; score: number };

/** The known word (in small letters) that a word of a to z was probably meant to be; null where none is near. */
export function correctSpelling(index: SearchIndex, word: string, mask: ViewMask | null): string | null {
  const asked = word.toLowerCase();
  const guess: Guess = { word: null, score: Number.NEGATIVE_INFINITY };
  for (const words of index.words)
    search(words, asked, guess, (term) => serversWith(index, term, mask) || null);
  search(knownWords(), asked, guess, (term) => (term === grammarTerm ? index.serverCount * grammarShare : 0));
  return guess.word;
}

/** Takes over what is likelier than the guess; `serversOf` a word's term is null where the caller sees none. */
function search(
  words: WordIndex,
  asked: string,
  guess: Guess,
  serversOf: (term: number) => number | null,
): void {
  eachNearWord(words, asked, asked.length >= longWord ? 2 : 1, (candidate, distance) => {
    const servers = serversOf(words.terms[candidate]!);
    if (servers === null) return;
    const sameFirst = words.letters[words.starts[candidate]!] === asked.charCodeAt(0);
    const score = Math.log(1 + servers) + (sameFirst ? weights.firstLetter : 0) - weights.distance * distance;
    if (score < guess.score) return;
    const found = wordAt(words, candidate);
    // Where they lie says nothing: of equal ones the first by letters.
    if (score === guess.score && guess.word !== null && guess.word <= found) return;
    guess.score = score;
    guess.word = found;
  });
}

/** Words that can be misspelled: of letters alone, and not too short to tell. */
export function isSpellable(word: string): boolean {
  return word.length >= wordLetters.fewest && word.length <= wordLetters.most && /^[A-Za-z]+$/.test(word);
}
