import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { ask, type Replica, startReplicas } from '../support/replicas.ts';

/**
 * What docs/reliability.md promises while PostgreSQL is away, slow, silent or another one: searches and known keys go on,
 * writes fail clearly or are accepted and written later, nothing acknowledged is lost, nothing is done twice, and
 * recovery needs no hand.
 */
type Setup = {
  readonly postgres: Postgres;
  readonly proxy: FaultProxy;
  readonly replicas: Replica[];
  readonly one: Replica;
};

async function setUp(t: TestContext, count = 1, env: Record<string, string> = {}): Promise<Setup | null> {
  const postgres = await startPostgres();
  if (postgres === undefined) {
    t.skip('needs PostgreSQL');
    return null;
  }
  t.after(() => postgres.stop());
  const proxy = await startFaultProxy(t, postgres.port);
  const url = new URL(postgres.url);
  url.port = String(proxy.port);
  const replicas = await startReplicas(t, count, {
    MCPRANK_STARTER: 'off',
    DATABASE_URL: url.href,
    ...env,
  });
  const [one] = replicas as [Replica];
  await ask(one.url, 'POST', '/v1/admin/servers', { body: server });
  while ((await search(one)).body.servers?.length !== 1) await delay(25);
  return { postgres, proxy, replicas, one };
}

const server = {
  id: 'tides',
  name: 'Tides',
  description: 'Tide tables',
  remote_url: 'https://tides.example/mcp',
  tools: [{ name: 'next_tide', description: 'When is high water' }],
};
let count = 0;
const outcome = () => ({
  server_id: 'tides',
  tool_name: 'next_tide',
  success: true,
  idempotency_key: `k${++count}`,
});
const search = async ({ url }: Replica) => {
  const reply = await ask(url, 'POST', '/v1/search', { body: { query: `high water ${++count}` } });
  return { ...reply, body: reply.body as { servers?: { id: string }[] } };
};
const record = ({ url }: Replica, body = outcome()) => ask(url, 'POST', '/v1/invocations', { body });
const ready = async ({ url }: Replica) => (await fetch(`${url}/readyz`)).status;

/** Milliseconds until it holds; fails after `withinMs`. */
async function soon(withinMs: number, what: string, holds: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await holds().catch(() => false))) {
    assert.ok(performance.now() - began < withinMs, `${what}: not within ${withinMs} ms`);
    await delay(50);
  }
  return performance.now() - began;
}

/** Searches and known keys go on; writes fail clearly; the process lives and says that it is not ready. */
async function assertStandsWithoutStore(replica: Replica): Promise<void> {
  const found = await search(replica);
  assert.deepEqual([found.status, found.body.servers?.[0]?.id], [200, 'tides'], 'search goes on');
  const refused = await record(replica);
  assert.equal(refused.status, 503, 'a write fails clearly');
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.equal((await fetch(`${replica.url}/healthz`)).status, 200);
  assert.equal(await ready(replica), 503);
  assert.equal(replica.child.exitCode, null);
}

test('PostgreSQL stopped and started: searches go on, writes fail clearly, what was accepted is written later, all by itself', async (t) => {
  const set = await setUp(t);
  if (set === null) return;
  const { postgres, one } = set;
  const before = outcome();
  const told = await record(one, before);
  await postgres.halt();
  await assertStandsWithoutStore(one);
  const later = outcome();
  const reply = await fetch(`${one.url}/v1/invocations`, {
    method: 'POST',
    headers: {
      'x-api-key': `sk_mcp_rank_${'a1'.repeat(16)}`,
      'content-type': 'application/json',
      prefer: 'respond-async',
    },
    body: JSON.stringify(later),
  });
  assert.equal(reply.status, 202, 'what may be written later is taken');
  const accepted = (await reply.json()) as { invocation_id: string };
  await postgres.resume();
  await soon(5_000, 'writes work again', async () => (await record(one)).status === 201);
  await soon(5_000, 'ready again', async () => (await ready(one)) === 200);
  assert.equal(
    (await record(one, before)).body.invocation_id,
    told.body.invocation_id,
    'nothing acknowledged is lost',
  );
  await soon(5_000, 'the accepted one is there', async () => {
    const again = await record(one, later);
    return again.body.invocation_id === accepted.invocation_id;
  });
});

test('PostgreSQL slow: searches are as fast as ever, writes take longer and hold', async (t) => {
  const set = await setUp(t);
  if (set === null) return;
  const { proxy, one } = set;
  proxy.delayMs = 400;
  const began = performance.now();
  for (let i = 0; i < 20; i++) assert.equal((await search(one)).status, 200);
  assert.ok(performance.now() - began < 2_000, 'twenty searches wait for nobody');
  assert.equal((await record(one)).status, 201);
  proxy.delayMs = 0;
  proxy.bytesPerSecond = 2_000;
  assert.equal((await record(one)).status, 201);
});

