import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  cpuMs,
  load,
  type Measured,
  median,
  printTable,
  residentMegabytes,
  type Served,
  serve,
} from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const headers = { 'x-api-key': adminKey };
const rounds = 3;
const seconds = 3;
const body = JSON.stringify({ server_id: 'upstream', name: 'echo', arguments: { message: 'hi' } });

/** tools/call through us and through the least gateway there can be, alternately, before a JSON and an SSE upstream. */
export async function run(): Promise<void> {
  // Load and upstream share the other core, so that the one behind each gateway is its own.
  spawnSync('taskset', ['-apc', '1', String(process.pid)]);
  const rows: string[][] = [];
  for (const [kind, bar] of [
    ['json', 0.7],
    ['sse', 0.6],
  ] as const)
    rows.push(...(await measure(kind, bar)));
  printTable(['upstream', 'connections', 'row', 'ours', 'gateway', 'ratio', 'bar', ''], rows);
  await flatMemory();
}

async function measure(kind: 'json' | 'sse', bar: number): Promise<string[][]> {
  const { ours, upstream, gateway, stop } = await start(kind);
  const many = await alternate(ours, gateway, 16);
  const one = await alternate(ours, gateway, 1);
  const direct = await median50(upstream);
  await stop();
  const ratio = rate(many.ours) / rate(many.gateway);
  const cpuRatio = many.gatewayCpu / many.oursCpu;
  const added = p50(one.ours) - direct;
  return [
    [
      kind,
      '16',
      'calls/s',
      rate(many.ours).toFixed(0),
      rate(many.gateway).toFixed(0),
      ratio.toFixed(2),
      `≥ ${bar}`,
      ratio >= bar ? 'met' : 'MISSED',
    ],
    [
      kind,
      '16',
      'CPU µs a call',
      many.oursCpu.toFixed(0),
      many.gatewayCpu.toFixed(0),
      cpuRatio.toFixed(2),
      '',
      '',
    ],
    [
      kind,
      '1',
      'mean ms',
      p50(one.ours).toFixed(3),
      p50(one.gateway).toFixed(3),
      `+${added.toFixed(3)} over direct`,
      '≤ .3 added',
      added <= 0.3 ? 'met' : 'MISSED',
    ],
  ];
}

async function start(kind: 'json' | 'sse', flags: readonly string[] = []) {
  const upstream = await serveElsewhere([join(root, 'bench/peers/mcp-upstream.ts'), kind]);
  const gateway = await serve([join(root, 'bench/peers/mcp-gateway.ts'), upstream.url]);
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const ours = await serve([...flags, join(root, 'bin/mcprank.js'), 'serve'], {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_LOG: 'error',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
  });
  const tools = [{ name: 'echo', description: 'Say it again', inputSchema: { type: 'object' } }];
  await fetch(`${ours.url}/v1/admin/servers`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'upstream', name: 'upstream', remote_url: upstream.url, tools }),
  });
  const stop = async () => {
    await ours.stop();
    await gateway.stop();
    upstream.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  return { upstream, gateway, ours, stop };
}

type Alternated = { ours: Measured[]; gateway: Measured[]; oursCpu: number; gatewayCpu: number };

async function alternate(ours: Served, gateway: Served, connections: number): Promise<Alternated> {
  const sides = {
    ours: { served: ours, url: `${ours.url}/v1/mcp/tools/call`, runs: [] as Measured[], cpuMs: 0, calls: 0 },
    gateway: { served: gateway, url: gateway.url, runs: [] as Measured[], cpuMs: 0, calls: 0 },
  };
  for (const { url } of Object.values(sides)) await load({ url, headers, body, connections, seconds: 2 });
  for (let round = 0; round < rounds; round++) {
    for (const side of Object.values(sides)) {
      const before = cpuMs(side.served);
      const measured = await load({ url: side.url, headers, body, connections, seconds });
      if (measured.failed > 0) console.log(`${measured.failed} calls failed at ${side.url}`);
      side.cpuMs += cpuMs(side.served) - before;
      side.calls += measured.perSecond * seconds;
      side.runs.push(measured);
    }
  }
  return {
    ours: sides.ours.runs,
    gateway: sides.gateway.runs,
    oursCpu: (sides.ours.cpuMs * 1000) / sides.ours.calls,
    gatewayCpu: (sides.gateway.cpuMs * 1000) / sides.gateway.calls,
  };
}

const rate = (all: readonly Measured[]) => median(all.map(({ perSecond }) => perSecond));
/** At one connection the rate is the reciprocal of the time; autocannon's own percentiles are whole milliseconds. */
const p50 = (all: readonly Measured[]) => 1000 / rate(all);

async function median50(upstream: { readonly url: string }): Promise<number> {
  const direct = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: JSON.parse(body) });
  return p50([await load({ url: upstream.url, body: direct, connections: 1, seconds: 2 })]);
}

/** Resident memory after 20,000 calls and after 100,000 more, with the young generation that `npm start` sets. */
async function flatMemory(): Promise<void> {
  const { ours, stop } = await start('json', ['--max-semi-space-size=1']);
  const url = `${ours.url}/v1/mcp/tools/call`;
  let calls = 0;
  const until = async (count: number) => {
    while (calls < count)
      calls += 2 * (await load({ url, headers, body, connections: 16, seconds: 2 })).perSecond;
    return residentMegabytes(ours);
  };
  const before = await until(20_000);
  const after = await until(120_000);
  await stop();
  const grown = after - before;
  printTable(
    ['calls', 'resident MB', 'grown', 'bar', ''],
    [
      ['20,000', before.toFixed(0), '', '', ''],
      [
        '120,000',
        after.toFixed(0),
        `${grown.toFixed(0)} MB`,
        'flat (< 30 MB)',
        grown < 30 ? 'met' : 'MISSED',
      ],
    ],
  );
}

async function serveElsewhere(
  args: readonly string[],
): Promise<{ url: string; child: ReturnType<typeof spawn> }> {
  const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const text of child.stdout.setEncoding('utf8')) {
    const url = /listening on (http:\S+)/.exec(String(text))?.[1];
    if (url !== undefined) return { url, child };
  }
  throw new Error('the upstream did not start');
}
