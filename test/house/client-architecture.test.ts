import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { findCycles, readSources, type Source } from '../support/source-graph.ts';

const consoleSources = readSources('console/src');
const buildSources = readSources('console/documents');
const sdkSources = readSources('sdk');

/** The folders of the console, each knowing those of lower floors and no other; `.` is main.tsx. */
const floors: Readonly<Record<string, number>> = {
  browser: 0,
  api: 1,
  components: 2,
  docs: 3,
  search: 3,
  trial: 3,
  activity: 3,
  toolsets: 3,
  dialogs: 3,
  'server-entry': 3,
  server: 4,
  pages: 5,
  layout: 6,
  '.': 7,
};
/** Lists, one file an entry. */
const lists = new Set(['pages']);
const folderFiles = 10;
/** The packages that a browser loads. */
const packages = new Set(['preact', 'preact/hooks', '@preact/signals', 'uplot', 'virtual:documents']);
const apiTypes = '../../sdk/api.ts';

function isStyle(specifier: string): boolean {
  return specifier.endsWith('.css');
}

/** `file → target` of the imports that break a rule. */
function breaking(
  sources: readonly Source[],
  breaks: (from: Source, i: Source['imports'][number]) => boolean,
) {
  return sources.flatMap((from) =>
    from.imports
      .filter((each) => !isStyle(each.specifier) && breaks(from, each))
      .map(({ specifier }) => `${from.file} → ${specifier}`),
  );
}

test('console and SDK: no file imports itself by way of others, types included', () => {
  assert.ok(consoleSources.length > 40 && sdkSources.length > 10);
  for (const sources of [consoleSources, buildSources, sdkSources]) assert.deepEqual(findCycles(sources), []);
});

test('the folders of the console know each other in one direction', () => {
  const floorOf = (file: string) => floors[dirname(file)];
  assert.deepEqual(
    consoleSources.filter(({ file }) => floorOf(file) === undefined).map(({ file }) => file),
    [],
    'every folder has its floor',
  );
  const upwards = breaking(
    consoleSources,
    ({ file }, { target }) =>
      target !== null &&
      !target.startsWith('..') &&
      dirname(target) !== dirname(file) &&
      (floorOf(target) ?? 99) >= (floorOf(file) ?? 0),
  );
  assert.deepEqual(upwards, []);
});

test('the console takes nothing from elsewhere but the types of the API, and loads few packages', () => {
  const outside = breaking(
    consoleSources,
    (_, { specifier, target, isTypeOnly }) =>
      (target === null && !packages.has(specifier)) ||
      (target?.startsWith('..') === true && !(target === apiTypes && isTypeOnly)),
  );
  assert.deepEqual(outside, []);
});

test('what the build of the console makes of documents knows nothing of the console but their type', () => {
  const outside = breaking(
    buildSources,
    (_, { target }) => target?.startsWith('..') === true && target !== '../src/docs/document.ts',
  );
  assert.deepEqual(outside, []);
});

test('the SDK: its agent stands on its client, never the other way round', () => {
  const isAgent = (file: string) => file.startsWith('agent/');
  const wrong = breaking(
    sdkSources,
    ({ file }, { target }) => file !== 'client.ts' && target !== null && isAgent(target) && !isAgent(file),
  );
  assert.deepEqual(wrong, []);
});

test('console and SDK: at most ten files a folder, names that say what they hold, once', () => {
  const counts = Map.groupBy(consoleSources, ({ file }) => dirname(file));
  const crowded = [...counts].filter(([folder, { length }]) => !lists.has(folder) && length > folderFiles);
  assert.deepEqual(crowded, []);
  for (const sources of [consoleSources, sdkSources]) {
    const names = sources.map(({ file }) => basename(file).replace(/\.tsx?$/, ''));
    assert.deepEqual(
      names.filter((name, i) => names.indexOf(name) !== i),
      [],
    );
    assert.deepEqual(
      names.filter((name) => !/^[a-z]+(-[a-z]+)*$/.test(name)),
      [],
    );
  }
});
