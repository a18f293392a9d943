import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { adminKey } from '../support/app.ts';
import { startLoopback } from '../support/mcp-oauth.ts';
import { root } from '../support/paths.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { noRedis, startRedis, type TestRedis } from '../support/redis.ts';
import { ask, type Replica, startBalancer, startReplicas } from '../support/replicas.ts';

/** Everything at once under load: what was acknowledged is there, what was done was done once, and searches never stop. */
type Stage = {
  readonly postgres: Postgres;
  readonly redis: TestRedis;
  readonly replicas: readonly Replica[];
  readonly base: string;
  /** Runs of the tool by its argument. */
  readonly runs: ReadonlyMap<string, number>;
};

async function setUp(t: TestContext): Promise<Stage | null> {
  const postgres = await startPostgres();
  if (postgres === undefined) {
    t.skip('needs PostgreSQL');
    return null;
  }
  t.after(() => postgres.stop());
  const redis = await startRedis(t);
  const runs = new Map<string, number>();
  const upstream = await startLoopback(t, ({ body }) => {
    const { id, method, params } = JSON.parse(body) as {
      id: number;
      method: string;
      params?: { arguments?: { name: string } };
    };
    const name = params?.arguments?.name ?? '';
    if (method === 'tools/call') runs.set(name, (runs.get(name) ?? 0) + 1);
    const content = [{ type: 'text', text: `${name}: run ${runs.get(name)}` }];
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], content, isError: false };
    return { body: { jsonrpc: '2.0', id, result } };
  });
  const replicas = await startReplicas(t, 3, {
    MCPRANK_STARTER: 'off',
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    NODE_OPTIONS: `--import ${join(root, 'test/support/stepped-clock.ts')}`,
  });
  const base = await startBalancer(t, replicas);
  const server = {
    id: 'it',
    name: 'Tides',
    description: 'Tide tables',
    remote_url: `${upstream.url}/mcp`,
    tools: [{ name: 'count' }],
  };
  assert.equal((await ask(base, 'POST', '/v1/admin/servers', { body: server })).status, 200);
  for (const { url } of replicas)
    while (((await search(url)).body.servers as unknown[]).length === 0) await delay(25);
  return { postgres, redis, replicas, base, runs };
}

let queries = 0;
const search = (url: string) =>
  ask(url, 'POST', '/v1/search', { body: { query: `tide tables ${++queries}` } });

/** Longer than anything is away here. */
const patienceMs = 60_000;

/** Asked until it is answered for good: what broke off or is 503 was perhaps done, and is asked again as it was. */
async function insist(base: string, path: string, body: unknown, headers: Record<string, string> = {}) {
  const until = performance.now() + patienceMs;
  for (;;) {
    const reply = await fetch(base + path, {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json', connection: 'close', ...headers },
      body: JSON.stringify(body),
    }).catch(() => null);
    const text = await reply?.text().catch(() => null);
    if (reply != null && text != null && reply.status !== 503)
      return { status: reply.status, text, body: JSON.parse(text) as Record<string, string> };
    assert.ok(performance.now() < until, `${path}: ${text ?? 'no answer'}`);
    await delay(50);
  }
}

