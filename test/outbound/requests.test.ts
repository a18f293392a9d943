import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer as createTlsServer, setDefaultCACertificates } from 'node:tls';
import { Problem } from '../../src/base/problem.ts';
import { createOutbound, type OutboundFailure } from '../../src/outbound/outbound.ts';
import { certificate, certificateKey } from '../support/certificate.ts';
import {
  ended,
  outboundFor,
  rawReply as reply,
  startBytes,
  startHttp,
  textOf,
} from '../support/raw-upstream.ts';

test('B5 what would not be one request is not sent: line ends in names, values and targets, and fields that frame it', async (t) => {
  const upstream = await startBytes(t, (_received, socket) => socket.write(reply('')));
  const outbound = outboundFor(t);
  const headers = [
    { 'x-a': 'b\r\nx-c: d' },
    { 'x-a': 'b\nc' },
    { 'x-a': 'b\0' },
    { 'x-a': '\u0100' },
    { 'x a': 'b' },
    { 'x-a\r\nx-b': 'c' },
    { '': 'x' },
    ...['Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'Expect', 'Upgrade', 'TE'].map(
      (name) => ({
        [name]: '1',
      }),
    ),
  ];
  const unfit = (error: unknown) =>
    error instanceof Problem &&
    error.kind === 'invalid_request' &&
    /^[ -~]+: cannot be sent$/.test(error.detail);
  const send = (request: object) => outbound.request({ method: 'GET', url: upstream.url, ...request });
  for (const each of headers) await assert.rejects(send({ headers: each }), unfit, JSON.stringify(each));
  for (const target of ['/a b', '/a\r\nX: y', 'http://evil/', '', '/\u0100'])
    await assert.rejects(send({ target }), unfit, target);
  await assert.rejects(send({ method: 'GE T' }), unfit);
  // Nor does it count against the server.
  await send({ url: `${upstream.url}good` });
  assert.match(upstream.received.join(), /^GET \/good HTTP\/1\.1\r\n(.+\r\n)*\r\n$/);
});

test('a request is one message: what was given, in its order, with the length of its body in bytes', async (t) => {
  const upstream = await startBytes(t, (_received, socket) => socket.write(reply('ok')));
  const outbound = outboundFor(t, { limits: { call: { concurrency: 1 } } });
  const host = new URL(upstream.url).host;
  const head = (line: string) => `${line} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  await outbound.request({
    method: 'GET',
    url: `${upstream.url}a%2Fb?c=d&c=%20`,
    headers: ['X-B', '1', 'x-a', '\xe9', 'X-B', '2'],
  });
  await outbound.request({ method: 'DELETE', url: upstream.url, target: '/x/../y?\xff' });
  const odd = `/a%2fb/%20.././"'<>{}|\\^\`//?#%&=%zz`;
  await outbound.request({ method: 'GET', url: upstream.url, target: odd });
  await outbound.request({ method: 'POST', url: upstream.url });
  await outbound.request({
    method: 'POST',
    url: upstream.url,
    headers: { a: 'b' },
    body: '{"name":"Zoë €"}',
  });
  await outbound.request({ method: 'PUT', url: upstream.url, headers: { a: '\xe9' }, body: 'Zoë' });
  await outbound.request({ method: 'PUT', url: upstream.url, body: Buffer.from([0, 255, 10]) });
  const utf8 = (text: string) => Buffer.from(text).toString('latin1');
  assert.deepEqual(upstream.received, [
    [
      `${head('GET /a%2Fb?c=d&c=%20')}X-B: 1\r\nx-a: \xe9\r\nX-B: 2\r\n\r\n`,
      `${head('DELETE /x/../y?\xff')}\r\n`,
      `${head(`GET ${odd}`)}\r\n`,
      `${head('POST /')}content-length: 0\r\n\r\n`,
      `${head('POST /')}a: b\r\ncontent-length: 19\r\n\r\n${utf8('{"name":"Zoë €"}')}`,
      `${head('PUT /')}a: \xe9\r\ncontent-length: 4\r\n\r\n${utf8('Zoë')}`,
      `${head('PUT /')}content-length: 3\r\n\r\n\0\xff\n`,
    ].join(''),
  ]);
});

