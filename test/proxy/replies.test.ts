import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  key,
  type ProxyUnderTest,
  rawRequest,
  rawUpstream,
  recordingUpstream,
  secretToken,
  startProxy,
  statuses,
} from '../support/proxy.ts';

const path = '/v1/proxy/google/gmail/v1/x';

/** A provider that answers every request with these bytes. */
const saying = (t: TestContext, bytes: string | Buffer) =>
  rawUpstream(t, (socket) => {
    socket.on('data', (data) => {
      if (data.includes('\r\n\r\n')) socket.write(bytes);
    });
  });

const replyTo = async (t: TestContext, bytes: string | Buffer) => {
  const upstream = await saying(t, bytes);
  const proxy = await startProxy(t, upstream.origin);
  return { received: await proxy.raw([rawRequest('GET', path)]), upstream, proxy };
};

/** Header fields of a raw reply, by lower-case name. */
function fieldsOf(received: string): Record<string, string> {
  const lines = received.slice(0, received.indexOf('\r\n\r\n')).split('\r\n').slice(1);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
}

test('C1 D4 what speaks for the connection or for our origin does not come back; the rest does, and says whose it is', async (t) => {
  const { received } = await replyTo(
    t,
    [
      'HTTP/1.1 200 OK',
      'Connection: x-up',
      'X-Up: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Authenticate: Basic',
      'Set-Cookie: a=b',
      'Set-Cookie: c=d',
      'Strict-Transport-Security: max-age=1',
      'Alt-Svc: h3=":443"',
      'Public-Key-Pins: x',
      'Clear-Site-Data: "*"',
      'Access-Control-Allow-Origin: *',
      'X-Proxy-Origin: gateway',
      'X-Request-Id: theirs',
      'Server-Timing: theirs',
      'Trailer: X-T',
      'ETag: "1"',
      'Vary: A',
      'Vary: B',
      'X-Custom: kept',
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
      '',
      '2\r\n{}\r\n0\r\nX-T: trailer\r\nSet-Cookie: e=f\r\n\r\n',
    ].join('\r\n'),
  );
  const fields = fieldsOf(received);
  const names = Object.keys(fields).sort();
  assert.deepEqual(names, [
    'connection',
    'content-type',
    'date',
    'etag',
    'ratelimit-limit',
    'ratelimit-remaining',
    'ratelimit-reset',
    'server-timing',
    'transfer-encoding',
    'vary',
    'x-custom',
    'x-proxy-origin',
    'x-request-id',
  ]);
  assert.equal(fields['x-proxy-origin'], 'upstream');
  assert.match(fields['x-request-id'] ?? '', /^req_/);
  assert.match(fields['server-timing'] ?? '', /^total/);
  assert.match(received, /vary: A\r\nvary: B\r\n/);
  assert.doesNotMatch(received, /trailer|e=f/);
});

