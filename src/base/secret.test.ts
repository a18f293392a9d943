import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import { Secret } from './secret.ts';

test('M5 a secret prints as [secret], however it is printed', () => {
  const secret = new Secret('planted-value');
  const nested = { a: [secret], error: new Error('x', { cause: secret }) };
  for (const text of [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect(nested, { depth: 9, showHidden: true }),
    format('%s %o %j', secret, secret, secret),
  ])
    assert.ok(text.includes('[secret]') && !text.includes('planted'), text);
  assert.equal(secret.reveal(), 'planted-value');
});
