import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../../base/problem.ts';
import { parseJsonBody } from './body.ts';

function detailOf(bytes: Buffer | string): string {
  try {
    parseJsonBody(Buffer.from(bytes as string));
  } catch (error) {
    if (error instanceof Problem && error.kind === 'invalid_request') return error.detail;
    throw error;
  }
  return 'accepted';
}

test('ordinary JSON arrives as JSON.parse gives it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      const text = JSON.stringify(value);
      fc.pre(!/\\u(0000|d[89a-f])/i.test(text) && !text.includes('\0'));
      assert.deepEqual(parseJsonBody(Buffer.from(text)), JSON.parse(text));
    }),
  );
});

test('what would choke a store or a parser is refused by name', () => {
  assert.equal(detailOf('{"a":'), 'body: expected JSON');
  assert.equal(detailOf(Buffer.from([0x22, 0xff, 0x22])), 'body: expected UTF-8');
  assert.equal(detailOf(`${'['.repeat(65)}${']'.repeat(65)}`), 'body: nested deeper than 64 levels');
  assert.equal(detailOf(`${'['.repeat(64)}${']'.repeat(64)}`), 'accepted');
  assert.equal(detailOf(`${'['.repeat(500_000)}`), 'body: nested deeper than 64 levels');
  assert.equal(detailOf('{"a":{"b":["x","\\u0000"]}}'), 'a.b[1]: must not contain NUL or lone surrogates');
  assert.equal(detailOf('{"query":"\\ud800"}'), 'query: must not contain NUL or lone surrogates');
  assert.equal(detailOf('{"\\udfff":1}'), 'body: must not contain NUL or lone surrogates');
});

test('brackets and braces inside strings are no nesting, and a real pair of surrogates is a character', () => {
  assert.equal(detailOf(JSON.stringify({ a: '[{'.repeat(200), b: 'quote " and \\ too' })), 'accepted');
  assert.deepEqual(parseJsonBody(Buffer.from('"\\ud83d\\ude00"')), '😀');
});

test('no bytes make it throw anything but a Problem', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void detailOf(Buffer.from(bytes))));
});
