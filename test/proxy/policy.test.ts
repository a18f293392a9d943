import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { key, rawRequest, recordingUpstream, secretToken, startProxy, statuses } from '../support/proxy.ts';

const ok = (t: TestContext) => recordingUpstream(t, (_request, reply) => reply.end('{"ok":true}'));

const neverSent: Readonly<Record<string, readonly string[]>> = {
  'A1 dot segments': [
    '/v1/proxy/google/%2e%2e/%2e%2e/admin',
    '/v1/proxy/../proxy/google/gmail/v1/x',
    '/v1/proxy/google/gmail/v1/../x',
    '/v1/proxy/google/gmail/v1/.%2e/x',
    '/v1/proxy/google/gmail/v1/%2E.',
    '/v1/proxy/google/gmail/v1/./x',
  ],
  'A2 hidden climbs': ['/v1/proxy/google/gmail/v1/a%2F..%2Fb', '/v1/proxy/google/gmail/v1/a%5C..%5Cb'],
  'A3 other hosts': [
    '/v1/proxy/google//evil.test/x',
    '/v1/proxy/google/\\evil.test/x',
    '/v1/proxy/google/\\\\evil.test/x',
    '/v1/proxy/google/https://evil.test/',
    '/v1/proxy/google/http:evil.test',
    '/v1/proxy/google/@evil.test',
    '/v1/proxy/google/gmail/v1@evil.test/x',
  ],
  'A4 other forms of a target': ['http://evil.test/v1/proxy/google/gmail/v1/x', '*'],
  'A5 characters that parsers read differently': [
    '/v1/proxy/google/gmail/v1/a%00',
    '/v1/proxy/google/gmail/v1/a%0d%0aX:1',
    '/v1/proxy/google/gmail/v1/a%5cb',
    '/v1/proxy/google/gmail/v1/a\tb',
    '/v1/proxy/google/gmail/v1/a\u00e4',
    '/v1/proxy/google/gmail/v1/a#b',
    '/v1/proxy/google/gmail/v1/%zz',
    '/v1/proxy/google/gmail/v1/%',
  ],
  'A6 empty segments and near prefixes': [
    '/v1/proxy/google/gmail/v1//users',
    '/v1/proxy/google/gmail/v10/x',
    '/v1/proxy/google/gmail/v1evil/x',
    '/v1/proxy/google/Gmail/V1/x',
    '/v1/proxy/google/gmail%2Fv1/x',
  ],
  'A7 what a URL parser rewrites': ['/v1/proxy/google/gmail/v1/{x}', '/v1/proxy/google/gmail/v1/"x"'],
  'A8 providers that are not plain names': [
    '/v1/proxy/goo%67le/gmail/v1/x',
    '/v1/proxy/goo%67le/info',
    '/v1/proxy/Google/gmail/v1/x',
    '/v1/proxy/unknown/gmail/v1/x',
  ],
  'A9 batches': [
    '/v1/proxy/google/batch',
    '/v1/proxy/google/batch/gmail/v1',
    '/v1/proxy/google/~gmail/b%61tch',
  ],
  'A10 credentials in the query': [
    '/v1/proxy/google/gmail/v1/x?access_token=1',
    '/v1/proxy/google/gmail/v1/x?a=1&key=2',
    '/v1/proxy/google/gmail/v1/x?%6bey=2',
    '/v1/proxy/google/gmail/v1/x?oauth_token=3',
  ],
};
for (const [promise, targets] of Object.entries(neverSent))
  test(`${promise}: refused, and nothing reaches the provider`, async (t) => {
    const upstream = await ok(t);
    const proxy = await startProxy(t, upstream.origin);
    for (const method of ['GET', 'POST'])
      for (const target of targets) {
        const received = await proxy.raw([
          rawRequest(method, target, method === 'POST' ? ['Content-Length: 0'] : []),
        ]);
        const [status, ...more] = statuses(received);
        assert.ok(status === 400 || status === 404, `${target}: ${received}`);
        assert.deepEqual(more, []);
        assert.match(received, /\{"detail":"[^"]+/, target);
      }
    assert.deepEqual([upstream.connections(), upstream.seen], [0, []]);
  });

