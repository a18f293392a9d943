import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/paths.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const listed = new Set([...read('docs/threats.md').matchAll(/^\| ([A-P]\d{1,2}) \|/gm)].map(([, id]) => id));
const files = execFileSync('git', ['ls-files', 'src', 'test'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file.endsWith('.ts'));

/** `threats E1 to E7`, `threats B3, B5`: every number that the citation names. */
function cited(text: string): string[] {
  return [...text.matchAll(/threats? ((?:[A-P]\d{1,2}(?:, | and | to |–)?)+)/g)].flatMap(
    ([, list]) => list?.match(/[A-P]\d{1,2}/g) ?? [],
  );
}

test('every threat that a comment cites stands in docs/threats.md', () => {
  const unknown = files.flatMap((file) => cited(read(file)).filter((id) => !listed.has(id)));
  assert.deepEqual(unknown, []);
});

test('every threat in docs/threats.md is borne by a test', () => {
  const names = files
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) => [...read(file).matchAll(/test\(\s*[`'"]([^`'"]+)/g)].map(([, name]) => name ?? ''));
  const borne = new Set(names.flatMap((name) => name.match(/\b[A-P]\d{1,2}\b/g) ?? []));
  const inTables = new Set(
    files
      .filter((file) => file.endsWith('.test.ts'))
      .flatMap(
        (file) =>
          read(file)
            .match(/['"`]([A-P]\d{1,2}) /g)
            ?.map((each) => each.slice(1, -1)) ?? [],
      ),
  );
  const open = [...listed].filter((id) => id !== undefined && !borne.has(id) && !inTables.has(id));
  assert.deepEqual(open, []);
});
