import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load, median, printTable, serve, startFlags } from './support.ts';

const bin = fileURLToPath(new URL('../bin/mcprank.js', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const rounds = 3;

/** Outcomes recorded over HTTP: answered after the commit, and answered before it. */
export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const served = await serve([...startFlags, bin, 'serve'], {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
  });
  const headers = { 'x-api-key': adminKey };
  await fetch(`${served.url}/v1/admin/servers`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      id: 'one',
      name: 'One',
      description: '',
      remote_url: 'https://one.example.com/mcp',
      tools: [{ name: 'act', description: '', inputSchema: {} }],
    }),
  });
  const body = JSON.stringify({ server_id: 'one', tool_name: 'act', success: true, latency_ms: 12 });
  const cases = [
    { name: 'acknowledged durable (group commit)', extra: {}, bar: 5_000 },
    { name: 'Prefer: respond-async', extra: { prefer: 'respond-async' }, bar: 15_000 },
  ];
  const rows: string[][] = [];
  for (const { name, extra, bar } of cases) {
    const measured = [];
    for (let round = 0; round < rounds; round++)
      measured.push(
        await load({
          url: `${served.url}/v1/invocations`,
          headers: { ...headers, ...extra },
          body,
          connections: 64,
          seconds: 4,
        }),
      );
    const rate = median(measured.map(({ perSecond }) => perSecond));
    const [first] = measured;
    rows.push([
      name,
      rate.toFixed(0),
      String(first?.p50),
      String(first?.p99),
      String(measured.reduce((sum, { failed }) => sum + failed, 0)),
      `≥ ${bar}/s`,
      rate >= bar ? 'met' : 'MISSED',
    ]);
  }
  printTable(['POST /v1/invocations', 'per second', 'p50 ms', 'p99 ms', 'failed', 'bar', ''], rows);
  await served.stop();
  rmSync(folder, { recursive: true, force: true });
}
