import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Problem } from '../../src/base/problem.ts';
import { createLoadShedder } from '../../src/http/connection/load-shedder.ts';
import { defaultLimits } from '../../src/http/http.ts';
import { bootApp } from '../support/app.ts';

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
  return { shedder, shed, tick, refusal };
}

test('a process that is late refuses a growing share, and takes all again when it is on time', (t) => {
  const { shedder, shed, tick, refusal } = shedderAt(t, 0.5);
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

test('one time that a process was late is no overload, however late it was; twice within a second is', (t) => {
  const { tick, refusal } = shedderAt(t, 0);
  tick(0);
  tick(1_200);
  assert.equal(refusal(), null);
  tick(400);
  assert.equal(refusal()?.kind, 'unavailable');
});

test('overload: new requests get 503 with Retry-After on a connection that stays, health is still answered, and it ends by itself', async (t) => {
  const limits = { ...defaultLimits, lateMs: 30 };
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' }, { limits });
  for (let i = 0; i < 20; i++) {
    block(60);
    await delay(1);
  }
  const search = () => app.call('POST', '/v1/search', { body: { query: 'anything' } });
  const replies = await Promise.all(Array.from({ length: 10 }, search));
  const refused = replies.find(({ status }) => status === 503);
  assert.ok(refused !== undefined, replies.map(({ status }) => status).join(' '));
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.notEqual(refused.headers.get('connection'), 'close');
  assert.equal(refused.body.code, 'unavailable');
  assert.equal((await app.call('GET', '/healthz', { key: null })).status, 200);
  assert.match((await app.call('GET', '/metrics', { key: null })).text, /mcprank_http_shed [1-9]/);
  await delay(2_000);
  assert.equal((await search()).status, 200);
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