test('A2 A10 the target of a legitimate call reaches the provider byte for byte', async (t) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  const targets = [
    'gmail/v1/a%2Fb%20..%2Fc%252f',
    'gmail/v1/..hidden/a..b/%e4%b8%96%E7%95%8C',
    "gmail/v1/x:y@z;p=1,2!$&'()*+~",
    'gmail/v1/x?a=1&a=2&b=%2F%2f+%20&a=3&&q=from%3Ame@x.test/?',
    'drive/v3/files/en.usa%23holiday%40group',
    'upload/drive/v3/files?uploadType=multipart',
  ];
  for (const target of targets) {
    const received = await proxy.raw([rawRequest('GET', `/v1/proxy/google/${target}`)]);
    assert.deepEqual(statuses(received), [200], received);
  }
  assert.deepEqual(
    upstream.seen.map(({ target }) => target.slice(1)),
    targets,
  );
});

test('A4 B7 methods that are not offered are 405, a tunnel is refused, an upgrade is 400; nothing is sent', async (t) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  for (const method of ['TRACE', 'OPTIONS', 'PROPFIND'])
    assert.deepEqual(
      statuses(await proxy.raw([rawRequest(method, '/v1/proxy/google/gmail/v1/x')])),
      [405],
      method,
    );
  assert.deepEqual(statuses(await proxy.raw([rawRequest('TRACK', '/v1/proxy/google/gmail/v1/x')])), [400]);
  assert.deepEqual(statuses(await proxy.raw([rawRequest('CONNECT', 'evil.test:443')])), [405]);
  for (const protocol of ['websocket', 'h2c', 'TLS/1.2']) {
    const lines = [`Upgrade: ${protocol}`, 'HTTP2-Settings: AAMAAABkAAQAAP__'];
    const bytes = rawRequest('GET', '/v1/proxy/google/gmail/v1/x', lines);
    const received = await proxy.raw([bytes.replace('Connection: close', 'Connection: Upgrade, close')]);
    assert.deepEqual(statuses(received), [400], received);
  }
  assert.equal(upstream.connections(), 0);
});

const sentWith = async (t: TestContext, lines: readonly string[]) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  const received = await proxy.raw([rawRequest('GET', '/v1/proxy/google/gmail/v1/x', lines)]);
  assert.deepEqual(statuses(received), [200], received);
  const fields: [string, string][] = [];
  const raw = upstream.seen[0]?.rawHeaders ?? [];
  for (let i = 0; i < raw.length; i += 2) fields.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return { fields, origin: upstream.origin };
};

test('B1 B2 B4 B6 G7 only what concerns the provider goes out, spelled and ordered as it came; our credential comes last', async (t) => {
  const { fields, origin } = await sentWith(t, [
    'Accept: a/b',
    'X-Custom: 1',
    'x-cUSTOM: 2',
    'If-None-Match: "x"',
    'Range: bytes=0-1',
    'x-goog-api-client: gl-node/24',
    'Keep-Alive: timeout=5',
    'Proxy-Authorization: Basic eDp5',
    'Proxy-Connection: keep-alive',
    'TE: gzip',
    'Trailer: X-T',
    'X-MIT: 1',
    'X-User-Token: 1',
    'X-User-Id: bob',
    'Cookie: a=b',
    'Forwarded: for=1.2.3.4',
    'X-Forwarded-For: 1.2.3.4',
    'X-Forwarded-Host: evil.test',
    'X-Real-IP: 1.2.3.4',
    'Via: 1.1 x',
    'Origin: https://evil.test',
    'Referer: https://evil.test',
    'Sec-Fetch-Mode: cors',
    'CF-Connecting-IP: 1.2.3.4',
    'traceparent: 00-1-1-00',
    'X-Goog-User-Project: other',
    'X-Goog-Impersonate-User: admin',
    'X-Proxy-Origin: upstream',
  ]);
  assert.deepEqual(
    fields.filter(([name]) => name.toLowerCase() !== 'connection'),
    [
      ['host', origin.slice('http://'.length)],
      ['Accept', 'a/b'],
      ['X-Custom', '1'],
      ['x-cUSTOM', '2'],
      ['If-None-Match', '"x"'],
      ['Range', 'bytes=0-1'],
      ['x-goog-api-client', 'gl-node/24'],
      ['authorization', `Bearer ${secretToken}`],
    ],
  );
});

test('B1 what Connection names goes no further', async (t) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  const bytes = rawRequest('GET', '/v1/proxy/google/gmail/v1/x', ['X-Hop: 1', 'X-Stays: 1']);
  await proxy.raw([bytes.replace('Connection: close', 'Connection: close, X-Hop,authorization')]);
  const text = upstream.seen[0]?.rawHeaders.join('\n') ?? '';
  assert.doesNotMatch(text, /x-hop/i);
  assert.match(text, /X-Stays/);
  assert.match(text, new RegExp(`authorization\nBearer ${secretToken}`));
});

