/**
 * What a catalogue costs an agent, and whether it finds the right tool: one fixed agent without a model, once with every tool
 * of every server in its context, and once at `/mcp`, where it searches. It calls the tool whose words cover most of the task's;
 * of equals the first. A task is done when what the server behind says was called is one of the right tools.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { post } from './mcp-client.ts';
import { printTable, type Served, serve, startFlags } from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'bin/mcprank.js');
const data = join(root, '..', 'shared', 'eval', 'toolbench');
const adminKey = `sk_mcp_rank_${'0c'.repeat(16)}`;
const headers = { 'x-api-key': adminKey, accept: 'application/json, text/event-stream' };
const sizes = [30, 300, 3_000];
/** Of servers with many tools an agent has them all or none: so small the smallest catalogue stays. */
const mostToolsEach = 6;
/** A model reads about so many bytes of English or JSON as one token. */
const bytesPerToken = 4;

type Tool = { readonly name: string; readonly description?: string; readonly inputSchema?: object };
type Server = { readonly id: string; readonly tools: readonly Tool[] };
type Task = {
  readonly query: string;
  readonly relevant: readonly string[];
  readonly relevant_tools: readonly string[];
};
type Candidate = { readonly serverId: string; readonly tool: Tool };
/** Of one task: what the agent read, and whether it called a right tool. */
type Attempt = { readonly bytes: number; readonly isDone: boolean };

export async function run(): Promise<void> {
  if (!existsSync(data)) return console.log('skipped: shared/eval/toolbench is not beside the repository');
  const { servers, tasks } = chooseCatalogues();
  const upstream = await startUpstream();
  const rows: string[][] = [];
  for (const size of sizes) rows.push(await measure(servers, tasks, { size, upstream: upstream.url }));
  upstream.close();
  const header = [
    'tools',
    'tasks',
    'all listed: tokens',
    'done',
    '/mcp: tokens',
    'done',
    'its first hit done',
  ];
  printTable(header, rows);
}

