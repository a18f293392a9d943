import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setImmediate as immediate } from 'node:timers/promises';
import { createServer as createTlsServer, setDefaultCACertificates } from 'node:tls';
import { createOutbound, inBackground, type OutboundCall } from '../../src/outbound/outbound.ts';
import { certificate, certificateKey } from '../support/certificate.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { ended, outboundFor, rawReply, startBytes, startHttp, textOf } from '../support/raw-upstream.ts';

test('a dead address does not make a host unreachable, whichever of its addresses it is', async (t) => {
  const upstream = await startHttp(t, (_request, answer) => void answer.end('here'));
  // Nobody listens at the first two; the last two lead nowhere, in silence where the network is like that.
  const dead = ['127.0.0.2', '::1', '192.0.2.1', '2001:db8::1'];
  const orders = [
    ...dead.map((address) => [address, '127.0.0.1']),
    ...dead.map((address) => ['127.0.0.1', address]),
    [...dead, '127.0.0.1'],
  ];
  for (const addresses of orders) {
    const outbound = createOutbound({ allowUpstreams: ['many.test'] }, { resolve: async () => addresses });
    t.after(() => outbound.close());
    const reply = outbound.request({ method: 'GET', url: `http://many.test:${upstream.port}/` });
    assert.equal(await textOf(reply), 'here', addresses.join());
  }
  const none = createOutbound({ allowUpstreams: ['many.test'] }, { resolve: async () => dead.slice(0, 2) });
  t.after(() => none.close());
  await assert.rejects(
    none.request({ method: 'GET', url: `http://many.test:${upstream.port}/` }),
    ended('refused', /cannot be reached/),
  );
});

