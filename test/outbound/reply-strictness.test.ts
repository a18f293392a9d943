import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { ended, outboundFor, rawReply, startBytes, textOf } from '../support/raw-upstream.ts';

const head = 'HTTP/1.1 200 OK\r\n';
const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;

/** Replies that no two readers need end in the same place, and what is no reply. */
const unusable: Readonly<Record<string, string>> = {
  'another protocol': 'SSH-2.0-x\r\n\r\n',
  'another version': 'HTTP/2 200\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\n\r\n',
  'two spaces before the status': 'HTTP/1.1  200 OK\r\n\r\n',
  'bare line feeds': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi',
  'a switch of protocols': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'a switch of protocols that is announced':
    'HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nhi',
  'informational replies without end': `${'HTTP/1.1 103 x\r\n\r\n'.repeat(17)}${head}Content-Length: 0\r\n\r\n`,
  'the same length twice': `${head}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi`,
  'two lengths': `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!`,
  'a list of lengths': `${head}Content-Length: 2, 2\r\n\r\nhi`,
  'a signed length': `${head}Content-Length: +2\r\n\r\nhi`,
  'a negative length': `${head}Content-Length: -2\r\n\r\nhi`,
  'a hexadecimal length': `${head}Content-Length: 0x2\r\n\r\nhi`,
  'an empty length': `${head}Content-Length:\r\n\r\nhi`,
  'a length that is no number of ours': `${head}Content-Length: 99999999999999999999999\r\n\r\nhi`,
  'a length, and chunks': `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
  'chunks, and a length': `${head}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
  'chunks of something packed': `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  'chunks that are no chunks': `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'a coding after the chunks': `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'chunks twice': `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a space before the colon': `${head}Content-Length : 2\r\n\r\nhi`,
  'a space before the first name': `${head} Content-Length: 2\r\n\r\nhi`,
  'a folded line': `${head}X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi`,
  'a bare carriage return': `${head}X: a\rContent-Length: 2\r\n\r\nhi`,
  'NUL in a value': `${head}X: a\0b\r\nContent-Length: 2\r\n\r\nhi`,
  'a control character in a value': `${head}X: a\x01b\r\nContent-Length: 2\r\n\r\nhi`,
  'a line that is no field': `${head}no colon\r\nContent-Length: 2\r\n\r\nhi`,
  'a field without a name': `${head}: empty\r\n\r\n`,
  'a name beyond ASCII': `${head}X\xe9: 1\r\n\r\n`,
  'a chunk size with a bare line feed': `${chunked}2\nhi\r\n0\r\n\r\n`,
  'a chunk longer than its size': `${chunked}1\r\nhi\r\n0\r\n\r\n`,
  'a negative chunk': `${chunked}-1\r\nhi\r\n0\r\n\r\n`,
  'a chunk size with a prefix': `${chunked}0x1\r\nh\r\n0\r\n\r\n`,
  'a chunk beyond numbers': `${chunked}fffffffffffffffff\r\nhi\r\n0\r\n\r\n`,
  'an empty chunk size': `${chunked}\r\n\r\n`,
  'a body cut short': `${head}Content-Length: 3\r\n\r\nhi`,
  'chunks cut short': `${chunked}2\r\nhi\r\n0\r\n`,
  'a head cut short': head,
  'a head without end': `${head}X: ${'x'.repeat(70_000)}\r\n\r\n`,
  'trailers without end': `${chunked}2\r\nhi\r\n0\r\n${'X: y\r\n'.repeat(40_000)}\r\n`,
};

