import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/paths.ts';

const files = execFileSync('git', ['ls-files', 'src', 'sdk', 'console/src'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => /\.tsx?$/.test(file) && !file.includes('.test.'));

/** Words that stood for several things, or that only we understood; docs/glossary.md has the ones in their place. */
const retired =
  /^(look|looks|lookAt|gate|gates|createGate|hear|heard|hearing|ear|ears|told|tell|say|said|mailbox|standing|standings|ask|askStep|step|stepUp|seats|ledger|watch|cleaned|verdict|judge|adopt|quiet|giveUp|party|parties|holding|holdings|prove|prover|invite|invitation|disown|tend|upkeep|tickets|unopened|warm|recall|kept|facts|setFacts|notable|taught|teach|learnt|blank|wordless|surer|sureness|newcomer|outline|pieces|together|mass|pass|busy|whole|plain|checkup|rooms|openRooms|withRooms|surface|outside|exchange|departure|leaving|gone|line|turn|shed|shedder|dress|pour|useDeed|bits|once|why|narrow|dialogue)$/i;

function exportedNames(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const declared =
    /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|type|interface) (\w+)/gm;
  return [...text.matchAll(declared)].map(([, name]) => name ?? '');
}

test('no exported name is one of the retired words', () => {
  const found = files.flatMap((file) =>
    exportedNames(file)
      .filter((name) => retired.test(name))
      .map((name) => `${file}: ${name}`),
  );
  assert.deepEqual(found, []);
});

test('file names are unique in src', () => {
  const seen = new Map<string, string>();
  const twice: string[] = [];
  for (const file of files.filter((each) => each.startsWith('src/'))) {
    const name = basename(file);
    if (seen.has(name)) twice.push(`${seen.get(name)} and ${file}`);
    seen.set(name, file);
  }
  assert.deepEqual(twice, []);
});

test('log events are dotted names, never prose', () => {
  const prose = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(/\blog\.(?:debug|info|warn|error)\(\s*'([^']+)'/g)]
      .map(([, event]) => event ?? '')
      .filter((event) => !/^[a-z_]+(\.[a-z_]+)+$/.test(event))
      .map((event) => `${file}: ${event}`);
  });
  assert.deepEqual(prose, []);
});