test('a line that swallows everything: a transaction ends within fifteen seconds with a clear answer, searches go on, and what hung on it is not used again', async (t) => {
  const set = await setUp(t);
  if (set === null) return;
  const { proxy, one } = set;
  proxy.set('swallowing');
  const began = performance.now();
  const added = ask(one.url, 'POST', '/v1/admin/servers', { body: { ...server, id: 'other' } });
  const recorded = record(one);
  assert.equal((await added).status, 503);
  assert.equal((await recorded).status, 503);
  // A rollback that waits behind the statement takes as long again.
  assert.ok(performance.now() - began < 20_000, 'bounded');
  assert.equal((await search(one)).status, 200);
  // The line is back, and what went into it is lost: the connections of then would answer nothing for ever.
  proxy.set('whole');
  for (let i = 0; i < 12; i++)
    await soon(10_000, 'a write works', async () => (await record(one)).status === 201);
});

test('a table that somebody locks: a write ends in time with a clear answer, and its statement does, too', async (t) => {
  const set = await setUp(t);
  if (set === null) return;
  const { postgres, one } = set;
  const hog = new pg.Client({ connectionString: postgres.url });
  hog.on('error', () => undefined);
  await hog.connect();
  await hog.query('begin; lock table invocations in access exclusive mode');
  assert.equal((await record(one)).status, 503);
  assert.equal((await search(one)).status, 200);
  // What else asks for the table waits, too, each for as long.
  await delay(6_000);
  const { rows } = await hog.query(
    "select coalesce(max(extract(epoch from clock_timestamp() - query_start)), 0) as longest from pg_stat_activity where wait_event_type = 'Lock'",
  );
  assert.ok(Number(rows[0]?.longest) < 18, `one waits for ${rows[0]?.longest} s`);
  await hog.query('rollback');
  await hog.end();
  await soon(5_000, 'writes work again', async () => (await record(one)).status === 201);
});

test('a partition of one replica: it stands alone, the others go on, and what it missed it hears when it is back', async (t) => {
  const set = await setUp(t);
  if (set === null) return;
  const { postgres, proxy, one } = set;
  const [other] = (await startReplicas(t, 1, { MCPRANK_STARTER: 'off', DATABASE_URL: postgres.url })) as [
    Replica,
  ];
  const made = await ask(other.url, 'POST', '/v1/admin/keys', {
    body: { developer: 'd', name: 'k', tier: 'pro' },
  });
  const key = String(made.body.key);
  assert.equal((await ask(one.url, 'GET', '/v1/servers', { key })).status, 200);
  proxy.set('cut');
  await assertStandsWithoutStore(one);
  assert.equal((await record(other)).status, 201);
  await ask(other.url, 'DELETE', `/v1/admin/keys/${String(made.body.key_id)}`);
  const more = { ...server, id: 'moon', name: 'Moon', description: 'Phases of the moon' };
  await ask(other.url, 'POST', '/v1/admin/servers', { body: more });
  assert.equal((await ask(other.url, 'GET', '/v1/servers', { key })).status, 401);
  proxy.set('whole');
  await soon(
    5_000,
    'the revocation is heard',
    async () => (await ask(one.url, 'GET', '/v1/servers', { key })).status === 401,
  );
  await soon(5_000, 'the new server is found', async () => {
    const reply = await ask(one.url, 'POST', '/v1/search', { body: { query: 'phases of the moon' } });
    return (reply.body.servers as { id: string }[]).some(({ id }) => id === 'moon');
  });
});

test('PostgreSQL out of connections: a write fails clearly and works as soon as there is room', async (t) => {
  const set = await setUp(t);
  if (set === null) return;
  const { postgres, proxy, one } = set;
  proxy.set('cut');
  const hogs: pg.Client[] = [];
  for (let full = false; !full && hogs.length < 120; ) {
    const hog = new pg.Client({ connectionString: postgres.url });
    hog.on('error', () => undefined);
    await hog.connect().then(
      () => hogs.push(hog),
      () => {
        full = true;
      },
    );
  }
  proxy.set('whole');
  await assertStandsWithoutStore(one);
  await Promise.all(hogs.map((hog) => hog.end()));
  await soon(5_000, 'writes work again', async () => (await record(one)).status === 201);
});