const readLines = <T>(file: string): T[] =>
  readFileSync(join(data, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);

/** The servers of the tasks that the smallest catalogue can do, then all others: each size is a beginning of this list. */
function chooseCatalogues(): { servers: Server[]; tasks: Task[] } {
  const all = readLines<Server>('catalogue.jsonl');
  const byId = new Map(all.map((server) => [server.id, server]));
  const single = readLines<Task>('queries.jsonl').filter(
    ({ relevant, relevant_tools: right }) => relevant.length === 1 && (right ?? []).length > 0,
  );
  const first: Server[] = [];
  for (const { relevant } of single) {
    const server = byId.get(relevant[0] ?? '');
    if (server === undefined || server.tools.length > mostToolsEach || first.includes(server)) continue;
    if (toolsOf([...first, server]).length <= (sizes[0] ?? 0)) first.push(server);
  }
  const ids = new Set(first.map(({ id }) => id));
  return {
    servers: [...first, ...all.filter(({ id }) => !ids.has(id))],
    tasks: single.filter(({ relevant }) => ids.has(relevant[0] ?? '')),
  };
}

function toolsOf(servers: readonly Server[]): Candidate[] {
  return servers.flatMap(({ id, tools }) => tools.map((tool) => ({ serverId: id, tool })));
}

function upTo(servers: readonly Server[], size: number): Server[] {
  const chosen: Server[] = [];
  let tools = 0;
  for (const server of servers) {
    if (tools + server.tools.length > size) continue;
    chosen.push(server);
    tools += server.tools.length;
  }
  return chosen;
}

async function measure(
  all: readonly Server[],
  tasks: readonly Task[],
  { size, upstream }: { readonly size: number; readonly upstream: string },
): Promise<string[]> {
  const servers = upTo(all, size);
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const ours = await startOurs(folder, servers, upstream);
  const list = JSON.stringify({ tools: toolsOf(servers).map(({ tool }) => tool) });
  const metaList = await rpc(ours, 'tools/list', {});
  const metaBytes = Buffer.byteLength(JSON.stringify(metaList));
  const isListed = metaList.tools?.some(({ name }) => name === 'search_tools') !== true;
  const attempts = { listed: [] as Attempt[], searched: [] as Attempt[], first: [] as Attempt[] };
  for (const task of tasks) {
    const chosen = choose(task.query, toolsOf(servers));
    attempts.listed.push({ bytes: Buffer.byteLength(list), isDone: await call(ours, task, chosen) });
    const found = await rpc(ours, 'tools/call', {
      name: 'search_tools',
      arguments: { query: task.query.slice(0, 1_000) },
    });
    const hits = (found.structuredContent?.tools ?? []).map(({ server_id, ...tool }) => ({
      serverId: server_id,
      tool,
    }));
    const bytes = metaBytes + Buffer.byteLength(JSON.stringify(found.structuredContent ?? {}));
    attempts.searched.push({ bytes, isDone: await call(ours, task, choose(task.query, hits)) });
    attempts.first.push({ bytes, isDone: await call(ours, task, hits[0]) });
  }
  await ours.stop();
  rmSync(folder, { recursive: true });
  return [
    `${toolsOf(servers).length}${isListed ? ' (listed at /mcp, too)' : ''}`,
    String(tasks.length),
    tokens(attempts.listed),
    share(attempts.listed),
    tokens(attempts.searched),
    share(attempts.searched),
    share(attempts.first),
  ];
}

function tokens(attempts: readonly Attempt[]): string {
  const bytes = attempts.reduce((sum, each) => sum + each.bytes, 0) / attempts.length;
  return Math.round(bytes / bytesPerToken).toLocaleString('en');
}

function share(attempts: readonly Attempt[]): string {
  return `${Math.round((100 * attempts.filter(({ isDone }) => isDone).length) / attempts.length)} %`;
}

/** Words that stand in every task. */
const idle = new Set(
  'the a an of for to in on and or with me my i we you your is are can could would please give provide get find tell that this it from about some what which how need want like'.split(
    ' ',
  ),
);

function wordsOf(text: string): Set<string> {
  const words = text
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  return new Set((words ?? []).filter((word) => !idle.has(word)).map((word) => word.replace(/s$/, '')));
}

/** The tool whose name and description have most of the task's words; of equals the first. */
function choose(query: string, candidates: readonly Candidate[]): Candidate | undefined {
  const wanted = wordsOf(query);
  let best: Candidate | undefined;
  let most = -1;
  for (const candidate of candidates) {
    const { serverId, tool } = candidate;
    const words = wordsOf(`${serverId} ${tool.name} ${tool.description ?? ''}`);
    const covered = [...wanted].filter((word) => words.has(word)).length;
    if (covered > most) [best, most] = [candidate, covered];
  }
  return best;
}

type RpcResult = {
  readonly tools?: readonly Tool[];
  readonly content?: readonly { readonly text?: string }[];
  readonly structuredContent?: { readonly tools?: readonly (Tool & { readonly server_id: string })[] };
};

async function rpc({ url }: Served, method: string, params: object): Promise<RpcResult> {
  const reply = await post(`${url}/mcp`, headers, { jsonrpc: '2.0', id: 1, method, params });
  return ((await reply.json()) as { result?: RpcResult }).result ?? {};
}

/** Calls it through us, and asks the server behind which tool that was. */
async function call(ours: Served, { relevant_tools: right }: Task, chosen: Candidate | undefined) {
  if (chosen === undefined) return false;
  const named = { server_id: chosen.serverId, name: chosen.tool.name, arguments: {} };
  const { content } = await rpc(ours, 'tools/call', { name: 'call_tool', arguments: named });
  return right.includes(content?.[0]?.text ?? '');
}

/** One server of 2026-07-28 for all: under the path of each it says which tool of which server was called. */
async function startUpstream(): Promise<{ url: string; close(): void }> {
  const server = createServer(async (request, reply) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { id, params } = JSON.parse(body || '{}') as { id?: unknown; params?: { name?: string } };
    const text = `${decodeURIComponent(request.url?.slice(1) ?? '')}::${params?.name ?? ''}`;
    const result = {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: {} },
      tools: [],
      content: [{ type: 'text', text }],
    };
    reply.setHeader('content-type', 'application/json');
    reply.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function startOurs(folder: string, servers: readonly Server[], upstream: string): Promise<Served> {
  const file = join(folder, 'catalogue.jsonl');
  const rows = servers.map((server) => ({
    ...server,
    remote_url: `${upstream}/${encodeURIComponent(server.id)}`,
  }));
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  const env = {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
  };
  const imported = spawnSync(process.execPath, [bin, 'catalog', 'import', file, '--json'], {
    env: { ...process.env, ...env },
  });
  if (imported.status !== 0) throw new Error(imported.stderr.toString());
  const ours = await serve([...startFlags, bin, 'serve'], env);
  while ((await fetch(`${ours.url}/readyz`)).status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 100));
  return ours;
}