test('the same over TLS, where the name is still the one that was asked for', async (t) => {
  setDefaultCACertificates([certificate]);
  const names: unknown[] = [];
  const server = createTlsServer({ cert: certificate, key: certificateKey }, (socket) => {
    names.push(socket.servername);
    socket.on('error', () => undefined).on('data', () => socket.write(rawReply('here')));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const host = `upstream.test:${(server.address() as AddressInfo).port}`;
  const outbound = createOutbound(
    { allowUpstreams: [host] },
    { resolve: async () => ['::1', '127.0.0.2', '127.0.0.1'] },
  );
  t.after(() => outbound.close());
  assert.equal(await textOf(outbound.request({ method: 'GET', url: `https://${host}/` })), 'here');
  assert.deepEqual(names, ['upstream.test']);
});

test('a call never waits behind a stream that stays open, nor behind what is asked in the background', async (t) => {
  const open: (() => void)[] = [];
  const upstream = await startHttp(t, (request, answer) => {
    if (request.url === '/call') return void answer.end('answered');
    answer.write('open');
    open.push(() => answer.end());
  });
  const outbound = outboundFor(t, {
    limits: {
      call: { concurrency: 1 },
      stream: { concurrency: 3, waitMs: 20 },
      background: { concurrency: 2 },
    },
  });
  const streams: OutboundCall[] = [];
  const openStream = () =>
    outbound.open({ method: 'GET', url: `${upstream.url}stream`, timeoutMs: 0 }, (call) =>
      streams.push(call),
    );
  await Promise.all([1, 2, 3].map(openStream));
  const background = inBackground(outbound);
  const probes = [1, 2, 3].map(() => background.request({ method: 'GET', url: `${upstream.url}probe` }));
  while (open.length < 5) await new Promise(setImmediate);
  assert.equal(await textOf(outbound.request({ method: 'GET', url: `${upstream.url}call` })), 'answered');
  await assert.rejects(openStream(), ended('refused', /is busy: no turn came in time/));
  streams[0]?.cancel();
  await openStream();
  while (open.length < 6) await new Promise(setImmediate);
  const [third] = probes.slice(2);
  for (const end of open.splice(0)) end();
  while (open.length < 1) await new Promise(setImmediate);
  for (const end of open.splice(0)) end();
  assert.equal(await textOf(third ?? assert.fail()), 'open');
  await Promise.all(probes);
});

test('18 large replies are read a piece a turn each, whole and in order, so that no turn of the event loop is longer for them', async (t) => {
  const body = Buffer.from(Array.from({ length: 4_000_000 }, (_, i) => i % 251));
  const upstream = await startHttp(t, (_request, answer) => void answer.end(body));
  const outbound = outboundFor(t);
  let turn = 0;
  let isOver = false;
  const count = () => {
    turn++;
    if (!isOver) setImmediate(count);
  };
  count();
  const inTurn = new Map<string, number>();
  const read = async (name: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const chunks: Buffer[] = [];
    let bytes = 0;
    outbound.stream(
      { method: 'GET', url: upstream.url },
      {
        head: () => undefined,
        data(chunk) {
          chunks.push(chunk);
          bytes += chunk.length;
          const place = `${name} ${turn}`;
          if (bytes > 262_144) inTurn.set(place, (inTurn.get(place) ?? 0) + chunk.length);
          return false;
        },
        end: (failure) => (failure === null ? resolve() : reject(failure)),
      },
    );
    await promise;
    assert.ok(Buffer.concat(chunks).equals(body));
  };
  await Promise.all(['a', 'b', 'c', 'd'].map(read));
  isOver = true;
  const most = Math.max(...inTurn.values());
  assert.ok(most <= 262_144, `${most} bytes in one turn`);
});

test('whoever waits for a turn, or for a connection, is told within ten seconds', async (t) => {
  const silent = await startBytes(t, () => undefined);
  const outbound = outboundFor(t, { limits: { call: { concurrency: 1, waitMs: 20 } } });
  const controller = new AbortController();
  const first = outbound.request({ method: 'GET', url: silent.url, signal: controller.signal });
  await assert.rejects(
    outbound.request({ method: 'GET', url: silent.url }),
    ended('refused', /is busy: no turn came in time/),
  );
  controller.abort();
  await assert.rejects(first, ended('cancelled'));

  const clock = performance.now.bind(performance);
  let aheadMs = 0;
  t.mock.method(performance, 'now', () => clock() + aheadMs);
  const nowhere = createOutbound(
    { allowUpstreams: ['slow.test'] },
    { resolve: () => new Promise<readonly string[]>(() => undefined) },
  );
  t.after(() => nowhere.close());
  const asked = nowhere.request({
    method: 'GET',
    url: 'http://slow.test/',
    timeoutMs: 120_000,
    firstByteMs: 60_000,
  });
  aheadMs = 10_001;
  await assert.rejects(asked, ended('refused', /cannot be reached/));
});

test('a signal that is aborted already sends nothing, and one that comes while a connection is made ends the call at once', async (t) => {
  const upstream = await startHttp(t, (_request, answer) => void answer.end('late'));
  const { promise: resolved, resolve } = Promise.withResolvers<readonly string[]>();
  const outbound = createOutbound({ allowUpstreams: ['slow.test'] }, { resolve: () => resolved });
  t.after(() => outbound.close());
  const url = `http://slow.test:${upstream.port}/`;
  await assert.rejects(
    outbound.request({ method: 'GET', url, signal: AbortSignal.abort() }),
    ended('cancelled'),
  );
  const controller = new AbortController();
  const asked = outbound.request({ method: 'GET', url, signal: controller.signal });
  controller.abort();
  await assert.rejects(asked, ended('cancelled'));
  resolve(['127.0.0.1']);
  assert.equal(await textOf(outbound.request({ method: 'GET', url })), 'late');
});

test('a request goes on no connection that was idle for longer than its server said, and on none older than four seconds where it did not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const [announced, reusedAfterMs, renewedAfterMs] of [
    ['keep-alive: timeout=5\r\n', 2_500, 3_100],
    ['', 3_500, 4_100],
  ] as const) {
    const upstream = await startBytes(t, (_text, socket) => socket.write(rawReply('here', announced)));
    const outbound = outboundFor(t);
    const ask = () => textOf(outbound.request({ method: 'POST', url: upstream.url, body: 'x' }));
    const afterIdle = async (ms: number) => {
      // A connection is free a turn after its reply.
      await immediate();
      t.mock.timers.tick(ms);
      await ask();
      return upstream.sockets.length;
    };
    await ask();
    assert.equal(await afterIdle(reusedAfterMs), 1, announced);
    assert.equal(await afterIdle(renewedAfterMs), 2, announced);
  }
  const hasty = await startBytes(t, (_text, socket) =>
    socket.write(rawReply('here', 'keep-alive: timeout=1\r\n')),
  );
  const outbound = outboundFor(t);
  for (let i = 0; i < 3; i++) {
    await textOf(outbound.request({ method: 'POST', url: hasty.url, body: 'x' }));
    await immediate();
  }
  assert.equal(hasty.sockets.length, 3, 'a second is too short to be sure of');
});

test('after a standstill of this process a request goes on no connection that was closed meanwhile', {
  skip: fullRunOnly,
}, async (t) => {
  // A server of its own process: it closes the idle connection while we stand still.
  const child = spawn(process.execPath, ['-e', hastyServer], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const outbound = outboundFor(t);
  const ask = () => textOf(outbound.request({ method: 'POST', url: `http://127.0.0.1:${port}/`, body: 'x' }));
  await ask();
  await immediate();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  assert.equal(await ask(), 'here');
});

/** Keeps a connection for a fifth of a second, and says nothing of it. */
const hastyServer = `
const server = require('node:net').createServer((socket) => {
  socket.on('error', () => undefined).on('data', () => {
    socket.write('HTTP/1.1 200 OK\\r\\ncontent-length: 4\\r\\n\\r\\nhere');
    setTimeout(() => socket.destroy(), 200);
  });
}).listen(0, '127.0.0.1', () => console.log(server.address().port));`;
