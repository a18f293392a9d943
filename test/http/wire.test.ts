import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { defaultLimits } from '../../src/http/http.ts';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';

/** Writes raw bytes, waits for the other side to be done, and returns all that came. */
function exchange(app: TestApp, parts: readonly string[], gapMs = 0): Promise<string> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, async () => {
      for (const part of parts) {
        if (socket.destroyed) break;
        socket.write(part);
        if (gapMs > 0) await new Promise((next) => setTimeout(next, gapMs));
      }
    });
    socket.setEncoding('utf8').on('data', (text) => {
      received += text;
    });
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no end after: ${received}`)));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(received) : reject(error),
    );
    socket.on('close', () => resolve(received));
  });
}

const statuses = (text: string) =>
  [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]));
const body = '{"query":"mail"}';
const head = (lines: readonly string[]) =>
  `POST /v1/search HTTP/1.1\r\nHost: x\r\nX-API-Key: ${adminKey}\r\nContent-Type: application/json\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`;

test('a request whose end or owner is ambiguous is 400 and is answered once', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const smuggled = `GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n`;
  const attacks: Record<string, string> = {
    'D1 CL and TE': `${head(['Content-Length: 4', 'Transfer-Encoding: chunked'])}0\r\n\r\n${smuggled}`,
    'D1 two lengths': head(['Content-Length: 16', 'Content-Length: 17']) + body,
    'D1 signed length': head(['Content-Length: +16']) + body,
    'D1 space before the colon': head(['Content-Length : 16']) + body,
    'D1 folded header': head(['X-A: 1\r\n 2', 'Content-Length: 16']) + body,
    'D1 no Host': `GET /v1/health HTTP/1.1\r\nConnection: close\r\n\r\n`,
    'D2 unknown coding': head(['Transfer-Encoding: xchunked']) + smuggled,
    'B3 two keys': head([`X-API-Key: ${adminKey}`, 'Content-Length: 16']) + body,
    'B3 two hosts': head(['Host: y', 'Content-Length: 16']) + body,
    'A4 absolute form': `GET http://evil.example/v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    'A4 asterisk': 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    'key in the URL': `GET /v1/servers?api_key=${adminKey} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    'headers over 16 KB': head([`X-Big: ${'x'.repeat(20_000)}`, 'Content-Length: 0']),
    'not HTTP': 'hello\r\n\r\n',
    'length over 1 MB': head(['Content-Length: 2000000']) + 'x'.repeat(1000),
  };
  for (const [name, bytes] of Object.entries(attacks)) {
    const received = await exchange(app, [bytes]);
    assert.deepEqual(statuses(received), [400], `${name}: ${received}`);
    assert.match(received, /\{"detail":"[^"]+","code":"invalid_request"\}/, name);
    assert.ok(!received.includes(adminKey), name);
  }
  assert.equal((await app.call('GET', '/v1/health')).status, 200);
});

test('a client that sends its headers or its body too slowly is cut off, and others are served meanwhile', async (t) => {
  const limits = { ...defaultLimits, headersTimeoutMs: 300, requestTimeoutMs: 600 };
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' }, { limits });
  const slowHeaders = exchange(
    app,
    ['POST /v1/search HTTP/1.1\r\n', ...Array.from({ length: 50 }, (_, i) => `X-${i}: 1\r\n`)],
    100,
  );
  const slowBody = exchange(
    app,
    [head(['Content-Length: 1000']), ...Array.from({ length: 50 }, () => ' ')],
    100,
  );
  assert.equal((await app.call('GET', '/v1/health')).status, 200);
  for (const received of await Promise.all([slowHeaders, slowBody])) {
    assert.ok(statuses(received)[0] === 408 || received === '', received);
  }
});

