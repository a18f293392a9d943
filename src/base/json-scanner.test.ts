import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../test/support/full-run.ts';
import { jsonText as json } from '../../test/support/json-text.ts';
import {
  itemsOf,
  JsonFault,
  type JsonFaultReason,
  type JsonView,
  membersOf,
  scanJson,
} from './json-scanner.ts';
import { changeMembers, joinJson, onOneLine } from './json-splice.ts';

/** `JSON_FUZZ_RUNS=1000000 node --test src/base/json-scanner.test.ts` for the long run. */
const runs = runsOf(30_000);
const decoder = new TextDecoder('utf-8', { fatal: true });

function refusal(act: () => unknown): JsonFaultReason | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof JsonFault) return error.reason;
    throw error;
  }
}

function isParsed(bytes: Buffer): boolean {
  try {
    JSON.parse(decoder.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

test('accepts and refuses what JSON.parse does, for valid texts and for texts with bytes changed', () => {
  const alphabet = Buffer.from('{}[]",:0123456789.eE+-\\utrfalsn \n\x00\xc3\xa9', 'latin1');
  const edits = fc.array(
    fc.tuple(fc.constantFrom('set', 'insert', 'remove'), fc.nat(), fc.nat(alphabet.length - 1)),
    { maxLength: 3 },
  );
  fc.assert(
    fc.property(json, edits, (text, changes) => {
      let bytes = Buffer.from(text);
      for (const [kind, where, what] of changes) {
        const at = where % (bytes.length + 1);
        const one = alphabet.subarray(what, what + 1);
        const rest = bytes.subarray(kind === 'insert' ? at : at + 1);
        bytes = Buffer.concat([bytes.subarray(0, at), ...(kind === 'remove' ? [] : [one]), rest]);
      }
      assert.equal(refusal(() => scanJson(bytes)) === null, isParsed(bytes), bytes.toString('latin1'));
    }),
    { numRuns: Number(process.env.JSON_FUZZ_RUNS ?? runs) },
  );
});

/** What tempts a scanner to look back: `of(n)` is about n bytes, valid or broken at its very end. */
const pathological: Readonly<Record<string, (n: number) => string>> = {
  'an open string': (n) => `"${'a'.repeat(n)}`,
  'an open string of escapes': (n) => `"${'\\\\'.repeat(n / 2)}`,
  'a string of surrogates, one broken': (n) => `"${'\\ud83d'.repeat(n / 6)}\\u12"`,
  'digits without an end': (n) => `[${'9'.repeat(n)}.${'0'.repeat(n)}e`,
  'numbers broken at the end': (n) => `[${'-0.0e+1,'.repeat(n / 8)}-]`,
  'white space': (n) => `{${' \n'.repeat(n / 2)}`,
  'white space around each token': (n) =>
    `[${'     1  \t '
      .repeat(n / 12)
      .trim()
      .split(/ {3,}/)
      .join(' , ')}`,
  'nested to the limit, over and over': (n) => `[${`${'['.repeat(63)}${']'.repeat(63)},`.repeat(n / 127)}0]`,
  'open objects to the limit': (n) => `[${`${'{"a":'.repeat(62)}1${'}'.repeat(62)},`.repeat(n / 374)}`,
  'keys that look like a wanted one': (n) => `{"params":{${'"nam":0,'.repeat(n / 8)}"name":1}}`,
  'a wanted key in escapes, too long': (n) => `{"params":{"${'\\u006e'.repeat(n / 6)}":1}}`,
  'keys written in escapes': (n) => `{"params":{${'"\\u006eam":0,'.repeat(n / 13)}"name":1}}`,
  'many empty keys': (n) => `{${'"":{},'.repeat(n / 6)}`,
};

test('inputs made to take long are refused or taken as JSON.parse does', () => {
  const shape = { params: { name: true, arguments: { a: true } }, jsonrpc: true, id: true } as const;
  for (const [name, of] of Object.entries(pathological)) {
    const text = of(24_000);
    const ours = refusal(() => membersOf(scanJson(Buffer.from(text), shape)));
    assert.equal(ours === null, isParsed(Buffer.from(text)), name);
  }
});

test('long strings: each byte at each place of them, wherever their bytes lie in memory', () => {
  for (let byte = 0; byte < 256; byte++)
    for (const where of [0, 62, 63, 64, 65, 66, 67, 68, 75]) {
      const room = Buffer.alloc(120, 'a');
      const skew = (byte + where) % 4;
      const bytes = room.subarray(skew, skew + 82);
      bytes.write('["');
      bytes[2 + where] = byte;
      bytes.write('",0]', 78);
      assert.equal(
        refusal(() => scanJson(bytes)) === null,
        isParsed(bytes),
        `${byte} at ${where}, ${skew} behind`,
      );
    }
});

test('a noted member is the bytes that came, whatever stands around it', () => {
  fc.assert(
    fc.property(json, json, json, (first, wanted, last) => {
      const text = `{"x":${first},"params" :{ "y":${last},"arguments":\n${wanted} },"z":${last}}`;
      const found = scanJson(Buffer.from(text), { params: { arguments: true } })
        .get('params')
        ?.get('arguments');
      assert.equal(found?.text(), wanted);
    }),
    { numRuns: runsOf(5_000) },
  );
});

test('a member that is read and stands twice is refused, also when one is written with escapes; others may', () => {
  const shape = { params: { name: true } } as const;
  const scan = (text: string) => refusal(() => scanJson(Buffer.from(text), shape));
  assert.equal(scan('{"params":{"name":"a","n\\u0061me":"b"}}'), 'duplicate');
  assert.equal(scan('{"params":{},"\\u0070arams":{}}'), 'duplicate');
  assert.equal(scan('{"params":{"other":1,"other":2},"x":1,"x":2}'), null);
});

test('depth is bounded, a byte-order mark is skipped, broken UTF-8 is refused', () => {
  const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
  assert.equal(
    refusal(() => scanJson(nested(64))),
    null,
  );
  assert.equal(
    refusal(() => scanJson(nested(65))),
    'depth',
  );
  assert.equal(scanJson(Buffer.from('\ufeff {}')).kind, 'object');
  assert.equal(
    refusal(() => scanJson(Buffer.from([0x22, 0xff, 0x22]))),
    'utf8',
  );
});

test('changing one member leaves the bytes of all others alone', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.stringMatching(/^[a-e]$/), json), { maxLength: 6 }),
      json,
      (members, value) => {
        const unique = [...new Map(members)];
        const text = `{${unique.map(([name, each]) => `"${name}":${each}`).join(' , ')}}`;
        const changed = joinJson(changeMembers(scanJson(Buffer.from(text)), { a: [value], b: null }));
        const expected = unique
          .filter(([name]) => name !== 'b')
          .map(([name, each]) => [name, name === 'a' ? value : each]);
        if (!unique.some(([name]) => name === 'a')) expected.push(['a', value]);
        assert.deepEqual(read(scanJson(changed)), expected);
      },
    ),
    { numRuns: runsOf(3_000) },
  );
});

