/** The same requests by a key whose toolset has 200 rules, beside a key without one: in one service, turn about, calls recorded. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startUpstream } from './mcp.ts';
import { accepts, post } from './mcp-client.ts';
import { type Door, doors } from './mcp-doors.ts';
import { distinctBodies, untilReady } from './search-http.ts';
import { twoHundredRules } from './search-rules.ts';
import {
  cpuMs,
  leaveFirstCore,
  load,
  type Measured,
  median,
  percentile,
  printTable,
  type Served,
  serve,
  startFlags,
} from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'bin/mcprank.js');
const catalogue = join(root, '../shared/eval/mcp_smithery_toucan/catalogue.jsonl');
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const rounds = 7;
const seconds = 2;
const bar = 0.9;

type Asked = { readonly name: string; readonly path: string; readonly body: string | (() => string) };
type Side = { readonly key: string; readonly runs: Measured[]; cpuMs: number };

export async function run(): Promise<void> {
  if (!existsSync(catalogue))
    return console.log('skipped: the development data is not beside the repository');
  leaveFirstCore();
  const upstream = await startUpstream('json');
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const service = await start(folder, upstream.url);
  const keys = await makeKeys(service.url);
  const rows: string[][] = [];
  for (const asked of everyRequest()) rows.push(await measure(service, asked, keys));
  printTable(
    [
      'a key with 200 rules',
      'per second',
      'p99 ms',
      'CPU µs',
      'beside one without: rate',
      'p99',
      'CPU',
      'bar',
    ],
    rows,
  );
  await service.stop();
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** In front of a catalogue of 2,120 servers and 17,578 tools. */
async function start(folder: string, upstreamUrl: string): Promise<Served> {
  const env = {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_LOG: 'error',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
  };
  const imported = spawnSync(process.execPath, [bin, 'catalog', 'import', catalogue, '--json'], {
    env: { ...process.env, ...env },
  });
  if (imported.status !== 0) throw new Error(imported.stderr.toString());
  const service = await serve([...startFlags, bin, 'serve'], env);
  await untilReady(service.url);
  const tool = { name: 'echo', description: 'Say it again', inputSchema: { type: 'object' } };
  const server = { id: 'upstream', name: 'upstream', remote_url: upstreamUrl, tools: [tool] };
  await post(`${service.url}/v1/admin/servers`, { 'x-api-key': adminKey }, server);
  return service;
}

async function makeKeys(url: string) {
  const headers = { 'x-api-key': adminKey };
  const make = async (developer: string): Promise<string> => {
    const made = await post(`${url}/v1/admin/keys`, headers, {
      developer,
      name: 'bench',
      tier: 'enterprise',
    });
    return ((await made.json()) as { readonly key: string }).key;
  };
  const put = async (path: string, body: object) => {
    const text = JSON.stringify(body);
    const reply = await fetch(url + path, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body: text,
    });
    if (!reply.ok) throw new Error(`${path}: ${await reply.text()}`);
  };
  const keys = { plain: await make('plain'), ruled: await make('ruled') };
  await put('/v1/admin/toolsets/rules', { rules: twoHundredRules(), default: 'allow' });
  await put('/v1/admin/toolsets/rules/bindings', { developers: ['ruled'] });
  return keys;
}

function everyRequest(): readonly Asked[] {
  const args = '{"message":"hi"}';
  const called = (part: string): Asked => {
    const { name, path, body } = doors.find((door) => door.name.includes(part)) as Door;
    return { name, path, body: body(args, 1) };
  };
  return [
    called('REST tools/call'),
    called('{id}, 2025, no session'),
    called('call_tool, 2025'),
    {
      name: 'POST /v1/search, distinct queries',
      path: '/v1/search',
      body: distinctBodies(catalogue, { limit: 6, tool_limit: 1 }),
    },
  ];
}

async function measure(
  service: Served,
  { name, path, body }: Asked,
  keys: { readonly plain: string; readonly ruled: string },
): Promise<string[]> {
  const sides = [keys.ruled, keys.plain].map((key): Side => ({ key, runs: [], cpuMs: 0 }));
  const [ruled, plain] = sides as [Side, Side];
  const ask = (side: Side) =>
    load({
      url: service.url + path,
      headers: { 'x-api-key': side.key, ...(path.startsWith('/v1/') ? {} : accepts) },
      body,
      connections: 16,
      seconds,
    });
  for (const side of sides) {
    const text = typeof body === 'string' ? body : body();
    await post(service.url + path, { 'x-api-key': side.key, ...accepts }, text);
    await ask(side);
  }
  for (let round = 0; round < rounds; round++)
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const before = cpuMs(service);
      const measured = await ask(side);
      if (measured.failed > 0) console.log(`${measured.failed} requests failed: ${name}`);
      side.cpuMs += cpuMs(service) - before;
      side.runs.push(measured);
    }
  const ratio = median(ruled.runs.map(({ perSecond }, i) => perSecond / (plain.runs[i]?.perSecond ?? 0)));
  return [
    name,
    median(ruled.runs.map(({ perSecond }) => perSecond)).toFixed(0),
    p99(ruled).toFixed(1),
    cpuEach(ruled).toFixed(0),
    ratio.toFixed(2),
    (p99(plain) / p99(ruled)).toFixed(2),
    (cpuEach(plain) / cpuEach(ruled)).toFixed(2),
    `≥ ${bar} ${ratio >= bar ? 'met' : 'MISSED'}`,
  ];
}

function p99({ runs }: Side): number {
  return percentile(
    runs.flatMap(({ latencies }) => latencies),
    0.99,
  );
}

function cpuEach({ runs, cpuMs: spent }: Side): number {
  return (spent * 1_000) / runs.reduce((sum, { latencies }) => sum + latencies.length, 0);
}
