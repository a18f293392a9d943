import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maskArguments } from './mask-arguments.ts';

const masked = (value: unknown) => JSON.parse(maskArguments(Buffer.from(JSON.stringify(value)))) as unknown;

/** Every text and number in it, names as well. */
function leavesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(leavesOf);
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, each]) => [name, ...leavesOf(each)]);
  return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
}

test('no value of the arguments is in their mask, which is JSON of a bounded size, whatever they are', () => {
  const secret = fc.string({ minLength: 6 }).map((text) => `§${text}`);
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 12 },
      secret,
      fc.integer({ min: 100_000 }),
      fc.array(tie('any'), { maxLength: 30 }),
      fc.dictionary(fc.oneof(secret, fc.constant('name'), fc.constant('__proto__')), tie('any')),
    ),
  })).any;
  fc.assert(
    fc.property(value, (sent) => {
      const text = maskArguments(Buffer.from(JSON.stringify(sent)));
      assert.ok(text.length <= 1_000, text);
      for (const leaf of leavesOf(sent))
        if (leaf.startsWith('§') || /^\d{6}/.test(leaf)) assert.ok(!text.includes(leaf), `${leaf} ${text}`);
      JSON.parse(text);
    }),
  );
});

test('structure stays: names that programs choose, kinds, lengths; what is large is told by its size', () => {
  assert.deepEqual(masked({ to: 'ann', amount: 5, urgent: true, note: null, tags: ['a', 'bc'] }), {
    to: 'text(3)',
    amount: 'number',
    urgent: 'boolean',
    note: null,
    tags: ['text(1)', 'text(2)'],
  });
  assert.deepEqual(masked(Array(12).fill(7)), [...Array(10).fill('number'), '2 more']);
  const wide = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`m${i}`, { a: 1, b: [1, 2, 3] }]));
  assert.deepEqual((masked(wide) as Record<string, unknown>).m7, 'object(2)');
  assert.equal(
    masked(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`m${i}`, 1]))),
    'object(300)',
  );
  assert.equal(masked('x'.repeat(65_536)), '65538 bytes');
  assert.equal(masked({ x: JSON.parse(`${'['.repeat(60)}1${']'.repeat(60)}`) as unknown }) === null, false);
});
