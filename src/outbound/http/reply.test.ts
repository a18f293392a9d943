import assert from 'node:assert/strict';
import { request } from 'node:http';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ReplyHeaders } from '../model.ts';
import { ReplyReader, WireFault } from './reply.ts';

type Read = { status: number; headers: Record<string, unknown>; body: string; reusable: boolean };

/** What our reader makes of these pieces, then a closed connection. Null: it refused, or found no whole reply. */
function read(pieces: readonly Buffer[], method = 'GET'): Read | null {
  let [whole, status, body]: [boolean | null, number, string] = [null, 0, ''];
  let headers: ReplyHeaders = {};
  const reader = new ReplyReader({
    head(code, fields) {
      status = code;
      headers = fields;
    },
    data(chunk) {
      body += chunk.toString('latin1');
    },
    end(reusable) {
      assert.equal(whole, null, 'it ends once');
      whole = reusable;
    },
  });
  reader.expect(method);
  try {
    // As a connection does that has nobody to give it to.
    for (const piece of pieces)
      if (whole !== null && piece.length > 0) whole = false;
      else reader.feed(piece);
    reader.close();
  } catch (error) {
    assert.ok(error instanceof WireFault, String(error));
    return null;
  }
  return whole === null ? null : { status, headers: { ...headers }, body, reusable: whole };
}

const readText = (text: string, method?: string) => read([Buffer.from(text, 'latin1')], method);

test('replies as servers write them are read, whole or in any two pieces', () => {
  const cases: readonly (readonly [text: string, status: number, body: string, reusable: boolean])[] = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 200, 'hello', true],
    ['HTTP/1.1 200\r\ncontent-length:5 \r\n\r\nhello', 200, 'hello', true],
    ['HTTP/1.1 204 No Content\r\n\r\n', 204, '', true],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n', 304, '', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200, '', true],
    ['HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi', 200, 'hi', false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi', 200, 'hi', false],
    ['HTTP/1.1 200 OK\r\n\r\nuntil the end', 200, 'until the end', false],
    [
      'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!',
      200,
      '!',
      true,
    ],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n00006 \r\n world\r\n0\r\n\r\n',
      200,
      'hello world',
      true,
    ],
    [
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nDigest: y\r\nB: z\r\n\r\n',
      200,
      'x',
      true,
    ],
  ];
  for (const [text, status, body, reusable] of cases) {
    const bytes = Buffer.from(text, 'latin1');
    for (let cut = 0; cut < bytes.length; cut++) {
      const found = read([bytes.subarray(0, cut), bytes.subarray(cut)]);
      assert.deepEqual([found?.status, found?.body, found?.reusable], [status, body, reusable], text);
    }
    const found = read(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)));
    assert.deepEqual([found?.status, found?.body, found?.reusable], [status, body, reusable], text);
  }
});

test('fields: names in lower case, values without space around them, repeated ones together; trailers are dropped', () => {
  const found = readText(
    'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-Odd:\t two  words \r\nset-cookie:b=2\r\n__proto__: x\r\nconstructor: y\r\nX-Empty:\r\nX-High: \xe9\r\ntransfer-encoding: chunked\r\n\r\n0\r\nX-Late: 1\r\n\r\n',
  );
  assert.deepEqual(Object.entries(found?.headers ?? {}), [
    ['set-cookie', ['a=1', 'b=2']],
    ['x-odd', 'two  words'],
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['x-empty', ''],
    ['x-high', '\xe9'],
    ['transfer-encoding', 'chunked'],
  ]);
});

test('HEAD has no body, whatever the length says', () => {
  const found = readText('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n', 'HEAD');
  assert.deepEqual([found?.body, found?.reusable], ['', true]);
});

