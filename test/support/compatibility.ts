import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.ts';

const file = join(root, 'docs/compatibility.md');

/**
 * Holds what a run saw against its table in docs/compatibility.md, the one under `heading`. `COMPATIBILITY=write` puts it there
 * instead. A run without some of the programs says nothing about their rows.
 */
export function holdCompatibility(heading: string, seen: readonly (readonly string[])[]): void {
  const text = readFileSync(file, 'utf8');
  const table = new RegExp(`(## ${heading}\\n[^|]*)((?:\\|[^\\n]*\\n)+)`).exec(text);
  assert.ok(table !== null, `docs/compatibility.md has no table under "${heading}"`);
  const [, before = '', lines = ''] = table;
  const [head = '', rule = '', ...documented] = lines.trimEnd().split('\n');
  const rows = seen.map((cells) => `| ${cells.join(' | ')} |`).sort();
  const named = new Set(seen.map(([name]) => name));
  const others = documented.filter((row) => !named.has(row.split('|')[1]?.trim() ?? ''));
  if (process.env.COMPATIBILITY === 'write') {
    const written = [head, rule, ...[...rows, ...others].sort()].join('\n');
    writeFileSync(
      file,
      text.replace(table[0], () => `${before}${written}\n`),
    );
    return;
  }
  assert.deepEqual(
    documented.filter((row) => !others.includes(row)).sort(),
    rows,
    `docs/compatibility.md is not what was seen: COMPATIBILITY=write makes it so`,
  );
}