test('fields that changed since the last request with them are sent as they are now', async (t) => {
  const upstream = await startBytes(t, (_received, socket) => socket.write(reply('ok')));
  const outbound = outboundFor(t);
  const headers = { authorization: 'Bearer one' };
  const get = () => outbound.request({ method: 'GET', url: upstream.url, headers });
  await get();
  headers.authorization = 'Bearer two';
  await get();
  assert.deepEqual(upstream.received.join('').match(/Bearer .+/g), ['Bearer one', 'Bearer two']);
});

test('an idle connection is given up before the five seconds after which servers close theirs in silence, and before what they announce', async (t) => {
  let fields = '';
  const upstream = await startBytes(t, (_received, socket) => socket.write(reply('ok', fields)));
  const outbound = outboundFor(t, { limits: { call: { concurrency: 1 } } });
  const get = async () => {
    await textOf(outbound.request({ method: 'GET', url: upstream.url }));
    // It becomes idle a turn of the loop later.
    await delay(5);
  };
  const clock = performance.now.bind(performance);
  let aheadMs = 0;
  t.mock.method(performance, 'now', () => clock() + aheadMs);
  await get();
  aheadMs += 3_000;
  await get();
  assert.equal(upstream.sockets.length, 1);
  aheadMs += 4_500;
  fields = 'keep-alive: timeout=4\r\n';
  await get();
  assert.equal(upstream.sockets.length, 2);
  aheadMs += 1_500;
  await get();
  assert.equal(upstream.sockets.length, 2);
  aheadMs += 2_500;
  await get();
  assert.equal(upstream.sockets.length, 3);
});

