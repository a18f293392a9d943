import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CallJournal, readLeftBehind } from './call-journal.ts';

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-journal-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
const linesIn = (folder: string) =>
  readdirSync(folder).flatMap((name) =>
    readFileSync(join(folder, name), 'utf8').trimEnd().split('\n').slice(1),
  );
const row = (i: number, text = '') => ({ id: `call_${i}`, text });

test('a row is in the file until the store has it; what is left at the end stays for the next start', (t) => {
  const folder = temporaryFolder(t);
  const journal = new CallJournal(folder);
  const rows = [0, 1, 2].map((i) => row(i));
  assert.deepEqual(
    rows.map((each) => journal.add(each)),
    [true, false, false],
  );
  assert.deepEqual(readdirSync(folder), [], 'together, and not yet');
  journal.persist();
  assert.deepEqual(
    linesIn(folder).map((line) => JSON.parse(line)),
    rows,
  );
  assert.deepEqual(readLeftBehind(folder), [], 'whoever writes it is alive');
  journal.settle([]);
  assert.deepEqual(linesIn(folder), []);
  journal.add(row(3));
  journal.close([row(3)]);
  assert.deepEqual(
    linesIn(folder).map((line) => JSON.parse(line)),
    [row(3)],
  );
  const done = new CallJournal(folder);
  done.add(row(4));
  done.persist();
  done.settle([]);
  done.close([]);
  assert.equal(readdirSync(folder).length, 1, 'a file of nothing goes');
});

test('a store that is slow costs a file of what it has not, and no more', (t) => {
  const folder = temporaryFolder(t);
  const journal = new CallJournal(folder);
  const rows = Array.from({ length: 100 }, (_, i) => row(i, 'x'.repeat(100_000)));
  for (const each of rows) journal.add(each);
  journal.persist();
  journal.settle(rows.slice(99));
  const [name = ''] = readdirSync(folder);
  assert.ok(statSync(join(folder, name)).size < 200_000);
  journal.add(row(100));
  journal.persist();
  assert.deepEqual(
    linesIn(folder).map((line) => (JSON.parse(line) as { id: string }).id),
    ['call_99', 'call_100'],
  );
  journal.close([]);
});

test('what processes that are gone left is read; half of a line, and files of others, are passed over', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'calls-own_0a.journal');
  const owner = { pid: 1, started: 'another boot 1' };
  writeFileSync(path, `${JSON.stringify({ owner })}\n${JSON.stringify(row(1))}\n{"id":"call_2","te`);
  writeFileSync(join(folder, 'calls.journal'), JSON.stringify(row(3)));
  assert.deepEqual(readLeftBehind(folder), [{ path, rows: [row(1)] }]);
  assert.deepEqual(readLeftBehind(join(folder, 'nowhere')), []);
});