const read = (view: JsonView) => membersOf(view).map(({ name, value }) => [name, value.text()]);

test('any members are changed, added and left out at once, whether it was noted where they stand or not', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', '\\u0061', 'é');
  const space = fc.constantFrom('', ' ', '\n\t');
  const shapes = [
    {},
    { a: true },
    { a: true, b: true, c: true },
    { b: { x: true }, a: true, c: true, d: true },
  ] as const;
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(name, json, space, space), {
        selector: ([each]) => JSON.parse(`"${each}"`),
        maxLength: 6,
      }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.option(json), {
        maxKeys: 5,
        noNullPrototype: true,
      }),
      fc.constantFrom(...shapes),
      (members, changes, shape) => {
        const text = `{${members.map(([each, value, before, behind]) => `${before}"${each}"${behind}:${before}${value}${behind}`).join(',')}}`;
        const asked = Object.fromEntries(
          Object.entries(changes).map(([each, value]) => [each, value === null ? null : [value]]),
        );
        const changed = joinJson(changeMembers(scanJson(Buffer.from(text), shape), asked));
        const before = members.map(([each, value]) => [JSON.parse(`"${each}"`) as string, value] as const);
        const left = before.flatMap(([each, value]) => {
          const change = Object.hasOwn(changes, each) ? changes[each] : value;
          return change == null ? [] : [[each, change]];
        });
        const more = Object.entries(changes).filter(
          ([each, value]) => value !== null && !before.some(([known]) => known === each),
        );
        assert.deepEqual(read(scanJson(changed)), [...left, ...more]);
      },
    ),
    { numRuns: runsOf(6_000) },
  );
});

test('a member that stands twice is left out, or changed, as one', () => {
  const twice = scanJson(Buffer.from('{"a":1,"b":2,"a":3}'));
  assert.equal(joinJson(changeMembers(twice, { a: null })).toString(), '{"b":2}');
  assert.equal(joinJson(changeMembers(twice, { a: ['9'] })).toString(), '{"a":9,"b":2}');
});

test('on one line: only the line breaks between tokens go', () => {
  const before = Buffer.from('{\r\n "a" : [1,\n2.0], "b":"x\\ny" }');
  assert.equal(onOneLine(before).toString(), '{ "a" : [1,2.0], "b":"x\\ny" }');
});

test('items of an array come with the members asked for', () => {
  const tools = scanJson(Buffer.from('[{"name":"a","inputSchema":{"x":1.0}}, 7]'));
  const [first, second] = itemsOf(tools, { name: true, inputSchema: true });
  assert.equal(first?.get('inputSchema')?.text(), '{"x":1.0}');
  assert.equal(second?.kind, 'number');
});