test('D6 a connection is used again after a whole reply, and by nobody after one that was not', async (t) => {
  const outbound = outboundFor(t, { limits: { call: { concurrency: 1 } } });
  let count = 0;
  const answers: Readonly<Record<string, (socket: Socket) => void>> = {
    '/good': (socket) => socket.write(reply(String(++count))),
    // Somebody else's answer, so to say, that waits for who comes next.
    '/two': (socket) => socket.write(reply('mine') + reply('not mine')),
    '/later': (socket) => {
      socket.write(reply('mine'));
      setTimeout(() => socket.write(reply('not mine')), 20);
    },
    '/close': (socket) => socket.write(reply('bye', 'connection: close\r\n')),
    '/short': (socket) => socket.write(reply('x', 'keep-alive: timeout=1\r\n')),
    '/cut': (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'),
    '/old': (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nto the end'),
  };
  const upstream = await startBytes(t, (received, socket) => answers[received.split(' ')[1] ?? '']?.(socket));
  const get = (path: string) => textOf(outbound.request({ method: 'GET', url: upstream.url + path }));
  const made = async (act: () => Promise<unknown>) => {
    const before = upstream.sockets.length;
    await act();
    await delay(40);
    assert.match(await get('good'), /^\d+$/);
    return upstream.sockets.length - before;
  };
  assert.deepEqual([await get('good'), await get('good'), upstream.sockets.length], ['1', '2', 1]);
  assert.equal(await made(() => get('good')), 0);
  for (const path of ['two', 'later'])
    assert.equal(await made(async () => assert.equal(await get(path), 'mine')), 1, path);
  assert.equal(await made(() => get('close')), 1);
  assert.equal(await made(() => get('short')), 1);
  assert.equal(await made(() => assert.rejects(get('cut'), ended('broken'))), 1);
  assert.equal(await made(async () => assert.equal(await get('old'), 'to the end')), 1);
  // The server closed it while nobody used it.
  assert.equal(await made(async () => upstream.sockets.at(-1)?.end()), 1);
  const controller = new AbortController();
  const asked = outbound.request({ method: 'GET', url: `${upstream.url}silent`, signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  assert.equal(await made(() => assert.rejects(asked, ended('cancelled'))), 1);
});

test('so many connections to one origin and no more: who comes later waits for a free one, or goes away', async (t) => {
  const held: (() => void)[] = [];
  const upstream = await startHttp(t, (_request, answer) => void held.push(() => answer.end('x')));
  const outbound = outboundFor(t, { limits: { call: { concurrency: 2 } } });
  const get = (signal?: AbortSignal) =>
    textOf(outbound.request({ method: 'GET', url: upstream.url, signal }));
  const controller = new AbortController();
  const first = [get(), get()];
  const gone = get(controller.signal);
  const last = [get(), get()];
  while (held.length < 2) await delay(5);
  controller.abort();
  await assert.rejects(gone, ended('cancelled'));
  for (const answer of held.splice(0)) answer();
  await Promise.all(first);
  while (held.length < 2) await delay(5);
  for (const answer of held.splice(0)) answer();
  assert.deepEqual(await Promise.all(last), ['x', 'x']);
  assert.equal(upstream.sockets.length, 2);
});

test('with many under way, what is asked in one turn goes out at its end, each answer to its own caller; what was cancelled in it not at all', async (t) => {
  const heard: (string | undefined)[] = [];
  const upstream = await startHttp(t, (request, answer) => {
    heard.push(request.url);
    answer.end(request.url);
  });
  const outbound = outboundFor(t);
  const get = (path: string, signal?: AbortSignal) =>
    textOf(outbound.request({ method: 'GET', url: upstream.url + path, signal }));
  const paths = Array.from({ length: 20 }, (_, i) => `n${i}`);
  const all = () => Promise.all(paths.map((path) => get(path)));
  await all();
  const controller = new AbortController();
  const asked = all();
  const gone = get('gone', controller.signal);
  controller.abort();
  await assert.rejects(gone, ended('cancelled'));
  assert.deepEqual(
    await asked,
    paths.map((path) => `/${path}`),
  );
  assert.ok(!heard.includes('/gone'));
  assert.equal(await get('gone'), '/gone');
});

test('a connection that breaks makes room for who waits, and one that cannot be made fails its own call only', async (t) => {
  const upstream = await startHttp(t, (request, answer) => {
    if (request.url === '/break') request.socket.destroy();
    else answer.end('fine');
  });
  const outbound = outboundFor(t, { limits: { call: { concurrency: 1 } } });
  const broken = outbound.request({ method: 'GET', url: `${upstream.url}break` });
  const fine = [1, 2, 3].map(() => textOf(outbound.request({ method: 'GET', url: upstream.url })));
  await assert.rejects(broken, ended('broken'));
  assert.deepEqual(await Promise.all(fine), ['fine', 'fine', 'fine']);
  await assert.rejects(outbound.request({ method: 'GET', url: 'http://127.0.0.1:9/' }), ended('refused'));
});

test('a body that is a stream goes out as it comes, in chunks or with its length; one of another length ends the call, and the connection', async (t) => {
  const bodies: { text: string; fields: unknown }[] = [];
  const upstream = await startHttp(t, async (request, answer) => {
    let text = '';
    try {
      for await (const chunk of request) text += chunk;
    } catch {
      return;
    }
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    bodies.push({ text, fields: [length, coding] });
    answer.end('done');
  });
  const outbound = outboundFor(t, { limits: { call: { concurrency: 1 } } });
  const send = (pieces: readonly string[], sizeBytes: number | null) =>
    textOf(
      outbound.request({
        method: 'POST',
        url: upstream.url,
        body: Readable.from(pieces.map(Buffer.from)),
        sizeBytes,
      }),
    );
  const large = 'x'.repeat(1_000_000);
  assert.equal(await send(['one ', '', 'two'], null), 'done');
  assert.equal(await send(['one ', 'two'], 7), 'done');
  assert.equal(await send([large, large], 2_000_000), 'done');
  assert.equal(await send([], null), 'done');
  assert.deepEqual(
    bodies.map(({ text, fields }) => [text.length, fields]),
    [
      [7, [undefined, 'chunked']],
      [7, ['7', undefined]],
      [2_000_000, ['2000000', undefined]],
      [0, ['0', undefined]],
    ],
  );
  assert.equal(upstream.sockets.length, 1);
  await assert.rejects(send(['one ', 'two'], 6), ended('cancelled'));
  await assert.rejects(send(['one ', 'two'], 8), ended('cancelled'));
  const breaks = Readable.from(
    (async function* () {
      yield Buffer.from('half');
      throw new Error('no more');
    })(),
  );
  await assert.rejects(
    outbound.request({ method: 'POST', url: upstream.url, body: breaks }),
    (error: OutboundFailure) => {
      return ended('cancelled')(error) && (error.cause as Error).message === 'no more';
    },
  );
  assert.equal(bodies.length, 4);
  assert.equal(await send(['fine'], 4), 'done');
});

test('an answer before the body is through is the answer: the rest of the body is not taken, the connection not used again', async (t) => {
  const upstream = await startHttp(t, (_request, answer) => {
    answer.writeHead(413).end('too much');
  });
  const outbound = outboundFor(t);
  let taken = 0;
  const endless = new Readable({
    read() {
      taken++;
      setImmediate(() => this.push(Buffer.alloc(65_536)));
    },
  });
  const answer = await outbound.request({ method: 'POST', url: upstream.url, body: endless });
  assert.deepEqual([answer.status, String(answer.body)], [413, 'too much']);
  assert.equal(endless.destroyed, true);
  const before = taken;
  await outbound.request({ method: 'POST', url: upstream.url, body: 'short' });
  assert.equal(upstream.sockets.length, 2);
  assert.ok(taken <= before + 1);
});

test('silence is bounded before the reply and within it, and so is the whole; a reader that pauses is not the server’s silence', async (t) => {
  const upstream = await startHttp(t, async (request, answer) => {
    if (request.url === '/silent') return;
    answer.write('a');
    if (request.url === '/stops') return;
    for (let i = 0; i < 20; i++) {
      await delay(30);
      answer.write('b');
    }
    answer.end();
  });
  const outbound = outboundFor(t);
  const get = (path: string, limits: object) =>
    textOf(outbound.request({ method: 'GET', url: upstream.url + path, ...limits }));
  const late = ended('timeout', /did not answer in time/);
  await assert.rejects(get('silent', { firstByteMs: 80 }), late);
  await assert.rejects(get('stops', { firstByteMs: 10_000, idleMs: 80 }), late);
  await assert.rejects(get('trickles', { idleMs: 5_000, timeoutMs: 150 }), late);
  assert.equal((await get('trickles', { firstByteMs: 5_000, idleMs: 400 })).length, 21);
  const opened = await outbound.open({ method: 'GET', url: `${upstream.url}trickles`, idleMs: 150 });
  const pieces: string[] = [];
  const { promise, resolve } = Promise.withResolvers<Error | null>();
  opened.body.flow({
    data(chunk) {
      pieces.push(String(chunk));
      if (pieces.length > 1) return true;
      setTimeout(() => opened.body.resume(), 400);
      return false;
    },
    end: resolve,
  });
  assert.equal(await promise, null);
  assert.equal(pieces.join('').length, 21);
});

test('what does not speak HTTP is found out at once, and a stop ends what is under way', async (t) => {
  const strange = await startBytes(t, (_received, socket) => socket.write('220 mail.example ESMTP\r\n'));
  const silent = await startBytes(t, () => undefined);
  const outbound = createOutbound({ allowUpstreams: ['127.0.0.1'] });
  await assert.rejects(
    outbound.request({ method: 'GET', url: strange.url }),
    ended('broken', /did not speak HTTP/),
  );
  const asked = outbound.request({ method: 'GET', url: silent.url });
  while (silent.received.length === 0) await delay(5);
  await outbound.close();
  await assert.rejects(asked, ended('broken'));
});

test('TLS: the certificate must be that of the name, though a checked address is dialled; nothing is said to another', async (t) => {
  setDefaultCACertificates([certificate]);
  const heard: string[] = [];
  const names: unknown[] = [];
  const server = createTlsServer(
    { cert: certificate, key: certificateKey, ALPNProtocols: ['h2', 'http/1.1'] },
    (socket) => {
      names.push([socket.servername, socket.alpnProtocol, socket.isSessionReused()]);
      socket
        .on('error', () => undefined)
        .on('data', (chunk) => {
          heard.push(String(chunk));
          socket.write(reply('secret', 'connection: close\r\n'));
        });
    },
  );
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const hosts = ['upstream.test', 'other.test', '127.0.0.1'].map((name) => `${name}:${port}`);
  const outbound = createOutbound({ allowUpstreams: hosts }, { resolve: async () => ['127.0.0.1'] });
  t.after(() => outbound.close());
  const get = (host = '') => textOf(outbound.request({ method: 'GET', url: `https://${host}/` }));
  assert.equal(await get(hosts[0]), 'secret');
  assert.equal(await get(hosts[0]), 'secret');
  assert.deepEqual(names, [
    ['upstream.test', 'http/1.1', false],
    ['upstream.test', 'http/1.1', true],
  ]);
  heard.length = 0;
  for (const host of hosts.slice(1)) await assert.rejects(get(host), ended('refused', /cannot be reached/));
  assert.deepEqual(heard, []);
});
