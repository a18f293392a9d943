import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { createLimiter, type Limiter } from '../../src/access/limiter.ts';
import { createSharedLimiter, type SharedLimiter } from '../../src/access/shared-limiter.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { openRedis } from '../../src/storage/coordination/redis.ts';
import { noRedis, startRedis } from '../support/redis.ts';

/** A process's limiter over a Redis, and how often it had to count by itself. */
async function limiterOn(t: { after(act: () => Promise<void>): void }, url: string) {
  const redis = openRedis(new Secret(url), () => undefined);
  t.after(() => redis.close());
  while (!redis.isUp()) await delay(5);
  const fallbacks: unknown[] = [];
  const local = createLimiter(systemClock);
  const limiter = createSharedLimiter({
    run: redis.run,
    local,
    now: systemClock.monotonic,
    onFallback: (error) => fallbacks.push(error),
  });
  return { limiter, local, redis, fallbacks };
}

const both = async (limiter: SharedLimiter | Limiter, cost: number, perMinute: number) =>
  limiter.take('key', cost, perMinute);

test('Redis: the shared limiter decides as the local one does', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t);
  const { limiter } = await limiterOn(t, redis.url);
  const local = createLimiter(systemClock);
  for (const cost of [1, 5, 0, 30, 64, 1, 0]) {
    const [here, there] = [await both(local, cost, 100), await both(limiter, cost, 100)];
    assert.deepEqual([there.allowed, there.limit, there.remaining], [here.allowed, 100, here.remaining]);
    assert.ok(Math.abs(there.resetMs - here.resetMs) < 100);
    assert.ok(Math.abs(there.retryAfterMs - here.retryAfterMs) < 100);
  }
});

test('Redis: three processes together admit what one would', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t);
  const processes = await Promise.all([1, 2, 3].map(() => limiterOn(t, redis.url)));
  let admitted = 0;
  const began = performance.now();
  // No more at once than a busy machine's Redis answers in time: whoever waits too long counts by itself.
  for (let round = 0; round < 30; round++) {
    const quotas = await Promise.all(
      Array.from({ length: 10 }, (_, i) => processes[(round + i) % 3]!.limiter.take('one key', 1, 100)),
    );
    admitted += quotas.filter(({ allowed }) => allowed).length;
  }
  assert.deepEqual(
    processes.flatMap(({ fallbacks }) => fallbacks),
    [],
  );
  const most = 101 + (performance.now() - began) / 600;
  assert.ok(admitted >= 100 && admitted <= most, `${admitted} were admitted`);
});

test('Redis that answered while this process was held up was not late', { skip: noRedis }, async (t) => {
  const server = await startRedis(t);
  const { limiter, fallbacks } = await limiterOn(t, server.url);
  await limiter.take('key', 1, 100);
  process.kill(server.pid(), 'SIGSTOP');
  const asked = limiter.take('key', 1, 100);
  await delay(20);
  // Here timers come before what was received.
  await immediate();
  process.kill(server.pid(), 'SIGCONT');
  // It answers, while nothing is done here for longer than it may take.
  const until = performance.now() + 400;
  while (performance.now() < until);
  assert.equal((await asked).remaining, 98);
  assert.deepEqual(fallbacks, []);
});

test('Redis flushed, its scripts too, or its clock put back by an hour: limits begin anew, and nobody is shut out', {
  skip: noRedis,
}, async (t) => {
  const server = await startRedis(t);
  const { limiter, fallbacks } = await limiterOn(t, server.url);
  const client = createClient({ url: server.url });
  client.on('error', () => undefined);
  await client.connect();
  t.after(() => client.destroy());
  assert.equal((await limiter.take('key', 100, 100)).allowed, true);
  assert.equal((await limiter.take('key', 100, 100)).allowed, false);
  await client.flushAll();
  await client.scriptFlush();
  assert.equal((await limiter.take('key', 100, 100)).allowed, true);
  // What stands there when the clock is put back.
  await client.set('mcprank:limit:key', String(Date.now() + 3_600_000));
  assert.equal((await limiter.take('key', 60, 100)).allowed, true);
  assert.equal((await limiter.take('key', 60, 100)).allowed, false);
  assert.deepEqual(fallbacks, []);
});

test('Redis away: limits are local, nobody waits, and the shared count is back when Redis is', {
  skip: noRedis,
}, async (t) => {
  const server = await startRedis(t);
  const { limiter, redis, fallbacks } = await limiterOn(t, server.url);
  assert.equal((await limiter.take('key', 60, 100)).remaining, 40);
  await server.stop();
  assert.equal((await limiter.take('key', 60, 100)).remaining, 40, 'counted by itself, from the beginning');
  assert.ok(fallbacks.length > 0);
  assert.equal((await limiter.take('key', 60, 100)).allowed, false, 'and limited by itself');
  await server.start();
  while (!redis.isUp()) await delay(20);
  await delay(1_100);
  const before = fallbacks.length;
  assert.equal((await limiter.take('key', 10, 100)).remaining, 90);
  assert.equal(fallbacks.length, before);
});

test('Redis that hangs: an answer comes all the same, and soon', { skip: noRedis }, async (t) => {
  const server = await startRedis(t);
  const { limiter, fallbacks } = await limiterOn(t, server.url);
  await limiter.take('key', 1, 100);
  process.kill(server.pid(), 'SIGSTOP');
  try {
    const quotas = await Promise.all(Array.from({ length: 20 }, () => limiter.take('key', 1, 100)));
    assert.ok(quotas.every(({ allowed }) => allowed));
    const after = await limiter.take('key', 1, 100);
    assert.equal(after.remaining, 79);
    assert.equal(fallbacks.length, 20, 'whoever came later did not wait');
  } finally {
    process.kill(server.pid(), 'SIGCONT');
  }
});
