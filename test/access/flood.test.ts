import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';

/** A connection, and what came over it until it was closed. */
function open(t: TestContext, app: TestApp): { socket: Socket; closed: Promise<string> } {
  const { hostname, port } = new URL(app.url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', () => undefined);
  return { socket, closed: new Promise((resolve) => socket.once('close', () => resolve(text))) };
}

const served = async (app: TestApp) => {
  await app.services.search.settled();
  const reply = await app.call('POST', '/v1/search', { body: { query: 'anything' } });
  assert.equal(reply.status, 200);
};

test('header floods end with 400 at 16 KB, and one with a thousand small fields too', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  for (const fields of [`x-a: ${'y'.repeat(20_000)}\r\n`, 'x-a: y\r\n'.repeat(3_000)]) {
    const { socket, closed } = open(t, app);
    socket.write(`GET /v1/health HTTP/1.1\r\nHost: x\r\n${fields}`);
    assert.match(await closed, /^HTTP\/1\.1 400 /);
  }
  await served(app);
});

test('an endless body is cut off at a megabyte, whether it says its length or not', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const head = `POST /v1/search HTTP/1.1\r\nHost: x\r\nX-API-Key: ${adminKey}\r\nContent-Type: application/json\r\n`;
  const long = open(t, app);
  long.socket.write(`${head}Content-Length: 1000000000\r\n\r\n{`);
  assert.match(await long.closed, /^HTTP\/1\.1 400 .*larger than 1 MB/s);

  const endless = open(t, app);
  endless.socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
  const piece = `10000\r\n${' '.repeat(65_536)}\r\n`;
  let sent = 0;
  while (!endless.socket.destroyed && sent < 1_000) {
    if (!endless.socket.write(piece)) await Promise.race([delay(5), endless.closed]);
    sent++;
  }
  assert.match(await endless.closed, /^HTTP\/1\.1 400 /);
  assert.ok(sent < 200, `${sent} pieces of 64 KB were taken`);
  await served(app);
});

test('a thousand idle connections and a hundred that trickle their heads leave everybody else unharmed, and are let go', {
  timeout: 60_000,
}, async (t) => {
  const app = await bootApp(
    t,
    { MCPRANK_STARTER: 'off' },
    {
      limits: {
        headersTimeoutMs: 1_500,
        requestTimeoutMs: 2_000,
        passthroughTimeoutMs: 2_000,
        keepAliveTimeoutMs: 1_000,
        maxConnections: 2_000,
        drainMs: 0,
        graceMs: 500,
        lateMs: Number.POSITIVE_INFINITY,
      },
    },
  );
  const idle = Array.from({ length: 1_000 }, () => open(t, app));
  const slow = Array.from({ length: 100 }, () => open(t, app));
  const trickle = setInterval(() => {
    for (const { socket } of slow) if (!socket.destroyed) socket.write('G');
  }, 200);
  t.after(() => clearInterval(trickle));
  for (let i = 0; i < 20; i++) await served(app);
  const answers = await Promise.all(slow.map(({ closed }) => closed));
  assert.ok(answers.every((text) => text === '' || /^HTTP\/1\.1 4\d\d /.test(text)));
  for (const { socket } of idle) socket.destroy();
  await served(app);
});
