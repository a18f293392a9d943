import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Other,
  othersMissing,
  startBeforeProgram,
  startBeforeUrl,
  upstreamProgram,
} from './peers/mcp-others.ts';
import {
  cpuMs,
  type Load,
  leaveFirstCore,
  load,
  type Measured,
  median,
  printTable,
  residentMegabytes,
  type Served,
  serve,
  startFlags,
} from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const headers = { 'x-api-key': adminKey };
const rounds = 5;
const seconds = 2;
/** Before that no side is as fast as it gets: compilers are at work for as long as this. */
const warmSeconds = 4;
const body = JSON.stringify({ server_id: 'upstream', name: 'echo', arguments: { message: 'hi' } });

type Kind = 'json' | 'sse' | 'stdio';
/** Something under load, and what became of it. */
type Side = {
  readonly served: Served;
  readonly call: Omit<Load, 'seconds'>;
  readonly runs: Measured[];
  cpuMs: number;
  calls: number;
};

/** tools/call through us, through the least gateway there can be and through other people's, alternately, in front of the same upstream. */
export async function run(): Promise<void> {
  // Load and upstream share the other core, so that the one behind each gateway is its own.
  leaveFirstCore();
  const rows = [
    ...(await besideLeast('json', 0.7)),
    ...(await besideLeast('sse', 0.6)),
    ...(othersMissing === null ? await besideOthers() : []),
  ];
  printTable(['upstream', 'connections', 'row', 'ours', 'theirs', 'ratio', 'bar', ''], rows);
  if (othersMissing !== null) console.log(`skipped: mcp-hub, mcp-proxy, supergateway (${othersMissing})`);
  await flatMemory();
}

async function besideLeast(kind: 'json' | 'sse', bar: number): Promise<string[][]> {
  const upstream = await serveElsewhere([join(root, 'bench/peers/mcp-upstream.ts'), kind]);
  const gateway = await serve([join(root, 'bench/peers/mcp-gateway.ts'), upstream.url]);
  const ours = await startOurs(upstream.url);
  const oursSmall = await startOurs(upstream.url, startFlags);
  const parties = { us: ours.call, least: { served: gateway, call: { url: gateway.url, body } } };
  const many = { us: sideOf(parties.us), least: sideOf(parties.least), small: sideOf(oursSmall.call) };
  await alternate([many.us, many.least, many.small], 16);
  const one = { us: sideOf(parties.us), least: sideOf(parties.least) };
  await alternate([one.us, one.least], 1);
  const added = meanMs(one.us) - (await meanDirect(upstream.url));
  await ours.stop();
  await oursSmall.stop();
  await gateway.stop();
  upstream.child.kill('SIGKILL');
  const costs = [costUs(many.us).toFixed(0), costUs(many.least).toFixed(0)];
  const means = [meanMs(one.us).toFixed(3), meanMs(one.least).toFixed(3), `+${added.toFixed(3)} over direct`];
  return [
    rateRow(kind, 'the least gateway', many.us, many.least, bar),
    [kind, '16', 'CPU µs a call beside it', ...costs, (costUs(many.least) / costUs(many.us)).toFixed(2)],
    rateRow(kind, 'it, started as npm start does', many.small, many.least),
    [kind, '1', 'mean ms beside it', ...means, '≤ .3 added', verdict(added <= 0.3)],
  ];
}

/**
 * The bar is for a JSON upstream. Beside it, without a bar, the same in front of a program: what that costs is mostly
 * HTTP in Node, which all of them pay for, and the others serve one session for all connections there.
 */
async function besideOthers(): Promise<string[][]> {
  const upstream = await serveElsewhere([join(root, 'bench/peers/mcp-upstream.ts'), 'json']);
  const rows = [
    ...(await beside('json', await startOurs(upstream.url), await startBeforeUrl(upstream.url), 5)),
    ...(await beside('stdio', await startOurs(null), await startBeforeProgram())),
  ];
  upstream.child.kill('SIGKILL');
  return rows;
}

