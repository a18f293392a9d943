import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { problemTable } from '../../src/base/problem.ts';
import { exitCodes } from '../../src/cli/output.ts';
import { settings } from '../../src/config.ts';
import { root } from '../support/paths.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const rows = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

test('docs/errors.md has a row for every kind of problem, with its status, and none besides', () => {
  const documented = rows(read('docs/errors.md'))
    .slice(1)
    .map(([status, code]) => `${status} ${code}`);
  const table = Object.entries(problemTable)
    .filter(([kind]) => kind !== 'setup')
    .map(([, { status, code }]) => `${status} \`${code}\``);
  assert.deepEqual(documented.sort(), table.sort());
});

test('docs/configuration.md has a row for every setting, with its default, and none besides', () => {
  const documented = rows(read('docs/configuration.md'))
    .slice(1)
    .map(([name, , fallback]) => `${name} ${fallback}`);
  const table = Object.entries(settings).map(
    ([name, { fallback }]) =>
      `\`${name}\` ${fallback === null ? '(unset)' : fallback === '' ? '(none)' : `\`${fallback}\``}`,
  );
  assert.deepEqual(documented.sort(), table.sort());
});

test('docs/cli.md has the exit codes', () => {
  const documented = rows(read('docs/cli.md'))
    .filter(([first]) => /^\d$/.test(first ?? ''))
    .map(([code, meaning]) => [Number(code), meaning?.split(':')[0]]);
  assert.deepEqual(
    documented,
    Object.entries(exitCodes).map(([name, code]) => [code, name]),
  );
});

test('docs/architecture.md draws and names every folder of the tree, and none besides', () => {
  const folders = [
    ...readdirSync(join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name),
  ];
  const house = read('docs/architecture.md').split('```')[1] ?? '';
  const drawn = house
    .split('\n')
    .filter((line) => !line.includes('to come') && !line.startsWith('beside'))
    .flatMap((line) => /^(?:floor \d| {7}) {2}([a-z-]+)\//.exec(line)?.[1] ?? []);
  assert.deepEqual(drawn.sort(), folders.sort());
  const map = read('docs/architecture.md')
    .split('\n')
    .flatMap((line) => /^\| `([a-z/-]+)\/` \|/.exec(line)?.[1] ?? []);
  const top = readdirSync(root, { withFileTypes: true })
    .filter(
      (entry) =>
        entry.isDirectory() && !entry.name.startsWith('.') && !['node_modules', 'dist'].includes(entry.name),
    )
    .map(({ name }) => name);
  assert.deepEqual(
    map.filter((name) => !name.startsWith('src/')).sort(),
    top.filter((name) => name !== 'src').sort(),
  );
  assert.deepEqual(
    map.filter((name) => name.startsWith('src/')).sort(),
    folders.map((name) => `src/${name}`).sort(),
  );
});

test('no document has a person run a file on the Node that the machine happens to have', () => {
  const files = [
    'README.md',
    'CONTRIBUTING.md',
    ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`),
  ];
  const bare = files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...read(file).matchAll(/(?<!npx )\bnode (?:--?[\w=-]+ )*[\w/.-]+\.(?:ts|js)\b/g)].map(
        ([text]) => `${file}: ${text}`,
      ),
    );
  assert.deepEqual(bare, []);
});

test('every relative link in the documents leads somewhere', () => {
  const files = [
    'README.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'CHANGELOG.md',
    ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.md'))
      .map((file) => `docs/${file}`),
  ];
  const broken = files.flatMap((file) =>
    [...read(file).matchAll(/\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g)]
      .map((match) => join(file, '..', match[1] ?? ''))
      .filter((target) => {
        try {
          readFileSync(join(root, target));
          return false;
        } catch (error) {
          return (error as NodeJS.ErrnoException).code !== 'EISDIR';
        }
      })
      .map((target) => `${file} → ${target}`),
  );
  assert.deepEqual(broken, []);
});
