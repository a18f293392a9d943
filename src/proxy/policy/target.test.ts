import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../../test/support/full-run.ts';
import { Problem } from '../../base/problem.ts';
import type { ProviderApi } from '../../connections/connections.ts';
import { googleApiRules } from '../../connections/providers/provider-api.ts';
import { parseTarget, proxiedPath, resolveDestination } from './target.ts';

const rules = { ...googleApiRules, scopesByPrefix: {} };
const google: ProviderApi = {
  ...rules,
  name: 'google',
  defaultOrigin: null,
  routes: [
    { prefix: 'gmail/v1', origin: 'https://gmail.googleapis.com' },
    { prefix: '~gmail', origin: 'https://gmail.googleapis.com' },
    { prefix: 'calendar/v3', origin: 'https://www.googleapis.com' },
    { prefix: 'drive/v3', origin: 'https://www.googleapis.com' },
    { prefix: 'v4/spreadsheets', origin: 'https://sheets.googleapis.com' },
    { prefix: 'v1/documents', origin: 'https://docs.googleapis.com' },
    { prefix: '~forms', origin: 'https://forms.googleapis.com' },
    { prefix: 'v1/things', origin: 'https://one.googleapis.com' },
    { prefix: 'v1/things', origin: 'https://two.googleapis.com' },
  ],
};
const github: ProviderApi = {
  ...rules,
  name: 'github',
  defaultOrigin: 'https://api.github.com',
  routes: [],
};
const slack: ProviderApi = {
  ...rules,
  name: 'slack',
  defaultOrigin: 'https://slack.com/api',
  routes: [],
};
const providers: Readonly<Record<string, ProviderApi>> = { google, github, slack };

/** The URL that would be sent, or the status of the refusal. */
function send(target: string): string | number {
  try {
    const parsed = parseTarget(target);
    const routes = providers[parsed.provider];
    if (routes === undefined) return 404;
    const { origin, target: sent } = resolveDestination(routes, parsed);
    return origin + sent;
  } catch (error) {
    assert.ok(error instanceof Problem, String(error));
    return error.kind === 'not_found' ? 404 : 400;
  }
}

const passes: readonly (readonly [path: string, url: string])[] = [
  ['google/gmail/v1/users/me/messages', 'https://gmail.googleapis.com/gmail/v1/users/me/messages'],
  ['google/gmail/v1', 'https://gmail.googleapis.com/gmail/v1'],
  ['google/~gmail/gmail/v1/users', 'https://gmail.googleapis.com/gmail/v1/users'],
  ['google/~forms/v1/forms/x', 'https://forms.googleapis.com/v1/forms/x'],
  [
    'google/upload/drive/v3/files?uploadType=media',
    'https://www.googleapis.com/upload/drive/v3/files?uploadType=media',
  ],
  ['google/resumable/upload/drive/v3/files', 'https://www.googleapis.com/resumable/upload/drive/v3/files'],
  [
    'google/calendar/v3/calendars/a%2Fb%20..%2Fc%252f/events',
    'https://www.googleapis.com/calendar/v3/calendars/a%2Fb%20..%2Fc%252f/events',
  ],
  [
    'google/calendar/v3/calendars/en.usa%23holiday%40group.v.calendar.google.com',
    'https://www.googleapis.com/calendar/v3/calendars/en.usa%23holiday%40group.v.calendar.google.com',
  ],
  ['google/drive/v3/files/..hidden', 'https://www.googleapis.com/drive/v3/files/..hidden'],
  ['google/drive/v3/files/a..b/...', 'https://www.googleapis.com/drive/v3/files/a..b/...'],
  ['google/drive/v3/files/a%252f%252e%252e', 'https://www.googleapis.com/drive/v3/files/a%252f%252e%252e'],
  [
    "google/v4/spreadsheets/1/values/%C3%9Cber!A1:B2'x'(y)*,;=$&+~",
    "https://sheets.googleapis.com/v4/spreadsheets/1/values/%C3%9Cber!A1:B2'x'(y)*,;=$&+~",
  ],
  ['google/v1/documents/1:batchUpdate', 'https://docs.googleapis.com/v1/documents/1:batchUpdate'],
  [
    'google/gmail/v1/x?q=a&q=b&q=a&&=&%20=%0A%5C#'.replace('#', ''),
    'https://gmail.googleapis.com/gmail/v1/x?q=a&q=b&q=a&&=&%20=%0A%5C',
  ],
  [
    'google/gmail/v1/x?keys=1&monkey=2&q=key=3',
    'https://gmail.googleapis.com/gmail/v1/x?keys=1&monkey=2&q=key=3',
  ],
  ['google/gmail/v1/x?', 'https://gmail.googleapis.com/gmail/v1/x?'],
  ['google/gmail/v1/users/', 'https://gmail.googleapis.com/gmail/v1/users/'],
  ['github/repos/a/b', 'https://api.github.com/repos/a/b'],
  ['github/', 'https://api.github.com/'],
  ['slack/chat.postMessage', 'https://slack.com/api/chat.postMessage'],
];