test('D1 D6 a reply that two readers might end in different places is broken, and its connection carries nothing more', async (t) => {
  let answer = (_socket: Socket) => undefined as unknown;
  const upstream = await startBytes(t, (_received, socket) => answer(socket));
  const outbound = outboundFor(t, { breaker: { failures: 1_000, openMs: 1, openMaxMs: 1 } });
  const get = () => outbound.request({ method: 'GET', url: upstream.url, timeoutMs: 5_000 });
  const good = async () => {
    answer = (socket) => socket.write(rawReply('good'));
    assert.equal(await textOf(get()), 'good');
  };
  for (const [what, text] of Object.entries(unusable)) {
    const bytes = Buffer.from(text, 'latin1');
    const half = bytes.length >> 1;
    // Those that end early are told from others by the end of the connection only.
    const isCut = / cut short$/.test(what);
    for (const pieces of [[bytes], [bytes.subarray(0, half), bytes.subarray(half)]]) {
      const before = upstream.sockets.length;
      answer = (socket) => {
        const [first, second] = pieces;
        socket.write(first ?? '');
        setImmediate(() => {
          if (second !== undefined) socket.write(second);
          if (isCut) socket.end();
        });
      };
      await assert.rejects(get(), ended('broken'), what);
      await good();
      const last = upstream.sockets.length;
      assert.ok(last > before, `${what}: another connection was made`);
    }
  }
});

test('D6 what comes after the end of a reply reaches nobody', async (t) => {
  const outbound = outboundFor(t, { limits: { call: { concurrency: 1 } } });
  const extras = ['!', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen', 'HTTP/1.1 500'];
  const replies = [`${head}Content-Length: 2\r\n\r\nhi`, `${chunked}2\r\nhi\r\n0\r\n\r\n`];
  for (const reply of replies)
    for (const extra of extras) {
      const upstream = await startBytes(t, (received, socket) =>
        socket.write(received.startsWith('GET /first') ? reply + extra : rawReply('mine')),
      );
      const get = (path: string) => textOf(outbound.request({ method: 'GET', url: upstream.url + path }));
      assert.equal(await get('first'), 'hi');
      assert.equal(await get('second'), 'mine');
      assert.equal(upstream.sockets.length, 2);
    }
});

test('replies as servers write them are read, whole or in any two pieces', async (t) => {
  const cases: readonly (readonly [text: string, status: number, body: string])[] = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 200, 'hello'],
    ['HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello', 200, 'hello'],
    ['HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n', 304, ''],
    ['HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi', 200, 'hi'],
    ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi', 200, 'hi'],
    ['HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!', 200, '!'],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n00006\r\n world\r\n0\r\n\r\n',
      200,
      'hello world',
    ],
    [
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nDigest: y\r\nB: z\r\n\r\n',
      200,
      'x',
    ],
  ];
  let answer = (_socket: Socket) => undefined as unknown;
  const upstream = await startBytes(t, (_received, socket) => answer(socket));
  const outbound = outboundFor(t);
  for (const [text, status, body] of cases) {
    const bytes = Buffer.from(text, 'latin1');
    for (let cut = 0; cut < bytes.length; cut++) {
      answer = (socket) => {
        socket.write(bytes.subarray(0, cut));
        setImmediate(() => socket.write(bytes.subarray(cut)));
      };
      const found = await outbound.request({ method: 'GET', url: upstream.url });
      assert.deepEqual([found.status, String(found.body)], [status, body], text);
    }
  }
});

test('fields: names in lower case, values without space around them, repeated ones together; trailers are dropped', async (t) => {
  const text =
    'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-Odd:\t two  words \t\r\nset-cookie:b=2\r\n__proto__: x\r\nconstructor: y\r\nX-Empty:\r\nX-High: \xe9\xa0\r\ntransfer-encoding: chunked\r\n\r\n0\r\nX-Late: 1\r\n\r\n';
  const upstream = await startBytes(t, (_received, socket) => socket.write(text, 'latin1'));
  const { headers } = await outboundFor(t).open({ method: 'GET', url: upstream.url });
  assert.deepEqual(Object.entries(headers), [
    ['set-cookie', ['a=1', 'b=2']],
    ['x-odd', 'two  words'],
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['x-empty', ''],
    ['x-high', '\xe9\xa0'],
    ['transfer-encoding', 'chunked'],
  ]);
});

test('HEAD has no body, whatever the length says', async (t) => {
  const upstream = await startBytes(t, (_received, socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'),
  );
  const { status, body } = await outboundFor(t).request({ method: 'HEAD', url: upstream.url });
  assert.deepEqual([status, body.length], [200, 0]);
});
