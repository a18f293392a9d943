import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildWordIndex, eachNearWord, wordAt } from './word-index.ts';

const word = fc.string({ unit: fc.constantFrom(...'ab'), minLength: 4, maxLength: 7 });

/** One edit: a letter left out, put in, exchanged, or swapped with its neighbour. */
function oneEdit(text: string): Set<string> {
  const edits = new Set([text]);
  for (let i = 0; i <= text.length; i++) {
    const [head, tail] = [text.slice(0, i), text.slice(i + 1)];
    if (i < text.length) edits.add(head + tail);
    if (tail !== '') edits.add(`${head}${tail[0]}${text[i]}${tail.slice(1)}`);
    for (const letter of 'ab') edits.add(head + letter + text.slice(i)).add(head + letter + tail);
  }
  return edits;
}

test('every word that is one edit away is found, with its distance, and nothing further away', () => {
  fc.assert(
    fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 40 }), word, (words, asked) => {
      const index = buildWordIndex(new Map(words.map((text, i) => [text, i])));
      const found = new Map<string, number>();
      eachNearWord(index, asked, 1, (number, distance) => {
        assert.equal(index.terms[number], words.indexOf(wordAt(index, number)));
        found.set(wordAt(index, number), distance);
      });
      const edits = oneEdit(asked);
      const near = words.filter((text) => edits.has(text));
      assert.deepEqual([...found.keys()].sort(), near.sort());
      for (const [text, distance] of found) assert.equal(distance, text === asked ? 0 : 1);
    }),
  );
});

test('an index without words finds none', () => {
  eachNearWord(buildWordIndex(new Map()), 'word', 2, () => assert.fail('found one'));
});