test('C1 our own refusals say that they are ours', async (t) => {
  const upstream = await saying(t, 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  const proxy = await startProxy(t, upstream.origin);
  const refusals = [
    rawRequest('GET', '/v1/proxy/google/gmail/v1/../x'),
    rawRequest('GET', path).replace(key, 'none'),
    rawRequest('POST', path, ['Content-Length: 40000000']),
  ];
  for (const bytes of refusals) assert.equal(fieldsOf(await proxy.raw([bytes]))['x-proxy-origin'], 'gateway');
});

test('C2 a Location at the provider leads back through us, another is not shown, and nothing is followed', async (t) => {
  const locations: readonly (readonly [
    status: number,
    location: (origin: string) => string,
    shown: string | null,
  ])[] = [
    [
      200,
      (o) => `${o}/upload/drive/v3/files?upload_id=a%2Fb`,
      '/v1/proxy/google/upload/drive/v3/files?upload_id=a%2Fb',
    ],
    [201, () => '/drive/v3/files/1', '/v1/proxy/google/drive/v3/files/1'],
    [302, () => 'other?x=1', '/v1/proxy/google/gmail/v1/other?x=1'],
    [308, (o) => `${o}/elsewhere`, '/v1/proxy/google/~gmail/elsewhere'],
    [302, () => 'https://evil.test/gmail/v1/x', null],
    [302, () => '//evil.test/gmail/v1/x', null],
    [307, () => 'javascript:alert(1)', null],
    [302, (o) => `${o}/gmail/v1/%2e%2e/x?key=1`, null],
  ];
  for (const [status, location, shown] of locations) {
    const upstream = await recordingUpstream(t, (_request, reply) => {
      reply.writeHead(status, { location: location(upstream.origin) }).end('x');
    });
    const proxy = await startProxy(t, upstream.origin);
    const reply = await proxy.call('GET', 'google/gmail/v1/x');
    assert.equal(reply.status, status);
    const url = reply.headers.get('location');
    assert.equal(url, shown === null ? null : proxy.url + shown);
    assert.equal(upstream.seen.length, 1);
  }
});

test('C3 a compressed body comes back as it is', async (t) => {
  const zipped = gzipSync('x'.repeat(1_000_000));
  const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${zipped.length}\r\n\r\n`;
  const { received } = await replyTo(t, Buffer.concat([Buffer.from(head), zipped]));
  assert.equal(fieldsOf(received)['content-encoding'], 'gzip');
  assert.equal(received.slice(received.indexOf('\r\n\r\n') + 4), zipped.toString('latin1'));
});

test('C5 an error never shows the token, in one piece or cut in two, in the body or in a header', async (t) => {
  const [before, after] = [secretToken.slice(0, 9), secretToken.slice(9)];
  const upstream = await rawUpstream(t, (socket) => {
    socket.on('data', () => {
      const body = `{"error":"Bearer ${secretToken}","again":"${secretToken}"}`;
      socket.write(
        `HTTP/1.1 400 Bad\r\nwww-authenticate: Bearer token="${secretToken}"\r\ncontent-length: ${body.length}\r\n\r\n`,
      );
      const cut = body.lastIndexOf(before) + before.length;
      socket.write(body.slice(0, cut));
      setTimeout(() => socket.write(body.slice(cut)), 30);
    });
  });
  const proxy = await startProxy(t, upstream.origin);
  const received = await proxy.raw([rawRequest('GET', path)]);
  assert.deepEqual(statuses(received), [400]);
  for (const part of [secretToken, before, after]) assert.ok(!received.includes(part), received);
  assert.match(received, /\{"error":"Bearer \*{26}","again":"\*{26}"\}$/);
});

test('C4 a body over the limit is 413: before the provider is called when its length is known, else in mid-stream', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end());
  const proxy = await startProxy(t, upstream.origin, { limits: { bodyBytes: 100_000 } });
  const known = await proxy.raw([rawRequest('POST', path, ['Content-Length: 100001'])]);
  assert.deepEqual([statuses(known), upstream.connections()], [[413], 0]);
  const chunk = `4e20\r\n${'x'.repeat(20_000)}\r\n`;
  const chunked = await proxy.raw(
    [rawRequest('POST', path, ['Transfer-Encoding: chunked']), ...Array(6).fill(chunk)],
    20,
  );
  assert.deepEqual(statuses(chunked), [413], chunked);
  assert.match(chunked, /"code":"too_large"/);
  assert.equal(upstream.seen.length, 0, 'no whole request arrived');
  const within = await proxy.raw([
    rawRequest('POST', path, ['Transfer-Encoding: chunked']),
    chunk,
    '0\r\n\r\n',
  ]);
  assert.deepEqual(statuses(within), [200]);
  assert.equal(upstream.seen[0]?.body.length, 20_000);
});

test('C4 a provider that says nothing, or stops in the middle, costs a bounded time', async (t) => {
  const silent = await rawUpstream(t, () => undefined);
  const limits = { firstByteMs: 1_000, idleMs: 1_000, totalMs: 3_000 };
  const first = await (await startProxy(t, silent.origin, { limits })).raw([rawRequest('GET', path)]);
  assert.deepEqual(statuses(first), [502]);
  const stalling = await saying(t, 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc');
  const second = await (await startProxy(t, stalling.origin, { limits })).raw([rawRequest('GET', path)]);
  assert.deepEqual(statuses(second), [200]);
  assert.ok(second.endsWith('abc'), 'what came is passed on, and the connection then breaks off');
});

test('C4 a reply that breaks off is never made to look whole', async (t) => {
  for (const head of ['content-length: 10', 'transfer-encoding: chunked']) {
    const upstream = await rawUpstream(t, (socket) => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n3\r\nabc\r\n`));
    });
    const proxy = await startProxy(t, upstream.origin);
    await assert.rejects(async () => (await proxy.call('GET', 'google/gmail/v1/x')).text());
  }
});

