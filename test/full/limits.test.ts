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

test('Redis: a large limit is taken in lots of a hundredth at most, and three processes together admit no more than it', {
  skip: noRedis,
}, async (t) => {
  const redis = await startRedis(t);
  const processes = await Promise.all([1, 2, 3].map(() => limiterOn(t, redis.url)));
  const asked: number[] = [];
  const limiters = processes.map((each) =>
    createSharedLimiter({
      run(script, key, args) {
        asked.push(Number(args[2]));
        return each.redis.run(script, key, args);
      },
      local: each.local,
      now: systemClock.monotonic,
      onFallback: (error) => each.fallbacks.push(error),
    }),
  );
  const [perMinute, total] = [6_000, 9_000];
  let admitted = 0;
  const began = performance.now();
  for (let n = 0; n < total; n++)
    if ((await limiters[n % 3]!.take('one key', 1, perMinute)).allowed) admitted++;
  const refilled = ((performance.now() - began) * perMinute) / 60_000;
  const held = (3 * perMinute) / 100;
  assert.ok(
    admitted >= perMinute - held && admitted <= perMinute + refilled + 1,
    `${admitted} were admitted`,
  );
  assert.ok(Math.max(...asked) <= perMinute / 100, `lots of ${Math.max(...asked)}`);
  // Whoever is refused asks each time.
  assert.ok(asked.length < total - admitted + 600, `asked ${asked.length} times`);
  assert.deepEqual(
    processes.flatMap(({ fallbacks }) => fallbacks),
    [],
  );
});

test('Redis: what is not used of a lot goes back within a second or two', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t);
  const [one, other] = await Promise.all([limiterOn(t, redis.url), limiterOn(t, redis.url)]);
  // So slow to come back by itself that it can be told from what is given back.
  const perMinute = 1_000;
  // A few behind the beginning of a lot.
  const used = 52;
  let remaining = 0;
  for (let n = 0; n < used; n++) remaining = (await one.limiter.take('key', 1, perMinute)).remaining;
  const heldFor = async () => perMinute - (await other.limiter.take('key', 0, perMinute)).remaining;
  assert.ok(perMinute - remaining <= used, 'a lot counts as far as it is used');
  const [before, began] = [await heldFor(), performance.now()];
  assert.ok(before > used - 5 && before <= used + perMinute / 100, `${before} are held`);
  await delay(2_100);
  const refilled = ((performance.now() - began) * perMinute) / 60_000;
  assert.ok((await heldFor()) <= used - refilled + 1, 'the unused are back');
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

/** What is told of a Redis, in order. */
function watch(t: { after(act: () => Promise<void>): void }, url: string) {
  const told: string[] = [];
  const redis = openRedis(new Secret(url), (up, reason) => told.push(up ? 'up' : String(reason)));
  t.after(() => redis.close());
  return { redis, told };
}

test('a Redis that is not there is told of at once', { skip: noRedis }, async (t) => {
  const { redis, told } = watch(t, 'redis://127.0.0.1:1');
  while (told.length === 0) await delay(5);
  assert.match(told[0] ?? '', /ECONNREFUSED/);
  assert.equal(redis.isUp(), false);
  await delay(1_200);
  assert.equal(told.length, 1, 'and not again');
});

test('a read-only replica shares no limits, and is told of as what it is until it can', {
  skip: noRedis,
}, async (t) => {
  const primary = await startRedis(t);
  const server = await startRedis(t);
  const admin = createClient({ url: server.url });
  admin.on('error', () => undefined);
  await admin.connect();
  t.after(async () => admin.destroy());
  const before = watch(t, server.url);
  while (!before.redis.isUp()) await delay(5);
  await admin.sendCommand(['REPLICAOF', '127.0.0.1', new URL(primary.url).port]);
  const after = watch(t, server.url);
  while (after.told.length === 0) await delay(5);
  assert.match(after.told[0] ?? '', /^it is a read-only replica: REDIS_URL must name the primary \(READONLY/);
  // One that was up hears of it from the first script that is refused.
  await assert.rejects(
    before.redis.run({ text: "return redis.call('SET', KEYS[1], '1')", sha1: '0'.repeat(40) }, 'k', []),
  );
  while (before.told.length < 2) await delay(5);
  assert.match(before.told[1] ?? '', /read-only replica/);
  assert.match(before.redis.fault() ?? '', /read-only replica/);
  await admin.sendCommand(['REPLICAOF', 'NO', 'ONE']);
  while (!before.redis.isUp() || !after.redis.isUp()) await delay(20);
  assert.deepEqual([before.told.at(-1), after.told.at(-1)], ['up', 'up']);
});

test('a node of a cluster shares no limits, and is told of as what it is', { skip: noRedis }, async (t) => {
  const node = await startRedis(t, ['--cluster-enabled', 'yes']);
  const admin = createClient({ url: node.url });
  admin.on('error', () => undefined);
  await admin.connect();
  t.after(async () => admin.destroy());
  const slotless = watch(t, node.url);
  while (slotless.told.length === 0) await delay(5);
  assert.match(slotless.told[0] ?? '', /^it is one node of a cluster .* \(CLUSTERDOWN/);
  // A key may happen to be of a slot that is here; not all of them are.
  const slot = await admin.sendCommand(['CLUSTER', 'KEYSLOT', 'mcprank:trial:0']);
  await admin.sendCommand(['CLUSTER', 'ADDSLOTS', String(slot)]);
  await admin.sendCommand(['CONFIG', 'SET', 'cluster-require-full-coverage', 'no']);
  while (!String(await admin.sendCommand(['CLUSTER', 'INFO'])).includes('cluster_state:ok')) await delay(20);
  const some = watch(t, node.url);
  while (some.told.length === 0) await delay(5);
  assert.match(some.told[0] ?? '', /^it is one node of a cluster/);
});
