/**
 * One, two and three replicas on one PostgreSQL and one Redis behind a round-robin balancer: requests a second, and the
 * processor time that each costs. On a machine with few cores the replicas share them, so the cost is what scales.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../test/support/postgres.ts';
import { noRedis, startRedis } from '../test/support/redis.ts';
import { writeCatalogue } from './large-catalogue.ts';
import { cpuMs, load, printTable, residentMegabytes, type Served, serve, startFlags } from './support.ts';

const bin = join(fileURLToPath(new URL('..', import.meta.url)), 'bin/mcprank.js');
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const headers = { 'x-api-key': adminKey };
const seconds = 5;
const [servers, tools] = [2_000, 16_000];

export async function run(): Promise<void> {
  const postgres = await startPostgres();
  if (postgres === undefined || noRedis !== false) {
    console.log('needs PostgreSQL and Redis: skipped');
    return;
  }
  const ends: (() => Promise<void>)[] = [];
  const redis = await startRedis({ after: (act) => void ends.push(act) });
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const file = join(folder, 'catalogue.jsonl');
  await writeCatalogue(file, servers, tools);
  const env = {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_LOG: 'error',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_VAULT_KEYS: `bench:${Buffer.alloc(32, 3).toString('base64')}`,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
  };
  spawnSync(process.execPath, [bin, 'catalog', 'import', file, '--json'], {
    env: { ...process.env, ...env },
  });
  const rows: string[][] = [];
  const running: Served[] = [];
  for (const count of [1, 2, 3]) {
    running.push(await serve([...startFlags, bin, 'serve'], env, { pin: false }));
    await Promise.all(running.map(({ url }) => ready(url)));
    for (const [name, body] of [
      ['search, distinct', searching()],
      ['search, repeated', () => '{"query":"send an invoice","tool_limit":2}'],
    ] as const)
      rows.push(await measure(name, running, body));
    if (count === 3) for (const one of running) await one.stop();
  }
  printTable(['replicas', 'row', 'per second', 'p50 ms', 'p99 ms', 'CPU µs a request', 'MB a replica'], rows);
  for (const end of ends) await end();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Load on all replicas at once, spread evenly, which is what a round-robin balancer does without costing a core itself. */
async function measure(name: string, running: readonly Served[], body: () => string): Promise<string[]> {
  const connections = Math.ceil(48 / running.length);
  const press = (time: number) =>
    Promise.all(
      running.map(({ url }) => load({ url: `${url}/v1/search`, headers, body, connections, seconds: time })),
    );
  await press(1);
  const before = running.map(cpuMs);
  const results = await press(seconds);
  const spentMs = running.reduce((sum, each, i) => sum + cpuMs(each) - (before[i] ?? 0), 0);
  const perSecond = results.reduce((sum, each) => sum + each.perSecond, 0);
  const most = (pick: (each: (typeof results)[number]) => number) => Math.max(...results.map(pick));
  return [
    String(running.length),
    name,
    perSecond.toFixed(0),
    String(most(({ p50 }) => p50)),
    String(most(({ p99 }) => p99)),
    ((spentMs * 1_000) / (perSecond * seconds)).toFixed(0),
    (running.reduce((sum, each) => sum + residentMegabytes(each), 0) / running.length).toFixed(0),
  ];
}

function searching(): () => string {
  let count = 0;
  return () =>
    JSON.stringify({ query: `find the ${count++} invoice of customer ${count * 7}`, tool_limit: 2 });
}

async function ready(url: string): Promise<void> {
  while ((await fetch(`${url}/readyz`)).status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 100));
}
