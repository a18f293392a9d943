/**
 * Makes `model/words.txt` from the training pairs: `node train/words.ts [pairs.jsonl.gz]`. The words, as they are written,
 * whose stems the vectors know: what a misspelled word may have been meant to be where the catalog does not have it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { loadBuiltInEmbedder } from '../src/search/embedding/built-in-embedder.ts';
import { stemsOf, writtenWords } from '../src/search/text/text.ts';
import { wordLetters } from '../src/search/text/word-index.ts';

/** A word of fewer texts may be a misspelling itself. */
const fewestTexts = 8;

const file = process.argv[2] ?? '../shared/eval/train/pairs.jsonl.gz';
const { knows } = loadBuiltInEmbedder();
const texts = new Set<string>();
for (const line of gunzipSync(readFileSync(file)).toString('utf8').split('\n')) {
  if (line === '') continue;
  const { a, b } = JSON.parse(line) as { readonly a: string; readonly b: string };
  texts.add(a).add(b);
}
const counts = new Map<string, number>();
for (const text of texts)
  for (const word of new Set(writtenWords(text))) counts.set(word, (counts.get(word) ?? 0) + 1);
const isKept = (word: string, count: number) =>
  count >= fewestTexts &&
  word.length >= wordLetters.fewest &&
  word.length <= wordLetters.most &&
  knows?.(stemsOf(word)[0] ?? '') === true;
const kept = [...counts].filter(([word, count]) => isKept(word, count)).map(([word]) => word);
writeFileSync('model/words.txt', `${kept.sort().join('\n')}\n`);
console.log(`wrote ${kept.length} words to model/words.txt`);
