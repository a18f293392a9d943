/**
 * Our service as a whole under load: mixed traffic (search, outcomes, tools/call, tokens, OAuth proxy) at a share of its
 * measured capacity for long (`soak`), and at three times its capacity for a while (`overload`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { connect, serveElsewhere, startOurs } from './proxy.ts';
import { type Minute, openFiles, printMinutes, soakMinutes } from './soak-report.ts';
import { leaveFirstCore, printTable, residentMegabytes, type Served, startFlags } from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const servers = 1_000;
type Traffic = {
  readonly ours: Served;
  readonly requests: autocannon.Request[];
  stop(): Promise<void>;
};

/** The service with a catalogue, an MCP server, a connected user and a provider behind it. */
async function start(): Promise<Traffic> {
  leaveFirstCore();
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const provider = await serveElsewhere();
  const mcp = spawn(
    'taskset',
    ['-c', '1', process.execPath, join(root, 'bench/peers/mcp-upstream.ts'), 'json'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const mcpUrl = await urlOf(mcp);
  const ours = await startOurs(folder, provider.url, { flags: startFlags });
  const headers = await connect(ours.url);
  const post = (path: string, body: unknown) =>
    fetch(ours.url + path, {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await post(
    '/v1/admin/servers',
    Array.from({ length: servers }, (_, i) => ({
      id: `s/${i}`,
      name: `Server ${i}`,
      description: `Handles ${words[i % words.length]} and ${words[(i * 7) % words.length]}`,
      remote_url: mcpUrl,
      tools: Array.from({ length: 5 }, (_unused, n) => ({
        name: `tool_${n}`,
        description: `Does ${words[(i + n) % words.length]} number ${n}`,
      })),
    })),
  );
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  return {
    ours,
    requests: mix({ 'x-api-key': adminKey }, headers),
    async stop() {
      await ours.stop();
      mcp.kill('SIGKILL');
      provider.child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const words = 'invoice calendar weather ticket message photo contract flight song customer recipe tide'.split(
  ' ',
);

/** Of ten requests six search, and one each records, calls, issues a token, and goes through the proxy. */
function mix(key: Record<string, string>, user: Record<string, string>): autocannon.Request[] {
  let count = 0;
  const json = { ...key, 'content-type': 'application/json' };
  const post = (path: string, body: () => unknown): autocannon.Request => ({
    method: 'POST',
    path,
    headers: json,
    setupRequest: (request) => ({ ...request, body: JSON.stringify(body()) }),
  });
  const search = post('/v1/search', () => {
    count++;
    return {
      query: `${words[count % words.length]} and ${words[(count * 5) % words.length]} ${count}`,
      tool_limit: 2,
    };
  });
  return [
    search,
    search,
    search,
    post('/v1/mcp/tools/call', () => ({ server_id: `s/${count % servers}`, name: 'tool_1', arguments: {} })),
    search,
    search,
    search,
    post('/v1/invocations', () => ({
      server_id: `s/${count % servers}`,
      tool_name: 'tool_1',
      success: true,
    })),
    post('/v1/identity/token', () => ({ user_id: `user ${count % 500}` })),
    { method: 'GET', path: '/v1/proxy/bench/x', headers: user },
  ];
}

async function press(
  { ours, requests }: Traffic,
  options: { seconds: number; connections: number; rate?: number },
): Promise<autocannon.Result> {
  return autocannon({
    url: ours.url,
    connections: options.connections,
    duration: options.seconds,
    requests,
    ...(options.rate !== undefined && { overallRate: Math.round(options.rate) }),
  });
}

const good = (result: autocannon.Result) => result['2xx'] / result.duration;

export async function soak(): Promise<void> {
  const traffic = await start();
  await press(traffic, { seconds: 5, connections: 32 });
  const capacity = good(await press(traffic, { seconds: 10, connections: 32 }));
  const rate = capacity * 0.7;
  console.log(
    `capacity ${capacity.toFixed(0)}/s of mixed requests; ${soakMinutes} minutes at ${rate.toFixed(0)}/s`,
  );
  const minutes: Minute[] = [];
  for (let minute = 1; minute <= soakMinutes; minute++) {
    const result = await press(traffic, { seconds: 60, connections: 64, rate });
    minutes.push({
      good: good(result),
      others: result.non2xx + result.errors,
      p50: result.latency.p50,
      p99: result.latency.p99,
      megabytes: residentMegabytes(traffic.ours),
      files: openFiles(traffic.ours),
    });
  }
  printMinutes(minutes, 500);
  await traffic.stop();
}

export async function overload(): Promise<void> {
  const traffic = await start();
  await press(traffic, { seconds: 5, connections: 32 });
  const capacity = good(await press(traffic, { seconds: 8, connections: 32 }));
  const flood = await press(traffic, { seconds: 10, connections: 1_500, rate: capacity * 3 });
  const since = performance.now();
  while (!(await answersInTime(traffic.ours))) await new Promise((resolve) => setTimeout(resolve, 50));
  const recoveredMs = performance.now() - since;
  const shed = flood.statusCodeStats?.['503']?.count ?? 0;
  const limited = (flood.statusCodeStats?.['429']?.count ?? 0) + (flood.statusCodeStats?.['502']?.count ?? 0);
  const share = good(flood) / capacity;
  printTable(
    ['row', 'measured', 'bar', ''],
    [
      ['capacity, mixed requests/s at 32 connections', capacity.toFixed(0), '', ''],
      [
        'offered at 3 ×, answered or turned away, /s',
        (flood.requests.total / flood.duration).toFixed(0),
        '',
        '',
      ],
      ['turned away with 503, /s', (shed / flood.duration).toFixed(0), '> 0', shed > 0 ? 'met' : 'MISSED'],
      ['goodput over capacity', share.toFixed(2), '≥ .8', share >= 0.8 ? 'met' : 'MISSED'],
      [
        'turned away by the limits of one user and one upstream (429, 502), /s',
        (limited / flood.duration).toFixed(0),
        '',
        '',
      ],
      ['anything else', String(flood.errors + flood.non2xx - shed - limited), '0', ''],
      [
        'in time again after',
        `${recoveredMs.toFixed(0)} ms`,
        '≤ 5 s',
        recoveredMs <= 5_000 ? 'met' : 'MISSED',
      ],
    ],
  );
  await traffic.stop();
}

/** Ten searches in a row, none turned away and none slower than 100 ms. */
async function answersInTime({ url }: Served): Promise<boolean> {
  for (let i = 0; i < 10; i++) {
    const since = performance.now();
    const reply = await fetch(`${url}/v1/search`, {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: JSON.stringify({ query: `after the flood ${i} ${since}` }),
    }).catch(() => null);
    await reply?.arrayBuffer();
    if (reply?.status !== 200 || performance.now() - since > 100) return false;
  }
  return true;
}

async function urlOf(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  const port = /:(\d+)/.exec(chunk.toString())?.[1];
  return `http://127.0.0.1:${port}/mcp`;
}
