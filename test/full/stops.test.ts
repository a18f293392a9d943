import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { adminKey } from '../support/app.ts';
import { startLoopback } from '../support/mcp-oauth.ts';
import { ask, type Replica, startReplicas } from '../support/replicas.ts';
import { engines } from '../support/stores.ts';

/** Of each store. `STOPS=50 npm run …` (docs/reliability.md) makes the hundred. */
const stops = Number(process.env.STOPS ?? 10);
const clients = 16;

type Answer = { readonly status: number; readonly isLast: boolean };

/** One request on a connection that is kept. Rejects when it gets no whole answer. */
function send(base: string, agent: Agent, path: string, body: unknown): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const asked = request(
    base + path,
    {
      agent,
      method: body === null ? 'GET' : 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
    },
    (reply) => {
      reply.resume();
      reply.once('error', reject);
      reply.once('end', () =>
        resolve({ status: reply.statusCode ?? 0, isLast: reply.headers.connection === 'close' }),
      );
    },
  );
  asked.once('error', reject);
  asked.end(body === null ? undefined : JSON.stringify(body));
  return promise;
}

const kinds: readonly ((n: number) => readonly [path: string, body: unknown])[] = [
  (n) => ['/v1/search', { query: `high water ${n}` }],
  () => ['/v1/invocations', { server_id: 'it', tool_name: 'go', success: true }],
  () => ['/v1/mcp/tools/call', { server_id: 'it', name: 'go', arguments: {} }],
  () => ['/v1/servers', null],
  (n) => ['/v1/identity/token', { user_id: `user ${n}` }],
];

/** Asks one thing after the other until it is told that its connection ends: whoever knows balances elsewhere. */
async function keepAsking(base: string, client: number, statuses: Map<number, number>): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let lost = 0;
  try {
    for (let n = client; ; n++) {
      const [path, body] = kinds[n % kinds.length]?.(n) ?? assert.fail();
      const answer = await send(base, agent, path, body).catch(() => null);
      if (answer === null) {
        lost++;
        break;
      }
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (answer.isLast) break;
    }
  } finally {
    agent.destroy();
  }
  return lost;
}

/** Callers who hang up as soon as they have asked: what runs for them must not outlive the store. */
async function keepLeaving(base: string, isOver: () => boolean): Promise<void> {
  for (let n = 0; !isOver(); n++) {
    const agent = new Agent({ keepAlive: false });
    const [path, body] = kinds[n % 3]?.(n) ?? assert.fail();
    const asked = send(base, agent, path, body).catch(() => null);
    await delay(n % 7);
    agent.destroy();
    await asked;
  }
}

async function stopUnderLoad(t: TestContext, env: Readonly<Record<string, string>>) {
  const [replica] = (await startReplicas(t, 1, env)) as [Replica];
  const { url, child, log } = replica;
  const statuses = new Map<number, number>();
  const gone = once(child, 'exit');
  let isOver = false;
  void gone.then(() => {
    isOver = true;
  });
  const asking = Array.from({ length: clients }, (_, client) => keepAsking(url, client, statuses));
  const leaving = [1, 2].map(() => keepLeaving(url, () => isOver));
  await delay(300 + Math.random() * 200);
  child.kill('SIGTERM');
  const lost = (await Promise.all(asking)).reduce((sum, each) => sum + each, 0);
  const [code, signal] = (await gone) as [number | null, string | null];
  await Promise.all(leaving);
  const errors = log
    .join('')
    .split('\n')
    .filter((line) => line.includes('"level":"error"'));
  return { lost, statuses, errors, ended: signal ?? code };
}

for (const engine of engines)
  test(`${engine.name}: 18.13 of ${stops} stops under load none loses a request, and none leaves an error line`, {
    skip: engine.skip,
    timeout: stops * 30_000,
  }, async (t) => {
    // Slow enough for a stop to find calls under way.
    const upstream = await startLoopback(t, ({ body }, response) => {
      const { id } = JSON.parse(body) as { id: number };
      const content = [{ type: 'text', text: 'done' }];
      const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], content, isError: false };
      const answer = JSON.stringify({ jsonrpc: '2.0', id, result });
      setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end(answer), 100);
      return 'handled';
    });
    const env = {
      MCPRANK_STARTER: 'off',
      MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
      MCPRANK_TIERS: 'free=1,enterprise=100000000',
      ...(await engine.environment(t)),
    };
    const [first] = (await startReplicas(t, 1, env)) as [Replica];
    await ask(first.url, 'POST', '/v1/admin/servers', {
      body: {
        id: 'it',
        name: 'Tides',
        description: 'High water',
        remote_url: upstream.url,
        tools: [{ name: 'go' }],
      },
    });
    first.child.kill('SIGTERM');
    await once(first.child, 'exit');

    let answered = 0;
    for (let stop = 1; stop <= stops; stop++) {
      const { lost, statuses, errors, ended } = await stopUnderLoad(t, env);
      const counts = JSON.stringify([...statuses]);
      assert.deepEqual([lost, ended, errors], [0, 0, []], `stop ${stop}: ${counts}`);
      for (const status of statuses.keys())
        assert.ok([200, 201, 503].includes(status), `stop ${stop}: ${counts}`);
      for (const count of statuses.values()) answered += count;
    }
    t.diagnostic(`${answered} requests were answered over ${stops} stops`);
  });