/** Four clients of each kind, until `isOver`; what each was told. */
function load({ base, replicas }: Stage, isOver: () => boolean) {
  const outcomes = new Map<string, string>();
  const calls = new Map<string, string>();
  const tokens: string[][] = [];
  let searches = 0;
  const each = <T>(act: (client: number) => Promise<T>) => Promise.all([0, 1, 2, 3].map(act));
  const whole = Promise.all([
    each(async (client) => {
      for (let i = 0; !isOver(); i++) {
        const idempotency_key = `outcome-${client}-${i}`;
        const body = { server_id: 'it', tool_name: 'count', success: true, idempotency_key };
        const reply = await insist(base, '/v1/invocations', body);
        assert.equal(reply.status, 201, reply.text);
        outcomes.set(idempotency_key, String(reply.body.invocation_id));
      }
    }),
    each(async (client) => {
      for (let i = 0; !isOver(); i++) {
        const name = `call-${client}-${i}`;
        const body = { server_id: 'it', name: 'count', arguments: { name } };
        const reply = await insist(base, '/v1/mcp/tools/call', body, { 'idempotency-key': name });
        assert.ok([200, 409].includes(reply.status), reply.text);
        if (reply.status === 200) calls.set(name, reply.text);
        await delay(5);
      }
    }),
    each(async (client) => {
      const { body } = await insist(base, '/v1/identity/token', { user_id: `user ${client}` });
      const own = [String(body.refresh_token)];
      tokens.push(own);
      while (!isOver()) {
        const reply = await insist(base, '/v1/identity/refresh', { refresh_token: own.at(-1) });
        assert.equal(reply.status, 200, reply.text);
        own.push(String(reply.body.refresh_token));
      }
    }),
    each(async (client) => {
      for (; !isOver(); searches++) {
        const reply = await search(replicas[client % 3]?.url ?? base);
        assert.equal(reply.status, 200, JSON.stringify(reply.body));
        await delay(5);
      }
    }),
  ]);
  return { whole, outcomes, calls, tokens, searches: () => searches };
}

test('18 PostgreSQL restarted, Redis flushed and clocks stepped by an hour under load: nothing acknowledged is lost, nothing is done twice, no search fails', {
  skip: noRedis,
  timeout: 300_000,
}, async (t) => {
  const stage = await setUp(t);
  if (stage === null) return;
  const { postgres, redis, replicas, base, runs } = stage;
  let isOver = false;
  const told = load(stage, () => isOver);
  const stepClocks = () => {
    for (const { child } of replicas) child.kill('SIGUSR2');
  };
  const client = createClient({ url: redis.url });
  client.on('error', () => undefined);
  await client.connect();
  t.after(() => client.destroy());
  const upheavals = async () => {
    for (let round = 0; round < 2; round++) {
      await delay(1_000);
      await postgres.halt();
      await delay(1_000);
      await postgres.resume();
      await client.flushAll();
      await client.scriptFlush();
      // Of what was under way something has come through again.
      const [outcomes, calls] = [told.outcomes.size, told.calls.size];
      while (!isOver && (told.outcomes.size === outcomes || told.calls.size === calls)) await delay(25);
      stepClocks();
    }
    await delay(1_000);
  };
  const end = () => {
    isOver = true;
  };
  // Whoever fails ends the others, too.
  await Promise.all([told.whole.finally(end), upheavals().finally(end)]);
  t.diagnostic(
    `${told.outcomes.size} outcomes, ${told.calls.size} calls, ${told.tokens.flat().length} tokens, ${told.searches()} searches`,
  );

  for (const [name, count] of runs) assert.equal(count, 1, name);
  stepClocks();
  for (const [idempotency_key, id] of told.outcomes) {
    const body = { server_id: 'it', tool_name: 'count', success: true, idempotency_key };
    const again = await insist(base, '/v1/invocations', body);
    assert.equal(again.body.invocation_id, id, idempotency_key);
  }
  for (const [name, text] of told.calls) {
    const body = { server_id: 'it', name: 'count', arguments: { name } };
    const again = await insist(base, '/v1/mcp/tools/call', body, { 'idempotency-key': name });
    // Answered while the store was away: nobody knows, and nothing runs again.
    if (again.status !== 409) assert.equal(again.text, text);
  }
  for (const [name, count] of runs) assert.equal(count, 1, `${name}, asked again`);
  for (const own of told.tokens) {
    assert.equal(new Set(own).size, own.length);
    const last = await insist(base, '/v1/identity/refresh', { refresh_token: own.at(-1) });
    assert.equal(last.status, 200, last.text);
  }
});
