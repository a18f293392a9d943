import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../base/problem.ts';
import { builtinProviders } from './builtin-providers.ts';
import { mergeProviders } from './provider-file.ts';

const merge = (rows: unknown) =>
  new Map(mergeProviders(builtinProviders, JSON.stringify(rows)).map((row) => [row.name, row]));
const faultsOf = (json: string) => {
  try {
    mergeProviders(builtinProviders, json);
  } catch (error) {
    assert.ok(error instanceof Problem && error.kind === 'setup');
    return error.detail;
  }
  return '';
};

test('a row of the file changes what it names and leaves the rest of the built-in row', () => {
  const google = merge({ google: { client_id: 'id', client_secret: 's3cret', scopes: ['openid'] } }).get(
    'google',
  );
  assert.deepEqual([google?.clientId, google?.scopes], ['id', ['openid']]);
  assert.equal(google?.tokenUrl, 'https://oauth2.googleapis.com/token');
  assert.ok(!JSON.stringify(google).includes('s3cret'));
});

test('a row that moves the authority keeps no URL of the old one', () => {
  const google = merge({ google: { issuer: 'https://idp.example.com' } }).get('google');
  assert.deepEqual(
    [google?.tokenUrl, google?.revocationUrl, google?.userinfoUrl, google?.jwksUrl],
    [null, null, null, null],
  );
  assert.ok((google?.routes.length ?? 0) > 20, 'the APIs stay');
});

test('all faults are told at once, by name, and nothing of the file besides', () => {
  const faults = faultsOf(
    JSON.stringify({
      'Bad Name': {},
      mcp: {},
      a: { issuer: 'ftp://x', client_secret: 7, zzz: 'hunter2' },
      b: { issuer: 'https://x.example', client_id: 'x', authorization_params: { state: 'fixed' } },
      c: { authorization_url: 'javascript:alert(1)', default_origin: 'https://x.example/path' },
      d: { issuer: 'https://x.example', routes: [{ prefix: '/x/', origin: 'https://x.example' }] },
    }),
  );
  for (const named of [
    'Bad Name: ',
    'mcp: ',
    'a.issuer: ',
    'a.client_secret: ',
    'a.zzz: unknown field',
    'a: expected an issuer',
    'b.client_secret: required',
    'b.authorization_params: ',
    'c.authorization_url: ',
    'c.default_origin: ',
    'd.routes: ',
  ])
    assert.ok(faults.includes(`  ${named}`), `${named} in ${faults}`);
  assert.ok(!faults.includes('hunter2'));
  assert.match(faultsOf('{"google": {"client_secret": "hunter2"'), /expected a JSON object/);
  assert.ok(!faultsOf('{"google": "hunter2"').includes('hunter2'));
});

test('Google has every prefix of the contract, uploads too, and every service by name', () => {
  const google = builtinProviders.find(({ name }) => name === 'google');
  const origins = new Map(google?.routes.map(({ prefix, origin }) => [prefix, origin]));
  for (const [prefix, host] of [
    ['gmail/v1', 'gmail'],
    ['calendar/v3', 'www'],
    ['drive/v3', 'www'],
    ['oauth2/v2', 'www'],
    ['v4/spreadsheets', 'sheets'],
    ['v1/documents', 'docs'],
    ['v1/people', 'people'],
    ['tasks/v1', 'tasks'],
    ['youtube/v3', 'youtube'],
  ] as const)
    for (const each of [prefix, `upload/${prefix}`])
      assert.equal(origins.get(each), `https://${host}.googleapis.com`, each);
  assert.equal(origins.get('~sheets'), 'https://sheets.googleapis.com');
  assert.equal(google?.defaultOrigin, null);
});

test("Slack's reply becomes a standard one", () => {
  const slack = builtinProviders.find(({ name }) => name === 'slack');
  assert.deepEqual(
    slack?.toStandardReply?.({ ok: true, authed_user: { id: 'U1', access_token: 'xoxp', scope: 'a,b' } }),
    { id: 'U1', access_token: 'xoxp', scope: 'a,b', token_type: 'bearer' },
  );
});
