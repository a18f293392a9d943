/** What people write for longer names: `model/abbreviations.txt`, written for this project. */
import { splitWord, stemsOf } from '../text/text.ts';
import type { WordRarity } from './translation.ts';

/** By the abbreviation's stem, what it stands for. */
export type Abbreviations = ReadonlyMap<string, string>;

export function readAbbreviations(lines: readonly string[]): Abbreviations {
  return new Map(
    lines
      .filter((line) => !line.startsWith('#'))
      .map((line) => {
        const space = line.indexOf(' ');
        return [stemsOf(line.slice(0, space))[0] ?? '', line.slice(space + 1)];
      }),
  );
}

/** Not a file's ending, nor a part of a name or path. */
const wholeWord = /(?<![^\s(,;])[A-Za-z0-9]+(?=[\s),;.?!:]*(?:\s|$))/g;

/** The query with what its abbreviations stand for behind it, where that is the more common here. */
export function spellOut(
  text: string,
  known: Abbreviations,
  rarity: Pick<WordRarity, 'serversWith'>,
): string {
  const meant = new Set<string>();
  for (const word of text.match(wholeWord) ?? []) {
    const [stem = '', more] = splitWord(word);
    const name = more === undefined ? known.get(stem) : undefined;
    if (name !== undefined && rarity.serversWith(word) < rarity.serversWith(name)) meant.add(name);
  }
  return meant.size === 0 ? text : `${text} ${[...meant].join(' ')}`;
}
