import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../../test/support/full-run.ts';
import { type Row, rowsOf } from './rows.ts';

async function split(file: string | Buffer, chunkBytes = 7): Promise<Row[]> {
  const bytes = Buffer.from(file);
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  };
  const found: Row[] = [];
  for await (const row of rowsOf(chunks())) found.push(row);
  return found;
}

async function values(file: string, chunkBytes?: number): Promise<unknown[]> {
  const rows = await split(file, chunkBytes);
  return rows.flatMap((row) =>
    'text' in row && row.text.trim() !== '' ? [JSON.parse(row.text) as unknown] : [],
  );
}

const rows = [
  { id: 'a', text: 'br[ack}ets "quoted" \\ and ünïcödé 👩‍💻' },
  { id: 'b', deep: [[{ x: [] }]] },
  { id: 'c' },
];
const forms: Readonly<Record<string, string>> = {
  'JSON Lines': rows.map((row) => JSON.stringify(row)).join('\n'),
  'JSON Lines with CRLF, blank lines and a final line end': `${rows.map((row) => JSON.stringify(row)).join('\r\n\r\n')}\r\n`,
  'an array on one line': JSON.stringify(rows),
  'a pretty-printed array': JSON.stringify(rows, null, 2),
  'a registry dump': JSON.stringify({ servers: rows, metadata: { count: 3 } }),
  'a pretty-printed dump with other keys first': JSON.stringify(
    { metadata: { next: '[' }, servers: rows },
    null,
    2,
  ),
};
for (const [name, file] of Object.entries(forms)) {
  test(`${name} gives every row, with and without a byte-order mark, however it is cut into chunks`, async () => {
    for (const bytes of [1, 3, 64, 100_000]) {
      assert.deepEqual(await values(file, bytes), rows);
      assert.deepEqual(await values(`\ufeff${file}`, bytes), rows);
    }
  });
}

test('one document is one row', async () => {
  assert.deepEqual(await values(JSON.stringify(rows[0], null, 2)), [rows[0]]);
  assert.deepEqual(await values(JSON.stringify(rows[0])), [rows[0]]);
});

test('any JSON values survive being written as an array or as lines', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { minKeys: 2 }), { minLength: 1 }),
      fc.integer({ min: 1, max: 40 }),
      async (expected, chunkBytes) => {
        const plain = JSON.parse(JSON.stringify(expected)) as Record<string, unknown>[];
        if (plain.some((row) => 'servers' in row)) return;
        assert.deepEqual(await values(JSON.stringify(plain), chunkBytes), plain);
        const lines = plain.map((row) => JSON.stringify(row)).join('\n');
        assert.deepEqual(await values(lines, chunkBytes), plain);
      },
    ),
    { numRuns: runsOf(60) },
  ));

test('a broken line spoils itself only', async () => {
  const found = await split('{"id":"a"}\n{"id":"b", "name":"un\n{"id":"c"}\n');
  assert.deepEqual(found, [
    { text: '{"id":"a"}' },
    { text: '{"id":"b", "name":"un' },
    { text: '{"id":"c"}' },
  ]);
});

test('a file that ends in the middle says so', async () => {
  assert.deepEqual((await split('{"id":"a"}\n{"id":"b", "na')).at(-1), { cut: '{"id":"b", "na' });
});

test('a file that is read whole and ends in the middle, or is no JSON, gives no row at all', async () => {
  for (const file of [
    '[{"id":"a"},{"id":"b", "na',
    '[{"id":"a"},{"id":"b"}',
    '{\n"id": "a"',
    '[{"id":"a"}]]',
  ])
    assert.deepEqual(await split(file), [{ broken: file }]);
});

test('what is read whole has a bound, JSON Lines have none', async () => {
  const bounded = async (file: string) => {
    const chunks = async function* () {
      for (let at = 0; at < file.length; at += 64) yield Buffer.from(file.slice(at, at + 64));
    };
    const found: Row[] = [];
    for await (const row of rowsOf(chunks(), 1_000)) found.push(row);
    return found.length;
  };
  const many = Array.from({ length: 200 }, (_, i) => ({ id: `server-${i}` }));
  assert.equal(await bounded(many.map((row) => JSON.stringify(row)).join('\n')), 200);
  for (const list of [many, { servers: many }])
    for (const space of [0, 2])
      await assert.rejects(bounded(JSON.stringify(list, null, space)), {
        kind: 'invalid_request',
        detail: /JSON Lines only/,
      });
});

test('a huge row is not held, and the next one is read', async () => {
  const huge = JSON.stringify({ id: 'huge', text: 'x'.repeat(6_000_000) });
  for (const file of [`{"id":"a"}\n${huge}\n{"id":"b"}\n`, `[{"id":"a"},${huge},{"id":"b"}]`]) {
    const found = await split(file, 65_536);
    assert.deepEqual([found[0], found[2]], [{ text: '{"id":"a"}' }, { text: '{"id":"b"}' }]);
    assert.ok('tooLarge' in found[1]! && found[1].tooLarge.startsWith('{"id":"huge"'));
    assert.ok(found[1].tooLarge.length <= 1_000);
  }
});

test('an empty file has no rows', async () => {
  assert.deepEqual(await values(''), []);
  assert.deepEqual(await values('\n\n'), []);
  assert.deepEqual(await values('[]'), []);
});
