import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fillIn, namesHost, type UserVariable } from './user-credentials.ts';

const open: UserVariable = { description: '', required: true, secret: true, default: null, choices: [] };
const refuse = (run: () => unknown) => assert.throws(run, { kind: 'invalid_request' });

test('values go into headers and URL; what was left out is left out, a bare key gets its scheme', () => {
  const asked = {
    headers: { authorization: '{key}', 'x-region': '{region}', 'x-note': 'for {note}' },
    variables: {
      tenant: open,
      key: open,
      region: { ...open, required: false, default: 'eu', choices: ['eu', 'us'] },
      note: { ...open, required: false },
    },
  };
  const url = 'https://{tenant}.example/a/{tenant}?t={tenant}';
  assert.deepEqual(fillIn(asked, url, { tenant: 'acme', key: ' k1 ' }), {
    url: 'https://acme.example/a/acme?t=acme',
    headers: { authorization: 'Bearer k1', 'x-region': 'eu' },
  });
  const { headers } = fillIn(asked, url, { tenant: 'a', key: 'Token k1', region: 'us', note: 'ann' });
  assert.deepEqual(headers, { authorization: 'Token k1', 'x-region': 'us', 'x-note': 'for ann' });
  assert.throws(() => fillIn(asked, url, { tenant: 'a' }), /values\.key: required/);
  assert.throws(
    () => fillIn(asked, url, { tenant: 'a', key: 'k', region: 'moon' }),
    /expected one of eu, us/,
  );
  assert.throws(() => fillIn(asked, url, { tenant: 'a', key: 'k', other: 'x' }), /values\.other: unknown/);
  for (const key of ['a\r\nb', 'a\u0000', 'x'.repeat(8_193)])
    refuse(() => fillIn(asked, url, { tenant: 'a', key }));
  // What every object has is nothing that somebody sent.
  const odd = { headers: { 'x-odd': '{constructor}' }, variables: { constructor: open } };
  assert.throws(() => fillIn(odd, url, {}), /values\.constructor: required/);
});

test('N14 no value leads to another host or out of its part of the path', () => {
  const ofUrl = { headers: {}, variables: { x: open } };
  for (const x of ['evil.example/', 'evil.example#', 'u:p@evil.example', 'a?b', '-', '', 'a b', '[::1]', 'ä'])
    refuse(() => fillIn(ofUrl, 'https://{x}.one.example/mcp', { x }));
  for (const x of ['.', '..']) refuse(() => fillIn(ofUrl, 'https://one.example/{x}/mcp', { x }));
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 20 }), (x) => {
      for (const template of ['https://{x}.one.example/mcp', 'https://one.example/a/{x}/mcp?k={x}']) {
        try {
          const { hostname, pathname, hash } = new URL(fillIn(ofUrl, template, { x }).url);
          assert.ok(hostname === 'one.example' || hostname.endsWith('.one.example'), hostname);
          assert.ok(template.includes('//{x}') || /^\/a\/[^/]+\/mcp$/.test(pathname), pathname);
          assert.equal(hash, '');
        } catch (error) {
          assert.ok(error instanceof Error && 'kind' in error, String(error));
        }
      }
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(['https://{x}/mcp', 'https://a.example/{x}'].map(namesHost), [true, false]);
});
