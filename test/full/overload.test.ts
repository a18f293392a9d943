import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { Problem } from '../../src/base/problem.ts';
import { createLoadShedder } from '../../src/http/connection/load-shedder.ts';
import { defaultLimits } from '../../src/http/http.ts';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';

/** Keeps the event loop from everything else, as too many requests do. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** A shedder whose timers fire when the test says so, and as late as it says. */
function shedderAt(t: TestContext, random: number) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let time = 0;
  const shed: number[] = [];
  const shedder = createLoadShedder({
    now: () => time,
    random: () => random,
    onShed: () => shed.push(time),
    onTick: () => undefined,
    lateMs: 300,
  });
  t.after(shedder.stop);
  const tick = (lateMs: number) => {
    time += 20 + lateMs;
    t.mock.timers.tick(20);
  };
  const refusal = () => {
    try {
      shedder.admit(false);
      return null;
    } catch (error) {
      return error as Problem;
    }
  };
  /** The second of two that waited together. */
  const refusalOfSecond = () => {
    refusal();
    return refusal();
  };
  return { shedder, shed, tick, refusal, refusalOfSecond };
}

/** Connections that the server has read from already, so that what is written to all of them it finds all at once. */
async function openConnections(t: TestContext, app: TestApp, count: number) {
  const { hostname, port } = new URL(app.url);
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(Number(port), hostname).setEncoding('utf8');
      t.after(() => socket.destroy());
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'data');
      return socket;
    }),
  );
}

const lateLimits = { ...defaultLimits, lateMs: 10 };

/** A thread that gets its turn late, over and over, for whatever reason: every request may be refused then. */
async function beLate(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    block(50);
    await delay(1);
  }
}

test('a process that is late refuses a growing share, and takes all again when it is on time', (t) => {
  const { shedder, shed, tick, refusalOfSecond: refusal } = shedderAt(t, 0.5);
  assert.equal(refusal(), null);
  let rounds = 0;
  for (; rounds < 100 && refusal() === null; rounds++) tick(400);
  assert.ok(rounds > 2 && rounds < 20, `${rounds}`);
  assert.deepEqual([refusal()?.kind, refusal()?.retryAfterMs], ['unavailable', 1_000]);
  assert.ok(shed.length >= 3);
  assert.doesNotThrow(() => shedder.admit(true));
  for (let i = 0; i < 60; i++) tick(0);
  assert.equal(refusal(), null);
});

test('one request at a time is never refused, however late the process is; the next of the same turn is', async (t) => {
  const { tick, refusal } = shedderAt(t, 0);
  for (let i = 0; i < 30; i++) tick(1_200);
  for (let i = 0; i < 3; i++) {
    assert.equal(refusal(), null);
    assert.equal(refusal()?.kind, 'unavailable');
    await turn();
  }
});

test('one time that a process was late is no overload, however late it was; twice within a second is', (t) => {
  const { tick, refusalOfSecond: refusal } = shedderAt(t, 0);
  tick(0);
  tick(1_200);
  assert.equal(refusal(), null);
  tick(400);
  assert.equal(refusal()?.kind, 'unavailable');
});

test('overload: new requests get 503 with Retry-After on a connection that stays, health is still answered, and it ends by itself', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' }, { limits: lateLimits });
  const connections = await openConnections(t, app, 10);
  await beLate();
  const heads = connections.map((socket) => once(socket, 'data'));
  for (const socket of connections)
    socket.write(`GET /v1/servers HTTP/1.1\r\nHost: x\r\nX-API-Key: ${adminKey}\r\n\r\n`);
  const replies = (await Promise.all(heads)).map(([text]) => String(text));
  const refused = replies.filter((text) => text.startsWith('HTTP/1.1 503'));
  assert.ok(refused.length > 0 && refused.length < replies.length, replies.join('\n'));
  for (const text of refused) {
    assert.match(text, /^retry-after: 1\r$/im);
    assert.doesNotMatch(text, /^connection: close/im);
    assert.match(text, /"code":"unavailable"/);
  }
  assert.equal((await app.call('GET', '/healthz', { key: null })).status, 200);
  assert.match((await app.call('GET', '/metrics', { key: null })).text, /mcprank_http_shed [1-9]/);
  const several = () => Promise.all([1, 2, 3, 4].map(() => app.call('GET', '/v1/servers')));
  while ((await several()).some(({ status }) => status !== 200)) await delay(100);
});

test('a process that got no processor refuses nobody who comes alone', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' }, { limits: lateLimits });
  await beLate();
  for (let i = 0; i < 5; i++) assert.equal((await app.call('GET', '/v1/servers')).status, 200);
  assert.match((await app.call('GET', '/metrics', { key: null })).text, /mcprank_http_shed 0/);
});

test('how late the event loop was is a histogram in /metrics', async (t) => {
  const app = await bootApp(t);
  const above = async (le: string) => {
    const { text } = await app.call('GET', '/metrics', { key: null });
    const counted = (bound: string) =>
      Number(text.split(`mcprank_event_loop_delay_seconds_bucket{le="${bound}"} `)[1]?.split('\n')[0]);
    return counted('+Inf') - counted(le);
  };
  const before = await above('0.05');
  for (let i = 0; i < 3; i++) {
    block(100);
    await delay(1);
  }
  assert.ok((await above('0.05')) >= before + 3);
});