test('A2 A7 A10 what is legitimate goes out byte for byte', () => {
  for (const [path, url] of passes) assert.equal(send(`/v1/proxy/${path}`), url);
});

const refusals: Readonly<Record<string, readonly string[]>> = {
  'A1 dot segments in any spelling': [
    'google/../admin',
    'google/gmail/v1/..',
    'google/gmail/v1/.',
    'google/./gmail/v1/x',
    'google/gmail/v1/%2e%2e/%2e%2e/x',
    'google/gmail/v1/.%2e/x',
    'google/gmail/v1/%2E./x',
    'google/gmail/v1/%2E/x',
    '../proxy/google/x',
    'google/%2e%2e/%2e%2e/admin',
    'google/gmail/v1/..;/x',
    'google/gmail/v1/..;a=b/x',
    'google/gmail/v1/%2e%2e%3b/x',
  ],
  'A2 climbs hidden in an escaped slash': [
    'google/gmail/v1/a%2F..%2Fb',
    'google/gmail/v1/a%2f%2e%2e%2fb',
    'google/gmail/v1/%2F..',
    'google/gmail/v1/..%2F',
    'google/gmail/v1/a%5c..%5cb',
  ],
  'A3 other hosts': [
    'google//evil.test/x',
    'google/\\evil.test',
    'google\\\\evil.test/x',
    'google/https://evil.test/',
    'google/%5cevil.test',
    'github//evil.test/x',
  ],
  'A5 characters that parsers read differently': [
    'google/gmail/v1/a\tb',
    'google/gmail/v1/a\nb',
    'google/gmail/v1/a\0b',
    'google/gmail/v1/ä',
    'google/gmail/v1/a#b',
    'google/gmail/v1/a\\b',
    'google/gmail/v1/%00',
    'google/gmail/v1/a%0d%0ab',
    'google/gmail/v1/a%09',
    'google/gmail/v1/%7f',
    'google/gmail/v1/a%5cb',
    'google/gmail/v1/%',
    'google/gmail/v1/%zz',
    'google/gmail/v1/%f',
    'google/gmail/v1/%ff',
    'google/gmail/v1/%c0%ae',
    'google/gmail/v1/x?a=%',
    'google/gmail/v1/x?a=\t',
    'google/gmail/v1/x?a#b',
  ],
  'A6 empty segments': ['google/gmail/v1//users', 'google//gmail/v1/x', 'google/gmail/v1/users//'],
  'A7 what a URL parser rewrites': [
    'google/gmail/v1/a"b',
    'google/gmail/v1/<x>',
    'google/gmail/v1/{x}',
    'google/gmail/v1/`x`',
  ],
  'A8 providers that are not plain names': [
    'goo%67le/gmail/v1/x',
    'Google/gmail/v1/x',
    '/gmail/v1/x',
    '../gmail/v1/x',
    `${'g'.repeat(33)}/x`,
    'google%2Fgmail/v1/x',
    'goo_gle/x',
  ],
  'A9 requests that hold requests': [
    'google/batch',
    'google/batch/gmail/v1',
    'google/b%61tch/gmail/v1',
    'google/Batch',
    'google/~gmail/batch',
    'google/~gmail/batch/gmail/v1',
    'google/upload/batch/x',
    'github/batch',
    'github/v1.0/$batch',
    'github/v1.0/%24batch',
  ],
  'A10 credentials in the query': [
    'google/gmail/v1/x?access_token=1',
    'google/gmail/v1/x?a=1&key=2',
    'google/gmail/v1/x?oauth_token',
    'google/gmail/v1/x?%61ccess_token=1',
    'google/gmail/v1/x?access%5Ftoken=1',
    'google/gmail/v1/x?a=1;access_token=2',
    'google/gmail/v1/x?$key=1',
    'google/gmail/v1/x?KEY=1',
    'google/gmail/v1/x?+key=1',
    'google/gmail/v1/x?key[]=1',
    'google/gmail/v1/x?$userProject=1',
  ],
};
for (const [promise, paths] of Object.entries(refusals))
  test(`${promise}: 400`, () => {
    for (const path of paths) assert.equal(send(`/v1/proxy/${path}`), 400, path);
  });

