import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { coerceQuery, validator } from './validate.ts';

const check = validator(
  Type.Object(
    {
      query: Type.String({ minLength: 1, maxLength: 5 }),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50 })),
      values: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 5 }))),
      filters: Type.Optional(
        Type.Object({ auth: Type.Array(Type.Enum(['none', 'oauth2'])) }, { additionalProperties: false }),
      ),
    },
    { additionalProperties: false },
  ),
  'body',
);

const cases: readonly (readonly [unknown, string])[] = [
  [undefined, 'body: expected an object'],
  [[], 'body: expected an object'],
  [{}, 'query: required; expected a string of 1 to 5 characters'],
  [{ query: 'abcdef' }, 'query: expected a string of 1 to 5 characters'],
  [{ query: 'a', limit: '3' }, 'limit: expected an integer from 1 to 50'],
  [{ query: 'a', limit: 51 }, 'limit: expected an integer from 1 to 50'],
  [{ query: 'a', lmit: 3 }, 'lmit: unknown field; expected query, limit, values, filters'],
  [{ query: 'a', values: { key: 5 } }, 'values.key: expected a string of 0 to 5 characters'],
  [{ query: 'a', filters: { auth: ['none', 'x'] } }, 'filters.auth[1]: expected one of none, oauth2'],
  [{ query: 'a', filters: { auth: [], b: 1 } }, 'filters.b: unknown field; expected auth'],
  [
    JSON.parse('{"query":"a","__proto__":1}'),
    '__proto__: unknown field; expected query, limit, values, filters',
  ],
];

for (const [value, detail] of cases) {
  test(`names the field and what was expected: ${detail}`, () => {
    assert.throws(() => check(value), { name: 'Problem', message: detail });
  });
}

test('a value that fits comes back as it is', () => {
  const value = { query: 'a', limit: 3 };
  assert.equal(check(value), value);
});

test('a query string becomes what the schema wants, and stays text where it does not fit', () => {
  const schema = Type.Object({ limit: Type.Integer(), verified: Type.Boolean(), name: Type.String() });
  assert.deepEqual(coerceQuery(schema, { limit: '7', verified: 'true', name: '7' }), {
    limit: 7,
    verified: true,
    name: '7',
  });
  assert.deepEqual(coerceQuery(schema, { limit: '7x', verified: 'yes' }), { limit: '7x', verified: 'yes' });
});
