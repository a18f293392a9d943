import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { argumentsOf, entriesOf, startOf } from '../../console/src/trial/argument-form.ts';
import { resolved, typeName } from '../../console/src/trial/parameter-schema.ts';
import { runsOf } from '../support/full-run.ts';

const keywords = [
  ...[
    'type',
    'properties',
    'required',
    'enum',
    'enumNames',
    'items',
    'default',
    'const',
    'anyOf',
    'oneOf',
    'allOf',
  ],
  ...['$ref', '$defs', 'title', 'description', 'pattern', 'format', 'minItems', 'minimum', 'x'],
];
const word = fc.constantFrom<unknown>(
  'string',
  'object',
  'array',
  '#',
  '#/$defs/x',
  '#/properties/x',
  '[',
  '',
);
const { schema } = fc.letrec((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(null, true, false, 0, 3, -1),
    word,
    fc.array(tie('schema'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...keywords), tie('schema'), { maxKeys: 5, noNullPrototype: true }),
  ),
}));

test('whatever a server sends as a schema, there is a form', () => {
  fc.assert(
    fc.property(schema, (sent) => {
      const entries = entriesOf(sent as never);
      argumentsOf(entries, {});
      for (const entry of entries)
        assert.equal(typeof startOf(entry) + typeof typeName(entry.schema), 'stringstring');
    }),
    { numRuns: runsOf(8_000) },
  );
});

test('a member of no kind that a schema has says nothing, and the others what they say', () => {
  const text = { type: 'string', required: true, title: 7, maxLength: 3 } as never;
  const [entry] = entriesOf({ type: 'object', required: null as never, properties: { text } });
  assert.deepEqual(
    [entry?.name, entry?.kind, entry?.required, entry?.schema.maxLength],
    ['text', 'text', false, 3],
  );
});

test('what all of several say is asked for together', () => {
  const place = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
  const sent = {
    $defs: { place, loop: { allOf: [{ $ref: '#/$defs/loop' }, { $ref: '#/$defs/loop' }] } },
    allOf: [
      { $ref: '#/$defs/place' },
      { properties: { days: { allOf: [{ type: 'integer' }, { minimum: 1 }] } } },
    ],
    required: ['days'],
  };
  const entries = entriesOf(sent);
  assert.deepEqual(
    entries.map(({ name, kind, required, schema: { minimum } }) => [name, kind, required, minimum]),
    [
      ['city', 'text', true, undefined],
      ['days', 'integer', true, 1],
    ],
  );
  assert.deepEqual(resolved({ $ref: '#/$defs/loop' }, sent).properties, undefined);
});