test('L4 bad keys from one address are limited before they are looked at, and a good key behind it goes on', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  assert.equal((await app.call('GET', '/v1/servers')).status, 200);
  const bad = (i: number) =>
    app.call('GET', '/v1/servers', { key: `sk_mcp_rank_${String(i).padStart(32, '0')}` });
  const seen: number[] = [];
  for (let i = 0; i < 70; i++) seen.push((await bad(i)).status);
  assert.deepEqual([...new Set(seen)], [401, 429]);
  const refused = await bad(99);
  assert.equal(refused.body.code, 'rate_limited');
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.equal((await app.call('GET', '/v1/servers')).status, 200);
});

test('the rest of a refused body is never taken for a next request: the connection ends with the refusal', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const received = await exchange(app, [
    'POST /v1/search HTTP/1.1\r\nHost: x\r\nX-API-Key: wrong\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{',
  ]);
  assert.deepEqual(statuses(received), [401]);
  assert.match(received, /\r\nconnection: close\r\n/i);
});

test('HEAD tells what GET would, without the body; 304 has no length; a path that cannot be one is told from an unknown one', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const read = (method: string, path: string, headers = {}) =>
    fetch(app.url + path, { method, headers: { 'x-api-key': adminKey, ...headers } });
  const [got, told] = [await read('GET', '/v1/servers'), await read('HEAD', '/v1/servers')];
  assert.equal(told.status, 200);
  assert.equal(await told.text(), '');
  for (const name of ['content-length', 'content-type'])
    assert.equal(told.headers.get(name), got.headers.get(name), name);
  const keys = await read('GET', '/.well-known/jwks.json');
  const again = await read('GET', '/.well-known/jwks.json', {
    'if-none-match': keys.headers.get('etag') ?? '',
  });
  assert.deepEqual([again.status, again.headers.get('content-length')], [304, null]);
  for (const [path, detail] of [
    ['/v1/servers/%E0%A4%A', 'path: not a valid URL path'],
    [`/v1/servers/${'x'.repeat(1_001)}`, 'path: a parameter is too long'],
  ] as const) {
    const reply = await read('GET', path);
    assert.equal(reply.status, 400);
    assert.equal(((await reply.json()) as { detail: string }).detail, detail);
  }
});

test('a body of more than 1 MB is refused whether it says so or not, and one in pieces is one body', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  await app.services.search.settled();
  const send = (chunks: readonly string[]) =>
    fetch(`${app.url}/v1/search`, {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: ReadableStream.from(chunks.map((text) => new TextEncoder().encode(text))),
      duplex: 'half',
    });
  const whole = await send(['{"que', 'ry":"caf', 'é"}']);
  assert.equal(whole.status, 200);
  await whole.text();
  const endless = await send(['{"query":"', ...new Array<string>(12).fill('x'.repeat(100_000)), '"}']).catch(
    (error: unknown) => error,
  );
  // The reply may be overtaken by the end of the connection; a 200 never comes.
  if (endless instanceof Response) {
    assert.equal(endless.status, 400);
    assert.match(await endless.text(), /body: larger than 1 MB/);
  }
  assert.equal((await send(['{"query":"still here"}'])).status, 200);
});

test('a stop does not wait for connections that never carried a request', { timeout: 5_000 }, async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const { hostname, port } = new URL(app.url);
  const idle = connect(Number(port), hostname);
  const closed = new Promise((resolve) => idle.once('close', resolve));
  await new Promise((resolve) => idle.once('connect', resolve));
  assert.equal((await app.call('GET', '/v1/health')).status, 200);
  await app.close();
  await closed;
});

test('L3 a key goes in a header: in the URL it is refused, and no key reaches the log', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const wrong = `sk_mcp_rank_${'cd'.repeat(16)}`;
  await app.call('GET', '/v1/servers', { key: wrong });
  await app.call('GET', `/v1/servers?key=${wrong}`, { key: null });
  await app.call('POST', '/v1/search', { body: { query: wrong } });
  const made = await app.newKey();
  await app.call('GET', '/v1/servers', { key: made, headers: { authorization: `Bearer ${made}` } });
  assert.ok(app.lines.length > 0, 'requests are logged at debug');
  for (const key of [wrong, made, adminKey]) assert.ok(!app.lines.join('').includes(key));
});
