import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isFullRun } from '../../../test/support/full-run.ts';
import { compilePattern } from './linear-pattern.ts';
import { PatternFault } from './pattern-parser.ts';

/** Patterns of everything that is known, put together from parts that are right by themselves. */
const { pattern } = fc.letrec<{ pattern: string; atom: string }>((tie) => ({
  pattern: fc
    .array(tie('atom'), { minLength: 1, maxLength: 4 })
    .chain((atoms) => fc.constantFrom(atoms.join(''), atoms.join('|'))),
  atom: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '[a-c-]', '\\d', '\\W', '\\.', '^', '$', '[\\d.]'),
    tie('pattern').map((inner) => `(?:${inner})`),
    fc
      .tuple(
        tie('pattern').map((inner) => `(${inner})`),
        fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{1,}', '*?'),
      )
      .map(([inner, times]) => inner + times),
  ),
}));
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', '\n', '😀'), maxLength: 8 });

test('a pattern fits what it fits as a regular expression', () => {
  fc.assert(
    fc.property(pattern, text, (by, said) => {
      const expected = new RegExp(by, 'u').test(said);
      try {
        assert.equal(compilePattern(by)(said), expected, `${by} on ${JSON.stringify(said)}`);
      } catch (error) {
        // Repetitions of repetitions may be more than is followed.
        if (!(error instanceof PatternFault)) throw error;
      }
    }),
    { numRuns: isFullRun ? 3_000 : 500 },
  );
});

test('no pattern makes a text take long, and none that would is taken', () => {
  const nasty = compilePattern('^(a|a)*(a*)*(.*a){20}b$');
  assert.equal(nasty('a'.repeat(20_000)), false);
  for (const [by, why] of [
    ['(a)\\1', /going back/],
    ['(?=a)', /going back/],
    ['(?<!a)b', /going back/],
    ['\\bword', /not known/],
    ['((a{90}){90}){90}', /followed in time/],
    ['(((){100}){100}){100}', /followed in time/],
    ['a{200}', /more than 100/],
    ['a{3,1}', /before its beginning/],
    ['a**', /repeated/],
    ['(a', /not closed/],
    ['a)', /closes nothing/],
    ['[a', /too early/],
    ['[z-a]', /range/],
    ['a{', /no repetition/],
    ['\\', /too early/],
  ] as const)
    assert.throws(
      () => compilePattern(by),
      (error: unknown) => {
        assert.ok(error instanceof PatternFault);
        assert.match(error.message, why, by);
        return true;
      },
    );
});
