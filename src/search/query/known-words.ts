/** The words that the vectors know, as they are written, committed as `model/words.txt` (made by `train/words.ts`), and grammar's. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../base/problem.ts';
import { functionWords } from '../text/text.ts';
import { buildWordIndex, eachNearWord, type WordIndex, wordLetters } from '../text/word-index.ts';

/** Instead of a term: the word carries grammar, and every server has such words. */
export const grammarTerm = 1;
const subjectTerm = 0;

let known: WordIndex | undefined;

/** Read once a process. */
export function knownWords(): WordIndex {
  known ??= readWords();
  return known;
}

function readWords(): WordIndex {
  const words = new Map(readModelText('words.txt').map((word) => [word, subjectTerm]));
  for (const word of functionWords)
    if (word.length >= wordLetters.fewest && /^[a-z]+$/.test(word)) words.set(word, grammarTerm);
  return buildWordIndex(words);
}

/** Whether a word of a to z is one of them, or a grammatical one. */
export function isKnownWord(word: string): boolean {
  let known = false;
  eachNearWord(knownWords(), word, 0, () => {
    known = true;
  });
  return known;
}

/** The lines of a file of `model/`; one that cannot be read stops the start with the way out. */
export function readModelText(name: string): string[] {
  const url = new URL(`../../../model/${name}`, import.meta.url);
  try {
    return readFileSync(url, 'utf8').trimEnd().split('\n');
  } catch (cause) {
    const path = fileURLToPath(url);
    const detail = `The file ${path} cannot be read; restore it with \`git checkout -- model\`.`;
    throw new Problem('setup', detail, { cause });
  }
}
