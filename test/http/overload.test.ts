import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createShedder } from '../../src/http/edge/shed.ts';
import { defaultLimits } from '../../src/http/http.ts';
import { bootApp } from '../support/app.ts';

/** Keeps the event loop from everything else, as too many requests do. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('a process that is late refuses a growing share, and takes all again when it is on time', async (t) => {
  let shed = 0;
  const shedder = createShedder({
    now: () => performance.now(),
    random: () => 0.5,
    onShed: () => shed++,
    lateMs: defaultLimits.lateMs,
  });
  t.after(shedder.stop);
  assert.equal(shedder.refuse(), null);
  let rounds = 0;
  for (; rounds < 100 && shedder.refuse() === null; rounds++) {
    block(400);
    await delay(1);
  }
  assert.ok(rounds > 2 && rounds < 20, `${rounds}`);
  assert.deepEqual([shedder.refuse()?.kind, shedder.refuse()?.retryAfterMs], ['unavailable', 1_000]);
  assert.ok(shed >= 3);
  await delay(1_500);
  assert.equal(shedder.refuse(), null);
});

test('one time that a process was late is no overload, however late it was; twice within a second is', async (t) => {
  const shedder = createShedder({
    now: () => performance.now(),
    random: () => 0,
    onShed: () => undefined,
    lateMs: defaultLimits.lateMs,
  });
  t.after(shedder.stop);
  await delay(40);
  block(1_200);
  await delay(1);
  assert.equal(shedder.refuse(), null);
  block(400);
  await delay(1);
  assert.equal(shedder.refuse()?.kind, 'unavailable');
});

test('overload: new requests get 503 with Retry-After on a connection that stays, health is still answered, and it ends by itself', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' }, { limits: defaultLimits });
  for (let i = 0; i < 20; i++) {
    block(500);
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
