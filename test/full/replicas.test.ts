import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createBrowser } from '../support/browser.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { providerSettings, startIdp } from '../support/oidc.ts';
import { noRedis, startRedis } from '../support/redis.ts';
import { ask, type Replica, startBalancer, startReplicas } from '../support/replicas.ts';
import { engines } from '../support/stores.ts';

const [, postgres] = engines;
const skip = postgres?.skip || noRedis;

async function startAll(t: TestContext, env: Record<string, string> = {}) {
  const store = (await postgres?.environment(t)) ?? {};
  const redis = await startRedis(t);
  const replicas = await startReplicas(t, 3, {
    MCPRANK_STARTER: 'off',
    DATABASE_URL: store.DATABASE_URL ?? '',
    REDIS_URL: redis.url,
    ...env,
  });
  return { replicas, redis, base: await startBalancer(t, replicas), databaseUrl: store.DATABASE_URL ?? '' };
}

/** Milliseconds until every replica answers so; fails after `withinMs`. */
async function everywhere(
  replicas: readonly Replica[],
  withinMs: number,
  holds: (replica: Replica) => Promise<boolean>,
): Promise<void> {
  const began = performance.now();
  for (;;) {
    const all = await Promise.all(replicas.map(holds));
    const elapsedMs = performance.now() - began;
    if (all.every(Boolean)) return;
    assert.ok(elapsedMs < withinMs, `not so everywhere after ${Math.round(elapsedMs)} ms`);
    await delay(25);
  }
}

const newKey = async (base: string, tier: string) => {
  const made = await ask(base, 'POST', '/v1/admin/keys', {
    body: { developer: `of ${tier}`, name: 'x', tier },
  });
  return { id: String(made.body.key_id), key: String(made.body.key) };
};

test('three replicas: a key revoked on one is refused by all within a second', { skip }, async (t) => {
  const { replicas, base } = await startAll(t);
  const { id, key } = await newKey(base, 'pro');
  for (const { url } of replicas) assert.equal((await ask(url, 'GET', '/v1/servers', { key })).status, 200);
  assert.equal((await ask(replicas[0]!.url, 'DELETE', `/v1/admin/keys/${id}`)).status, 200);
  await everywhere(
    replicas,
    1_000,
    async ({ url }) => (await ask(url, 'GET', '/v1/servers', { key })).status === 401,
  );
});

