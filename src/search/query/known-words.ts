/** The words that the vectors know, as they are written, committed as `model/words.txt` (made by `train/words.ts`), and grammar's. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../base/problem.ts';
import { functionWords } from '../text/text.ts';
import { buildWordIndex, type WordIndex, wordLetters } from '../text/word-index.ts';

const file = new URL('../../../model/words.txt', import.meta.url);
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
  const words = new Map(readModelText(file).map((word) => [word, subjectTerm]));
  for (const word of functionWords)
    if (word.length >= wordLetters.fewest && /^[a-z]+$/.test(word)) words.set(word, grammarTerm);
  return buildWordIndex(words);
}

/** The lines of a file of `model/`; one that cannot be read stops the start with the way out. */
function readModelText(url: URL): string[] {
  try {
    return readFileSync(url, 'utf8').trimEnd().split('\n');
  } catch (cause) {
    const path = fileURLToPath(url);
    const detail = `The file ${path} cannot be read; restore it with \`git checkout -- model\`.`;
    throw new Problem('setup', detail, { cause });
  }
}