test('a failover to another server: nothing acknowledged is lost, and it goes on by itself', async (t) => {
  const set = await setUp(t);
  if (set === null) return;
  const { postgres, proxy, one } = set;
  const before = outcome();
  const told = await record(one, before);
  proxy.target = await postgres.failOver();
  await soon(10_000, 'writes work on the new server', async () => (await record(one)).status === 201);
  assert.equal((await record(one, before)).body.invocation_id, told.body.invocation_id);
  await soon(5_000, 'ready again', async () => (await ready(one)) === 200);
});

test('a replica that is frozen and thawed goes on; what it missed it hears', async (t) => {
  const set = await setUp(t, 2);
  if (set === null) return;
  const [one, two] = set.replicas as [Replica, Replica];
  one.child.kill('SIGSTOP');
  const more = { ...server, id: 'moon', name: 'Moon', description: 'Phases of the moon' };
  await ask(two.url, 'POST', '/v1/admin/servers', { body: more });
  await delay(3_000);
  one.child.kill('SIGCONT');
  await soon(5_000, 'it answers and knows', async () => {
    const reply = await ask(one.url, 'POST', '/v1/search', { body: { query: 'phases of the moon' } });
    return (reply.body.servers as { id: string }[]).some(({ id }) => id === 'moon');
  });
});

test('clocks five minutes apart: a job has one holder, a revocation is heard, a search answers', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-clock-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const stepped = join(folder, 'step.mjs');
  writeFileSync(stepped, 'const real = Date.now; Date.now = () => real() + Number(process.env.STEP_MS);');
  const postgres = await startPostgres();
  if (postgres === undefined) return t.skip('needs PostgreSQL');
  t.after(() => postgres.stop());
  const start = async (stepMs: number) =>
    (
      await startReplicas(t, 1, {
        MCPRANK_STARTER: 'off',
        DATABASE_URL: postgres.url,
        NODE_OPTIONS: `--import ${stepped}`,
        STEP_MS: String(stepMs),
      })
    )[0] as Replica;
  const [early, late] = [await start(-300_000), await start(300_000)];
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => undefined);
  await client.connect();
  t.after(() => client.end());
  await client.query(
    `insert into jobs (name, holder, lease_until, next_run_at)
     values ('probe of the test', 'early', (extract(epoch from clock_timestamp()) * 1000)::bigint + 30000, 0)
     on conflict (name) do nothing`,
  );
  const { openStorage } = await import('../../src/storage/storage.ts');
  const { Secret } = await import('../../src/base/secret.ts');
  const ahead = { now: () => Date.now() + 300_000, monotonic: () => performance.now() };
  const storage = await openStorage({ dataDir: folder, databaseUrl: new Secret(postgres.url) }, ahead);
  t.after(() => storage.close());
  assert.equal(await storage.leases.take('probe of the test', 'ahead', 30_000), false);

  const made = await ask(late.url, 'POST', '/v1/admin/keys', {
    body: { developer: 'd', name: 'k', tier: 'pro' },
  });
  const key = String(made.body.key);
  assert.equal((await ask(early.url, 'GET', '/v1/servers', { key })).status, 200);
  await ask(late.url, 'DELETE', `/v1/admin/keys/${String(made.body.key_id)}`);
  await soon(
    1_000,
    'the revocation is heard',
    async () => (await ask(early.url, 'GET', '/v1/servers', { key })).status === 401,
  );
  assert.equal((await search(early)).status, 200);
});

test('little memory: a replica with 96 MB of heap serves a catalogue of two thousand servers and large bodies without falling', async (t) => {
  const set = await setUp(t, 1, { NODE_OPTIONS: '--max-old-space-size=96' });
  if (set === null) return;
  const { one } = set;
  const page = (from: number) =>
    Array.from({ length: 500 }, (_, i) => ({
      ...server,
      id: `s/${from + i}`,
      name: `Server ${from + i}`,
      tools: Array.from({ length: 4 }, (_, n) => ({
        name: `tool_${n}`,
        description: `Does ${from + i} times ${n}`,
      })),
    }));
  for (let from = 0; from < 2_000; from += 500)
    assert.equal((await ask(one.url, 'POST', '/v1/admin/servers', { body: page(from) })).status, 200);
  for (let round = 0; round < 10; round++)
    await Promise.all([
      ...Array.from({ length: 20 }, () => search(one)),
      ...Array.from({ length: 5 }, () =>
        ask(one.url, 'POST', '/v1/search', { body: { query: 'x', pad: 'y'.repeat(900_000) } }).catch(
          () => null,
        ),
      ),
    ]);
  assert.equal((await search(one)).status, 200);
  assert.equal(one.child.exitCode, null);
});