async function beside(kind: Kind, ours: Ours, others: readonly Other[], bar?: number): Promise<string[][]> {
  const us = sideOf(ours.call);
  const sides = others.map(sideOf);
  await alternate([us, ...sides], 16);
  await ours.stop();
  for (const { served } of others) await served.stop();
  return sides.map((side, i) => rateRow(kind, others[i]?.name ?? '', us, side, bar));
}

function rateRow(kind: Kind, name: string, us: Side, them: Side, bar?: number): string[] {
  // Of each round, one right after the other: a neighbour that slows the machine down for a while slows both.
  const ratio = median(us.runs.map(({ perSecond }, i) => perSecond / (them.runs[i]?.perSecond ?? 0)));
  const figures = [rate(us).toFixed(0), rate(them).toFixed(0), ratio.toFixed(2)];
  const judged = bar === undefined ? [] : [`≥ ${bar}`, verdict(ratio >= bar)];
  return [kind, '16', `calls/s beside ${name}`, ...figures, ...judged];
}

type Ours = { readonly call: Pick<Side, 'served' | 'call'>; stop(): Promise<void> };

/** Our service in front of a server at a URL, or (null) of the same as its child. */
async function startOurs(upstreamUrl: string | null, flags: readonly string[] = []): Promise<Ours> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const config = join(folder, 'servers.json');
  const mcpServers = upstreamUrl === null ? { upstream: upstreamProgram } : {};
  writeFileSync(config, JSON.stringify({ mcpServers }));
  const served = await serve([...flags, join(root, 'bin/mcprank.js'), 'serve', '--mcp-config', config], {
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
  if (upstreamUrl !== null)
    await fetch(`${served.url}/v1/admin/servers`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'upstream', name: 'upstream', remote_url: upstreamUrl, tools }),
    });
  return {
    call: { served, call: { url: `${served.url}/v1/mcp/tools/call`, headers, body } },
    async stop() {
      await served.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function sideOf({ served, call }: Pick<Side, 'served' | 'call'>): Side {
  return { served, call, runs: [], cpuMs: 0, calls: 0 };
}

/** Each side in turn, several times over; the first time is for warmth only. */
async function alternate(sides: readonly Side[], connections: number): Promise<void> {
  for (const { call } of sides) await load({ ...call, connections, seconds: warmSeconds });
  for (let round = 0; round < rounds; round++)
    for (const side of sides) {
      const before = cpuMs(side.served);
      const measured = await load({ ...side.call, connections, seconds });
      if (measured.failed > 0) console.log(`${measured.failed} calls failed at ${side.call.url}`);
      side.cpuMs += cpuMs(side.served) - before;
      side.calls += measured.perSecond * seconds;
      side.runs.push(measured);
    }
}

const rate = ({ runs }: Side) => median(runs.map(({ perSecond }) => perSecond));
/** At one connection the rate is the reciprocal of the time; autocannon's own percentiles are whole milliseconds. */
const meanMs = (side: Side) => 1000 / rate(side);
const costUs = ({ cpuMs: spentMs, calls }: Side) => (spentMs * 1000) / calls;
const verdict = (met: boolean) => (met ? 'met' : 'MISSED');

async function meanDirect(url: string): Promise<number> {
  const direct = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: JSON.parse(body) });
  return 1000 / (await load({ url, body: direct, connections: 1, seconds: 2 })).perSecond;
}

/** Resident memory after 100,000 calls, when the heap has grown to what this load takes, and after 100,000 more. */
async function flatMemory(): Promise<void> {
  const upstream = await serveElsewhere([join(root, 'bench/peers/mcp-upstream.ts'), 'json']);
  const { call: us, stop } = await startOurs(upstream.url, startFlags);
  let calls = 0;
  const until = async (count: number) => {
    while (calls < count) calls += 2 * (await load({ ...us.call, connections: 16, seconds: 2 })).perSecond;
    return residentMegabytes(us.served);
  };
  const before = await until(100_000);
  const after = await until(200_000);
  await stop();
  upstream.child.kill('SIGKILL');
  const grown = after - before;
  printTable(
    ['calls', 'resident MB', 'grown', 'bar', ''],
    [
      ['100,000', before.toFixed(0), '', '', ''],
      [
        '200,000',
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
