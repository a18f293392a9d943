import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Hostile, HostileKind } from '../../bench/peers/hostile-tenant.ts';
import { defaultLimits } from '../../src/http/http.ts';
import { bootApp, type TestApp } from '../support/app.ts';
import { startLoopback } from '../support/mcp-oauth.ts';
import { root } from '../support/paths.ts';

/** What can be said of it without a clock; how fast the others are beside it is measured by `npm run bench -- fairness`. */
const kinds: readonly HostileKind[] = [
  'slow names',
  'open streams',
  'silent servers',
  'bad keys',
  'idempotency keys',
  'webhooks',
  '8 MB replies',
  'replies that nobody reads',
];
const tenants = 10;
const rounds = 8;

/** Answers with the first thing that it says. */
async function start(t: TestContext, file: string, ...args: string[]): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, [join(root, 'bench/peers', file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH },
  });
  t.after(() => child.kill('SIGKILL'));
  const [chunk] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  return chunk.toString();
}

async function boot(t: TestContext): Promise<{ app: TestApp; hook: string }> {
  const good = await startLoopback(t, ({ body }) => {
    const { id } = JSON.parse(body) as { id: number };
    const content = [{ type: 'text', text: 'done' }];
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], content, isError: false };
    return { body: { jsonrpc: '2.0', id, result } };
  });
  const said = await start(t, 'hostile-upstream.ts');
  const hostile = /listening on (http:\S+)/.exec(said)?.[1] ?? assert.fail(said);
  // A machine that is late says nothing of who stops whom.
  const limits = { ...defaultLimits, lateMs: Number.POSITIVE_INFINITY, drainMs: 0, graceMs: 500 };
  const app = await bootApp(t, { MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' }, { limits });
  const server = (id: string, remote_url: string) => ({
    ...{ id, name: id, description: `Server ${id}`, remote_url, tools: [{ name: 'go' }] },
  });
  await app.call('POST', '/v1/admin/servers', {
    body: [
      server('good', good.url),
      ...['huge', 'never', 'stream'].map((id) => server(id, `${hostile}/${id}`)),
      ...Array.from({ length: 60 }, (_, i) => server(`name-${i}`, `https://slow-${i}.example.com/mcp`)),
    ],
  });
  await app.services.search.settled();
  return { app, hook: `${hostile}/hook` };
}

const requests: readonly ((n: number) => readonly [path: string, body: object])[] = [
  (n) => ['/v1/search', { query: `server ${n}` }],
  () => ['/v1/mcp/tools/call', { server_id: 'good', name: 'go', arguments: {} }],
  () => ['/v1/invocations', { server_id: 'good', tool_name: 'go', success: true }],
  (n) => ['/v1/identity/token', { user_id: `user ${n}` }],
];

for (const kind of kinds)
  test(`18 a tenant that is hostile by ${kind}: no request of the others is refused or lost`, {
    timeout: 120_000,
  }, async (t) => {
    const { app, hook } = await boot(t);
    const key = await app.newKey();
    const hostile: Hostile = { url: app.url, key, hook, kinds: [kind], strength: 1 };
    await start(t, 'hostile-tenant.ts', JSON.stringify(hostile));
    const others = Array.from({ length: tenants }, async () => {
      const own = await app.newKey();
      for (let n = 0; n < rounds * requests.length; n++) {
        const [path, body] = requests[n % requests.length]?.(n) ?? assert.fail();
        const reply = await app.call('POST', path, { key: own, body });
        assert.ok([200, 201].includes(reply.status), `${path}: ${reply.status} ${reply.text}`);
      }
    });
    await Promise.all(others);
  });