test('D1 D6 what two readers might end in different places is refused; what comes after the end keeps the connection from another use', () => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const refused = [
    'SSH-2.0-x\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi',
    'HTTP/1.0 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(17)}${head}Content-Length: 0\r\n\r\n`,
    `${head}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi`,
    `${head}Content-Length: 2, 2\r\n\r\nhi`,
    `${head}Content-Length: +2\r\n\r\nhi`,
    `${head}Content-Length: 0x2\r\n\r\nhi`,
    `${head}Content-Length: -2\r\n\r\nhi`,
    `${head}Content-Length:\r\n\r\nhi`,
    `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    `${head}Content-Length : 2\r\n\r\nhi`,
    `${head} Content-Length: 2\r\n\r\nhi`,
    `${head}X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi`,
    `${head}X: a\rContent-Length: 2\r\n\r\nhi`,
    `${head}X: a\0b\r\nContent-Length: 2\r\n\r\nhi`,
    `${head}no colon\r\nContent-Length: 2\r\n\r\nhi`,
    `${head}: empty\r\n\r\n`,
    `${head}X\xe9: 1\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n-1\r\nhi\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n0x1\r\nh\r\n0\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(5_000)}\r\nhi\r\n0\r\n\r\n`,
    `${head}Content-Length: 3\r\n\r\nhi`,
    `${head}X: ${'x'.repeat(70_000)}\r\n\r\n`,
    head,
  ];
  for (const text of refused) assert.equal(readText(text), null, JSON.stringify(text.slice(0, 120)));
  for (const extra of ['!', '\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n']) {
    for (const whole of [
      'Content-Length: 2\r\n\r\nhi',
      'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    ]) {
      const found = readText(head + whole + extra);
      assert.deepEqual([found?.body, found?.reusable], ['hi', false]);
    }
  }
});

/** The same bytes read by Node's own client (llhttp). */
function readByNode(bytes: Buffer, method: string): Promise<Omit<Read, 'reusable'> | null> {
  const { promise, resolve } = Promise.withResolvers<Omit<Read, 'reusable'> | null>();
  const answer = () => {
    wire.push(bytes);
    wire.push(null);
  };
  const wire = new Duplex({
    read: () => undefined,
    write(_chunk, _encoding, done) {
      done();
      // A request without a body is one piece; the client listens a moment after it.
      setImmediate(answer);
    },
  });
  const asked = request({
    method,
    path: '/',
    createConnection: () => wire as never,
  });
  asked.on('error', () => resolve(null));
  asked.on('response', (reply) => {
    let body = '';
    reply.setEncoding('latin1').on('data', (text: string) => {
      body += text;
    });
    reply.on('error', () => resolve(null)).on('close', () => resolve(null));
    reply.on('end', () => {
      const { statusCode: status = 0, headersDistinct: headers, complete } = reply;
      resolve(complete ? { status, headers, body } : null);
    });
  });
  asked.end();
  return promise;
}

const part = <T extends string>(...texts: readonly T[]) => fc.constantFrom(...texts);
const statusLine = part(
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 404 \r\n',
  'HTTP/1.0 200 OK\r\n',
  'HTTP/1.1 204 x\r\n',
  'HTTP/1.1 304 x\r\n',
  'HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\n',
  'HTTP/1.1 200\r\n',
  'HTTP/1.1 2000\r\n',
);
const fieldLine = part(
  'content-length: 5\r\n',
  'Content-Length: 0\r\n',
  'content-length: 4 \r\n',
  'transfer-encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'x: y\r\n',
  'X:y\r\n',
  'connection: close\r\n',
  'x: \xff\r\n',
  'x: a\n\r\n',
  'x : y\r\n',
  ' folded\r\n',
  '\n',
  '\r',
);
const bodyPart = part(
  'hello',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  '5;x\r\nhello\r\n',
  'a\r\n',
  '\r\n',
  '0\r\nx: y\r\n\r\n',
  '00005\r\nhello\r\n0\r\n\r\n',
  '\n',
  '0',
);
const wire = fc
  .tuple(
    statusLine,
    fc.array(fieldLine, { maxLength: 4 }),
    fc.array(bodyPart, { maxLength: 4 }),
    fc.option(fc.tuple(fc.nat(), fc.constantFrom('\r', '\n', ' ', '\0', ':', 'x', '0', '')), { freq: 3 }),
  )
  .map(([status, fields, body, change]) => {
    const text = `${status}${fields.join('')}\r\n${body.join('')}`;
    if (change === null) return text;
    const at = change[0] % text.length;
    return text.slice(0, at) + change[1] + text.slice(at + 1);
  });

test('whatever is read here as whole, Node reads the same: status, fields and body', async () => {
  let whole = 0;
  await fc.assert(
    fc.asyncProperty(
      wire,
      part('GET', 'HEAD'),
      fc.array(fc.nat({ max: 200 }), { maxLength: 3 }),
      async (text, method, cuts) => {
        const bytes = Buffer.from(text, 'latin1');
        const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end));
        const found = read(pieces, method);
        if (found === null) return;
        const expected = await readByNode(bytes, method);
        // What came after the end: Node takes it for another reply and fails, here it ends the connection.
        if (expected === null && !found.reusable) return;
        whole++;
        const { status, body, headers } = found;
        const distinct = Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, [value].flat()]),
        );
        assert.deepEqual(
          { status, body, headers: distinct },
          expected && { ...expected, headers: { ...expected.headers } },
        );
      },
    ),
    { numRuns: 8_000 },
  );
  assert.ok(whole > 300, `${whole} were whole`);
});
