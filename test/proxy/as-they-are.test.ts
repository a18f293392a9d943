import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootApp } from '../support/app.ts';
import { mitOf } from '../support/mcp-oauth.ts';
import { providerSettings } from '../support/oidc.ts';
import { startPlainProvider } from '../support/plain-provider.ts';
import { rawRequest, recordingUpstream, startProxy, statuses } from '../support/proxy.ts';

const form = 'Content-Type: application/x-www-form-urlencoded';
const list = '/v1/proxy/google/gmail/v1/users/me/messages';
const sent = (method: string, path: string, lines: readonly string[], body = '') =>
  rawRequest(method, path, [...lines, `Content-Length: ${Buffer.byteLength(body, 'latin1')}`], body);

/** GET over POST, however it is written: what reaches the provider. */
const gets: Readonly<Record<string, readonly [string, string]>> = {
  "Google's Python client": [
    sent(
      'POST',
      list,
      ['x-http-method-override: GET', form.toLowerCase()],
      'q=from%3Ame+is%3Aunread&alt=json',
    ),
    '/gmail/v1/users/me/messages?q=from%3Ame+is%3Aunread&alt=json',
  ],
  'with a query beside the form': [
    sent('POST', `${list}?alt=json`, ['X-HTTP-Method-Override: GET', form], 'q=1'),
    '/gmail/v1/users/me/messages?alt=json&q=1',
  ],
  'a charset, lower case, blanks': [
    sent('POST', list, ['X-HTTP-METHOD-OVERRIDE:  get ', `${form}; charset=UTF-8`], 'q=1'),
    '/gmail/v1/users/me/messages?q=1',
  ],
  'another name': [
    sent('POST', list, ['X-Method-Override: GET', form], 'q=1'),
    '/gmail/v1/users/me/messages?q=1',
  ],
  'a third one': [sent('POST', list, ['X-HTTP-Method: GET', form], 'q=1'), '/gmail/v1/users/me/messages?q=1'],
  'no form at all': [
    sent('POST', `${list}?q=1`, ['X-HTTP-Method-Override: GET']),
    '/gmail/v1/users/me/messages?q=1',
  ],
  'a form of 6,000 characters': [
    sent('POST', list, ['X-HTTP-Method-Override: GET', form], `q=${'a'.repeat(6_000)}`),
    `/gmail/v1/users/me/messages?q=${'a'.repeat(6_000)}`,
  ],
};

test('28 GET over POST with a form is judged and sent as that GET', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end('{"ok":true}'));
  const proxy = await startProxy(t, upstream.origin);
  for (const [name, [bytes, target]] of Object.entries(gets)) {
    assert.deepEqual(statuses(await proxy.raw([bytes])), [200], name);
    const { method, target: reached, rawHeaders, body } = upstream.seen.at(-1) ?? {};
    assert.deepEqual([method, reached, body], ['GET', target, ''], name);
    assert.doesNotMatch(String(rawHeaders), /override|x-http-method|content-/i, name);
  }
});

const google = '/v1/proxy/google';
/** Every other override, and what would be refused of the GET itself. */
const refused: Readonly<Record<string, string>> = {
  'an upload': sent('POST', `${google}/upload/drive/v3/files`, ['X-HTTP-Method-Override: GET', form], 'a=1'),
  'an upload without a body': sent('POST', `${google}/upload/drive/v3/files`, [
    'X-HTTP-Method-Override: GET',
  ]),
  'DELETE over POST': sent('POST', list, ['X-HTTP-Method-Override: DELETE', form], 'q=1'),
  'PATCH over POST, JSON': sent(
    'POST',
    list,
    ['X-HTTP-Method-Override: PATCH', 'Content-Type: application/json'],
    '{}',
  ),
  'GET over POST, JSON': sent(
    'POST',
    list,
    ['X-HTTP-Method-Override: GET', 'Content-Type: application/json'],
    '{"q":1}',
  ),
  'GET over POST, no type': sent('POST', list, ['X-HTTP-Method-Override: GET'], 'q=1'),
  'GET over POST, a type that begins alike': sent(
    'POST',
    list,
    ['X-HTTP-Method-Override: GET', `${form}-not`],
    'q=1',
  ),
  'GET over POST, compressed': sent(
    'POST',
    list,
    ['X-HTTP-Method-Override: GET', form, 'Content-Encoding: gzip'],
    'q=1',
  ),
  'GET over PUT': sent('PUT', list, ['X-HTTP-Method-Override: GET', form], 'q=1'),
  'DELETE over GET': rawRequest('GET', list, ['X-HTTP-Method-Override: DELETE']),
  'POST over POST': sent('POST', list, ['X-HTTP-Method-Override: POST', form], 'q=1'),
  'two fields': sent('POST', list, ['X-HTTP-Method-Override: GET', 'X-Method-Override: GET', form], 'q=1'),
  'two values': sent('POST', list, ['X-HTTP-Method-Override: GET, DELETE', form], 'q=1'),
  'X-HTTP-Method: MERGE': sent('POST', list, ['X-HTTP-Method: MERGE', form], 'q=1'),
  'X-Method-Override: PUT': sent('POST', list, ['X-Method-Override: PUT', form], 'q=1'),
  '_method in the query': sent('POST', `${list}?_method=DELETE`, [form], 'q=1'),
  '_method in the form': sent('POST', list, [form], 'q=1&_method=delete'),
  'a credential in the form': sent('POST', list, ['X-HTTP-Method-Override: GET', form], 'access_token=1'),
  'a key in the form': sent('POST', list, ['X-HTTP-Method-Override: GET', form], 'q=1&%6bey=2'),
  'a fragment in the form': sent('POST', list, ['X-HTTP-Method-Override: GET', form], 'q=1#x'),
  'a line break in the form': sent('POST', list, ['X-HTTP-Method-Override: GET', form], 'q=1\r\nX: 1'),
  'a form of bytes': sent('POST', list, ['X-HTTP-Method-Override: GET', form], 'q=\u00e4'),
  'a form beyond all URLs': sent(
    'POST',
    list,
    ['X-HTTP-Method-Override: GET', form],
    `q=${'a'.repeat(70_000)}`,
  ),
  'Google’s own: $httpMethod': sent('POST', `${list}?$httpMethod=DELETE`, [form], 'q=1'),
  'Google’s own: $httpHeaders': rawRequest('GET', `${list}?$httpHeaders=X-A:1`),
};