test('three replicas: a binding that is taken away is effective on all of them within a second', {
  skip,
}, async (t) => {
  const { replicas } = await startAll(t, { MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' });
  const upstream = await startRaw(t, ({ body }, reply) =>
    sendJson(reply, 200, {
      jsonrpc: '2.0',
      id: body.id,
      result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {}, content: [] },
    }),
  );
  // One replica is told; the others hear of it.
  const told = replicas[0]!.url;
  const tools = [{ name: 'read' }];
  await ask(told, 'POST', '/v1/admin/servers', {
    body: { id: 's', name: 's', remote_url: upstream.url, tools },
  });
  const { key, id } = await newKey(told, 'pro');
  const put = async (path: string, body: unknown) =>
    assert.equal((await ask(told, 'PUT', `/v1/admin/toolsets/${path}`, { body })).status, 200);
  // Without the one nothing is left but the other, which allows nothing.
  await put('nothing', { rules: [] });
  await put('readers', { rules: [{ effect: 'allow', tool: 'read' }] });
  await put('readers/bindings', { keys: [id] });
  await put('nothing/bindings', { keys: [id] });
  const body = { server_id: 's', name: 'read', arguments: {} };
  const answers = (status: number) => async (replica: Replica) =>
    (await ask(replica.url, 'POST', '/v1/mcp/tools/call', { key, body })).status === status;
  await everywhere(replicas, 5_000, answers(200));
  assert.equal((await ask(told, 'DELETE', '/v1/admin/toolsets/readers/bindings')).status, 200);
  await everywhere(replicas, 1_000, answers(403));
});

test('three replicas: a limit of 100 a minute admits 100 in all', { skip }, async (t) => {
  const { base } = await startAll(t);
  const { key } = await newKey(base, 'free');
  const began = performance.now();
  const statuses: number[] = [];
  for (let round = 0; round < 15; round++)
    statuses.push(
      ...(await Promise.all(
        Array.from({ length: 10 }, async () => (await ask(base, 'GET', '/v1/servers', { key })).status),
      )),
    );
  const admitted = statuses.filter((status) => status === 200).length;
  // The quota refills while the requests run: 100 a minute.
  const refilled = Math.ceil(((performance.now() - began) * 100) / 60_000);
  assert.ok(admitted >= 100 && admitted <= 101 + refilled, `${admitted} were admitted, ${refilled} refilled`);
  assert.ok(statuses.every((status) => status === 200 || status === 429));
});

test('three replicas: a change of the catalogue is searchable everywhere within two seconds, a removal gone', {
  skip,
}, async (t) => {
  const { replicas, base } = await startAll(t);
  const body = {
    id: 'new/one',
    name: 'Tide tables',
    description: 'High and low water for harbours',
    remote_url: 'https://tides.example/mcp',
  };
  const finds = async ({ url }: Replica) => {
    const reply = await ask(url, 'POST', '/v1/search', { body: { query: 'when is high water' } });
    return (reply.body.servers as { id: string }[]).some(({ id }) => id === body.id);
  };
  assert.equal((await ask(base, 'POST', '/v1/admin/servers', { body })).status, 200);
  await everywhere(replicas, 2_000, finds);
  assert.equal((await ask(base, 'DELETE', '/v1/admin/servers/new%2Fone')).status, 200);
  await everywhere(replicas, 2_000, async (replica) => !(await finds(replica)));
});

test('three replicas: one killed in the middle of everything costs nothing that was acknowledged', {
  skip,
}, async (t) => {
  const { replicas, base } = await startAll(t);
  const server = {
    name: 'x',
    description: 'x',
    remote_url: 'https://x.example/mcp',
    tools: [{ name: 'go' }],
  };
  await ask(base, 'POST', '/v1/admin/servers', { body: { id: 'x', ...server } });
  /** Idempotency key -> the id it was answered with. */
  const acknowledged = new Map<string, unknown>();
  let stop = false;
  const writers = Array.from({ length: 6 }, async (_, writer) => {
    for (let i = 0; !stop; i++) {
      const body = { server_id: 'x', tool_name: 'go', success: true, idempotency_key: `${writer}-${i}` };
      // The killed replica's callers see a broken connection, not a wrong answer.
      const reply = await ask(base, 'POST', '/v1/invocations', { body }).catch(() => null);
      if (reply?.status === 201) acknowledged.set(body.idempotency_key, reply.body.invocation_id);
    }
  });
  const until = async (count: number) => {
    while (acknowledged.size < count) await delay(20);
  };
  await until(30);
  replicas[1]?.child.kill('SIGKILL');
  await until(acknowledged.size + 60);
  stop = true;
  await Promise.all(writers);
  for (const [idempotency_key, id] of [...acknowledged].slice(-100)) {
    const body = { server_id: 'x', tool_name: 'go', success: true, idempotency_key };
    // A lost row would get a new id.
    assert.equal((await ask(base, 'POST', '/v1/invocations', { body })).body.invocation_id, id);
  }
});

test('three replicas: without Redis they go on, each counting by itself, and share again when it is back', {
  skip,
}, async (t) => {
  const { base, redis, replicas } = await startAll(t);
  const { key } = await newKey(base, 'pro');
  await redis.stop();
  for (let i = 0; i < 12; i++) assert.equal((await ask(base, 'GET', '/v1/servers', { key })).status, 200);
  await redis.start();
  const sharing = async ({ url }: Replica) =>
    (await (await fetch(`${url}/metrics`)).text()).includes('mcprank_redis_up 1');
  await everywhere(replicas, 5_000, sharing);
  assert.ok(replicas.every(({ log }) => log.some((line) => line.includes('redis.connection.down'))));
});

test('three replicas: a session begun on one is finished on another and heard on a third', {
  skip,
}, async (t) => {
  const idp = await startIdp(t);
  const settings = providerSettings(t, { idp: idp.row() }, idp);
  const { replicas } = await startAll(t, { ...settings, MCPRANK_PUBLIC_URL: 'http://127.0.0.1:64999' });
  const [first, second, third] = replicas as [Replica, Replica, Replica];
  const opened = await ask(first.url, 'POST', '/v1/identity/sessions', {
    body: { user_id: 'ann', provider: 'idp' },
  });
  const heard = ask(third.url, 'GET', `/v1/identity/sessions/${String(opened.body.session_id)}?wait=20`);
  // The balancer sends the browser where it likes.
  const browser = createBrowser();
  const at = (url: string, replica: Replica) => {
    const moved = new URL(url);
    moved.host = new URL(replica.url).host;
    return moved.href;
  };
  const landing = await browser.open(at(String(opened.body.auth_url), second));
  const action = /<form[^>]* action="([^"]+)"/.exec(landing.text)?.[1] ?? '';
  const fields = [...landing.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
  const form = Object.fromEntries(fields.map((match) => [match[1] ?? '', match[2] ?? '']));
  const sent = await browser.open(at(new URL(action, landing.url).href, second), form);
  let location = sent.headers.get('location') ?? '';
  for (let hops = 0; hops < 20 && !location.startsWith('http://127.0.0.1:64999/'); hops++) {
    const page = await browser.open(location);
    const next = page.headers.get('location');
    assert.ok(next !== null, page.text);
    location = new URL(next, page.url).href;
  }
  const done = await browser.open(at(location, second));
  assert.equal(done.status, 200, done.text);
  assert.equal((await heard).body.status, 'complete');
  const info = await ask(first.url, 'GET', '/v1/admin/connections');
  assert.equal((info.body.connections as unknown[]).length, 1);
});

test('three replicas: a job that is due runs once', { skip }, async (t) => {
  const { replicas, databaseUrl } = await startAll(t);
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  /** When the next run is due: it moves once a run. */
  const runs = new Set<number>();
  const began = Date.now();
  while (Date.now() < began + 8_000) {
    const { rows } = await client.query<{ next_run_at: string; holder: string | null }>(
      `select next_run_at, holder from jobs where name = 'webhooks'`,
    );
    for (const { next_run_at, holder } of rows)
      if (Number(next_run_at) > 0 && holder === null) runs.add(Number(next_run_at));
    await delay(20);
  }
  await client.end();
  // Every two seconds, and a look a second: three to five runs by all replicas together, where each alone would make nine or more.
  assert.ok(runs.size >= 2 && runs.size <= 6, `${runs.size} runs of ${replicas.length} replicas`);
});