test('B2 B3 a second credential, host, key or length in any spelling is 400 and nothing is sent', async (t) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  for (const line of ['aUTHORIZATION: Bearer evil', 'HOST: evil.test', `x-api-KEY: ${key}`])
    assert.deepEqual(
      statuses(await proxy.raw([rawRequest('GET', '/v1/proxy/google/gmail/v1/x', [line])])),
      [400],
      line,
    );
  const lengths = rawRequest(
    'POST',
    '/v1/proxy/google/gmail/v1/x',
    ['Content-Length: 1', 'Content-Length: 1'],
    'a',
  );
  assert.deepEqual(statuses(await proxy.raw([lengths])), [400]);
  assert.equal(upstream.connections(), 0);
});

test('B5 line breaks and NUL in header values are refused before anything is sent', async (t) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  for (const line of ['X-A: a\rX-B: b', 'X-A: a\0b', 'X-A: a\nbad line'])
    assert.deepEqual(
      statuses(await proxy.raw([rawRequest('GET', '/v1/proxy/google/gmail/v1/x', [line])])),
      [400],
      line,
    );
  assert.equal(upstream.connections(), 0);
});

test('C4 more than 100 header fields are 400', async (t) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  const many = Array.from({ length: 120 }, (_, i) => `X-${i}: 1`);
  assert.deepEqual(
    statuses(await proxy.raw([rawRequest('GET', '/v1/proxy/google/gmail/v1/x', many)])),
    [400],
  );
  assert.equal(upstream.connections(), 0);
});

test('D1 D2 D5 a request whose end is ambiguous is 400, is answered once, and nothing is sent', async (t) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  const path = '/v1/proxy/google/gmail/v1/x';
  const smuggled = rawRequest('GET', '/v1/proxy/google/gmail/v1/smuggled');
  const attacks: Record<string, string> = {
    'CL and TE': `${rawRequest('POST', path, ['Content-Length: 4', 'Transfer-Encoding: chunked'])}0\r\n\r\n${smuggled}`,
    'signed length': rawRequest('POST', path, ['Content-Length: +4'], 'abcd'),
    'bare line feed': rawRequest('GET', path).replaceAll('\r\n', '\n'),
    'space before the colon': rawRequest('POST', path, ['Content-Length : 4'], 'abcd'),
    'folded header': rawRequest('GET', path, ['X-A: 1\r\n 2']),
    'no Host': rawRequest('GET', path).replace('Host: proxy.test\r\n', ''),
    'unknown coding': rawRequest('POST', path, ['Transfer-Encoding: xchunked']) + smuggled,
    'two codings': rawRequest('POST', path, ['Transfer-Encoding: gzip, chunked']) + smuggled,
    'HTTP/2 without TLS': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  };
  for (const [name, bytes] of Object.entries(attacks)) {
    const received = await proxy.raw([bytes]);
    assert.deepEqual(statuses(received), [400], `${name}: ${received}`);
  }
  assert.equal(upstream.connections(), 0);
});

test('D3 100 Continue is said to who may call, and to nobody else', async (t) => {
  const upstream = await ok(t);
  const proxy = await startProxy(t, upstream.origin);
  const path = '/v1/proxy/google/gmail/v1/x';
  const lines = ['Expect: 100-continue', 'Content-Length: 4'];
  const stranger = rawRequest('POST', path, lines).replace(key, `sk_mcp_rank_${'0'.repeat(32)}`);
  assert.deepEqual(statuses(await proxy.raw([stranger])), [401]);
  const climb = rawRequest('POST', '/v1/proxy/google/gmail/v1/../x', lines);
  assert.deepEqual(statuses(await proxy.raw([climb])), [400]);
  const large = rawRequest('POST', path, ['Expect: 100-continue', 'Content-Length: 40000000']);
  assert.deepEqual(statuses(await proxy.raw([large])), [413]);
  assert.equal(upstream.connections(), 0);
  const welcome = await proxy.raw([rawRequest('POST', path, lines), 'abcd'], 50);
  assert.deepEqual(statuses(welcome), [100, 200]);
  assert.equal(upstream.seen[0]?.body, 'abcd');
  assert.doesNotMatch(upstream.seen[0]?.rawHeaders.join() ?? '', /expect/i);
});