test('28 every other override is refused, and nothing reaches the provider', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end('{}'));
  const proxy = await startProxy(t, upstream.origin);
  for (const [name, bytes] of Object.entries(refused)) {
    const [status] = statuses(await proxy.raw([bytes]));
    assert.equal(status, name.startsWith('a form beyond') ? 413 : 400, name);
  }
  assert.deepEqual(upstream.seen, []);
});

test('28 a field without a value asks for nothing, and a GET may have a parameter of that name', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end('{}'));
  const proxy = await startProxy(t, upstream.origin);
  for (const bytes of [
    sent('POST', list, ['X-HTTP-Method-Override: ', form], 'q=1'),
    rawRequest('GET', `${list}?_method=1`),
  ])
    assert.deepEqual(statuses(await proxy.raw([bytes])), [200]);
});

test('23 `key` and `userProject` are credentials at Google only', async (t) => {
  const plain = await startPlainProvider(t);
  await plain.connect('ann');
  for (const query of ['key=PROJ', 'a=1&key=2', 'userProject=x', 'KEY=1', 'httpMethod=x'])
    assert.equal((await plain.call('ann', `api/x?${query}`)).status, 200, query);
  assert.deepEqual(
    plain.at('/api/x').map(({ query }) => query.toString()),
    ['key=PROJ', 'a=1&key=2', 'userProject=x', 'KEY=1', 'httpMethod=x'],
  );
  for (const query of ['access_token=1', 'oauth_token=1', 'bearer_token=1', 'Access_Token=1'])
    assert.equal((await plain.call('ann', `api/x?${query}`)).status, 400, query);
  assert.equal(plain.at('/api/x').length, 5);
  // A row of the operator's that leads to Google.
  for (const default_origin of ['https://www.googleapis.com', 'https://sheets.googleapis.com']) {
    const google = await startPlainProvider(t, { default_origin });
    await google.connect('ann');
    const reply = await google.call('ann', 'drive/v3/files?key=PROJ');
    assert.equal(reply.status, 400, reply.text);
    assert.match(String(reply.body.detail), /^query: key is refused/);
  }
});

test('23 a provider that is not configured is 404 with what the operator can do, not "the user has not connected"', async (t) => {
  const rows = { acme: { issuer: 'https://login.acme.example', default_origin: 'https://api.acme.example' } };
  const app = await bootApp(t, providerSettings(t, rows));
  const headers = await mitOf(app, 'ann');
  for (const [path, remedy] of [
    [
      'google/gmail/v1/users/me/messages',
      /GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET, or its row in MCPRANK_PROVIDERS/,
    ],
    ['github/user', /its row in MCPRANK_PROVIDERS/],
    ['acme/x', /its row in MCPRANK_PROVIDERS/],
  ] as const)
    for (const method of ['GET', 'POST']) {
      const reply = await app.call(method, `/v1/proxy/${path}`, { headers });
      assert.deepEqual([reply.status, reply.body.code], [404, 'not_found'], reply.text);
      assert.match(String(reply.body.detail), remedy);
    }
  const info = await app.call('GET', '/v1/proxy/google/info', { headers });
  assert.deepEqual(info.body, { provider: 'google', connected: false, status: null, can_access: false });
  assert.equal((await app.call('GET', '/v1/proxy/nobody/x', { headers })).status, 404);
});

test('23 a configured provider that a user has not connected is 403 with a session, as ever', async (t) => {
  const plain = await startPlainProvider(t);
  const reply = await plain.call('ann');
  assert.equal((reply.body.detail as { code: string }).code, 'provider_not_connected');
});