test('C4 a caller that goes away ends the call at the provider within a second: waiting, reading and sending', async (t) => {
  const closed: Promise<unknown>[] = [];
  const arrived: (() => void)[] = [];
  const upstream = await rawUpstream(t, (socket) => {
    closed.push(once(socket, 'close'));
    socket.on('data', (data) => {
      if (data.includes('/reading')) {
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n');
        const timer = setInterval(() => socket.write('x'), 20);
        socket.on('close', () => clearInterval(timer));
      }
      arrived.shift()?.();
    });
  });
  const proxy = await startProxy(t, upstream.origin);
  const { hostname, port } = new URL(proxy.url);
  for (const [method, name, lines] of [
    ['GET', 'waiting', []],
    ['GET', 'reading', []],
    ['POST', 'sending', ['Content-Length: 1000000']],
  ] as const) {
    const here = new Promise<void>((ready) => arrived.push(ready));
    const socket = connect(Number(port), hostname);
    socket.write(
      rawRequest(method, `/v1/proxy/google/gmail/v1/${name}`, [...lines], lines.length === 0 ? '' : 'abc'),
    );
    await here;
    socket.destroy();
    const since = performance.now();
    await closed.at(-1);
    assert.ok(performance.now() - since < 1_000, name);
  }
});

test('D6 after a request body was given up, its connection carries no other request', async (t) => {
  const heads: string[][] = [];
  const upstream = await rawUpstream(t, (socket) => {
    const mine: string[] = [];
    heads.push(mine);
    socket.on('data', (data) => {
      const text = data.toString('latin1');
      if (!/^(GET|POST) /.test(text)) return;
      mine.push(text.split(' ')[1] ?? '');
      // The provider answers a POST before its body is there.
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
  });
  const proxy = await startProxy(t, upstream.origin);
  const early = await proxy.raw([rawRequest('POST', `${path}?early`, ['Content-Length: 100000'], 'abc')]);
  assert.deepEqual(statuses(early), [200]);
  assert.match(early, /connection: close/i);
  for (let i = 0; i < 3; i++) await proxy.raw([rawRequest('GET', `${path}?after`)]);
  assert.deepEqual(
    heads.map((all) => all.some((each) => each.includes('early')) && all.length),
    [1, ...heads.slice(1).map(() => false)],
  );
});

test('a reply without a body, HEAD, 204 and 304 come back as they are', async (t) => {
  const upstream = await recordingUpstream(t, ({ target, method }, reply) => {
    if (method === 'HEAD') reply.writeHead(200, { 'content-length': '1234', etag: '"1"' }).end();
    else reply.writeHead(Number(target.slice(-3)), { etag: '"1"' }).end();
  });
  const proxy = await startProxy(t, upstream.origin);
  const head = await proxy.call('HEAD', 'google/gmail/v1/200');
  assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '1234', '']);
  for (const status of [204, 304]) {
    const reply = await proxy.call('GET', `google/gmail/v1/${status}`);
    assert.deepEqual([reply.status, reply.headers.get('etag'), await reply.text()], [status, '"1"', '']);
  }
});

test('bodies pass both ways byte for byte, whatever their type, length or coding', async (t) => {
  const upstream = await recordingUpstream(t, ({ body }, reply, raw) => {
    reply.writeHead(200, { 'content-type': raw.headers['content-type'] ?? 'none' });
    reply.end(Buffer.from(body, 'latin1'));
  });
  const proxy = await startProxy(t, upstream.origin);
  const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 256));
  for (const [type, body] of [
    ['application/json', Buffer.from('{"not json')],
    ['multipart/related; boundary="==x=="', bytes.subarray(0, 70_000)],
    ['text/plain;;;=', bytes],
  ] as const) {
    const reply = await proxy.call('PUT', 'google/gmail/v1/x', { body, headers: { 'content-type': type } });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.get('content-type'), type);
    assert.ok(Buffer.from(await reply.arrayBuffer()).equals(body), type);
  }
  const stream = new Blob([bytes]).stream();
  const chunked = await proxy.call('POST', 'google/gmail/v1/x', {
    body: stream,
    duplex: 'half',
  } as RequestInit);
  assert.ok(Buffer.from(await chunked.arrayBuffer()).equals(bytes));
  await assertEmpty(proxy);
});

async function assertEmpty(proxy: ProxyUnderTest): Promise<void> {
  const reply = await proxy.call('DELETE', 'google/gmail/v1/x');
  assert.deepEqual([reply.status, await reply.text()], [200, '']);
}

test('a reader that is slow slows the provider down: what waits in between stays small', async (t) => {
  let written = 0;
  const upstream = await rawUpstream(t, (socket) => {
    socket.once('data', async () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const piece = Buffer.alloc(65_536);
      while (written < 200_000_000 && !socket.destroyed) {
        const full = !socket.write(piece);
        written += piece.length;
        if (full) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
      }
    });
  });
  const proxy = await startProxy(t, upstream.origin);
  const { hostname, port } = new URL(proxy.url);
  const socket = connect(Number(port), hostname).pause();
  socket.write(rawRequest('GET', path));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const held = written;
  socket.destroy();
  assert.ok(held > 0 && held < 30_000_000, `${held} bytes are under way`);
});