test('A3 A6 what no prefix fits to the byte is 404', () => {
  const paths = [
    'gmail/v10/x',
    'gmail/v1evil/x',
    'Gmail/V1/x',
    'gmail%2Fv1/x',
    'gm%61il/v1/x',
    'gmail/v1@evil.test/x',
    '@evil.test/x',
    'http:evil.test',
    'v1/other',
    'v1/things/x',
    'gmail',
    '~nothing/x',
    '~gmailx/gmail/v1',
    'upload/~gmail/gmail/v1',
    'upload/nothing/v1',
    '',
  ];
  for (const path of paths) assert.equal(send(`/v1/proxy/google/${path}`), 404, path);
});

test('A4 a target in another form than a path is refused', () => {
  for (const target of [
    'http://evil.test/v1/proxy/google/gmail/v1/x',
    '*',
    'evil.test:443',
    '/v1/pro%78y/google/gmail/v1/x',
    '//v1/proxy/google/x',
    '/v1/proxy/google',
  ])
    assert.equal(send(target), 400, target);
});

test('A7 whatever comes in, what goes out is the same bytes at an origin of the table, read alike by a URL parser', () => {
  const pieces = fc.constantFrom(
    '.',
    '..',
    '%2e',
    '%2E.',
    '/',
    '//',
    '\\',
    '%2f',
    '%5c',
    '%00',
    '%',
    '@',
    ':',
    '#',
    '?',
    '&',
    'key=',
    '\t',
    'é',
    '%c3%a9',
    'gmail/v1',
    '~gmail',
    'upload',
    'batch',
    'a',
    '{',
    ';',
    ' ',
    '"',
    "'",
    '|',
    '^',
    '[',
  );
  const text = fc
    .array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 8 })
    .map((all) => all.join(''));
  const origins = new Set([
    'https://gmail.googleapis.com',
    'https://www.googleapis.com',
    'https://api.github.com',
  ]);
  fc.assert(
    fc.property(
      fc.constantFrom('google/gmail/v1/', 'google/~gmail/', 'google/drive/v3/', 'google/', 'github/'),
      text,
      (start, rest) => {
        const sent = send(`/v1/proxy/${start}${rest}`);
        if (typeof sent === 'number') return;
        const url = new URL(sent);
        assert.ok(origins.has(url.origin), sent);
        const path = sent.slice(url.origin.length).split('?')[0] ?? '';
        assert.equal(url.pathname, path);
        assert.ok(`/${start}${rest}`.includes(path) || path === '/', sent);
        assert.doesNotMatch(decodeURIComponent(path), /(^|[/\\])\.\.?([/\\]|$)/);
      },
    ),
    { numRuns: runsOf(5_000) },
  );
});

test('C2 a URL of the provider has a path of ours that leads to the same bytes, and no other URL has one', () => {
  const there: readonly (readonly [ProviderApi, string, string | null])[] = [
    [
      google,
      'https://www.googleapis.com/upload/drive/v3/files?uploadType=resumable&upload_id=a%2Fb',
      'google/upload/drive/v3/files?uploadType=resumable&upload_id=a%2Fb',
    ],
    [google, 'https://gmail.googleapis.com/other/v2/x', 'google/~gmail/other/v2/x'],
    [google, 'https://forms.googleapis.com/v1/forms', 'google/~forms/v1/forms'],
    [google, 'https://www.googleapis.com/nothing', null],
    [google, 'https://evil.test/gmail/v1/x', null],
    [google, 'http://gmail.googleapis.com/gmail/v1/x', null],
    [google, 'https://gmail.googleapis.com:8443/gmail/v1/x', null],
    [google, 'https://gmail.googleapis.com/gmail/v1/x?access_token=1', null],
    [github, 'https://api.github.com/repos/a/b', 'github/repos/a/b'],
    [slack, 'https://slack.com/api/x', 'slack/x'],
    [slack, 'https://slack.com/other', null],
  ];
  for (const [routes, url, path] of there)
    assert.equal(proxiedPath(routes, new URL(url)), path === null ? null : `/v1/proxy/${path}`, url);
});
