import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { accepts, openSession, post, send } from './mcp-client.ts';
import { upstreamProgram } from './peers/mcp-others.ts';
import { type Load, type Served, serve, startFlags } from './support.ts';

export type Kind = 'json' | 'sse' | 'stdio';
/** What is asked over and over. */
export type Call = Omit<Load, 'seconds'>;

/** A way in to the same tool of the same server. */
export type Door = {
  readonly name: string;
  readonly path: string;
  /** What is sent; `id`: of the JSON-RPC request. */
  readonly body: (args: string, id: number) => string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A client that has a session. */
  readonly session?: true;
  readonly flags?: readonly string[];
  /** The servers behind, beside one that answers as JSON. */
  readonly also?: readonly Kind[];
  /** The door that it is compared with, and the share of its rate that it shall reach. */
  readonly beside?: readonly [door: string, share: number];
  /** No server behind it is asked. */
  readonly local?: true;
};

const serverId = 'upstream';
const one = `/mcp/servers/${serverId}`;
const rest = 'REST tools/call';
const revision = '2026-07-28';
const meta = `{"io.modelcontextprotocol/protocolVersion":"${revision}","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`;
const modern = (name: string) => ({
  'mcp-protocol-version': revision,
  'mcp-method': 'tools/call',
  'mcp-name': name,
});
const rpc = (name: string, args: string, { id, _meta }: { readonly id: number; readonly _meta?: string }) =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${name}","arguments":${args}${_meta === undefined ? '' : `,"_meta":${_meta}`}}}`;
const wrapped = (args: string) => `{"server_id":"${serverId}","name":"echo","arguments":${args}}`;
const query = '{"query":"say it again","limit":5}';
const searchDoor = 'POST /v1/search';

/** Whoever takes an event stream, too, is told on the way what the server tells. */
const restDoor = { headers: { accept: 'application/json' } } as const;

export const doors: readonly Door[] = [
  { ...restDoor, name: rest, path: '/v1/mcp/tools/call', body: wrapped, also: ['sse', 'stdio'] },
  {
    ...restDoor,
    name: `${rest}, as npm start does`,
    path: '/v1/mcp/tools/call',
    body: wrapped,
    flags: startFlags,
  },
  {
    ...restDoor,
    name: 'REST call',
    path: '/v1/mcp/call',
    body: (args) =>
      `{"server_id":"${serverId}","method":"tools/call","params":{"name":"echo","arguments":${args}}}`,
    beside: [rest, 0.9],
  },
  {
    name: '/mcp/servers/{id}, 2025, session',
    path: one,
    body: (args, id) => rpc('echo', args, { id }),
    session: true,
    also: ['sse'],
    beside: [rest, 0.9],
  },
  {
    name: '/mcp/servers/{id}, 2025, no session',
    path: one,
    body: (args, id) => rpc('echo', args, { id }),
    also: ['sse', 'stdio'],
    beside: [rest, 0.9],
  },
  {
    name: `/mcp/servers/{id}, ${revision}`,
    path: one,
    body: (args, id) => rpc('echo', args, { id, _meta: meta }),
    headers: modern('echo'),
    also: ['sse', 'stdio'],
    beside: [rest, 0.9],
  },
  {
    name: '/mcp call_tool, 2025',
    path: '/mcp',
    body: (args, id) => rpc('call_tool', wrapped(args), { id }),
    also: ['sse', 'stdio'],
    beside: [rest, 0.8],
  },
  {
    name: `/mcp call_tool, ${revision}`,
    path: '/mcp',
    body: (args, id) => rpc('call_tool', wrapped(args), { id, _meta: meta }),
    headers: modern('call_tool'),
    beside: [rest, 0.8],
  },
  { name: searchDoor, path: '/v1/search', body: () => query, local: true },
  {
    name: '/mcp search_tools',
    path: '/mcp',
    body: (_args, id) => rpc('search_tools', query, { id }),
    local: true,
    beside: [searchDoor, 0.8],
  },
];

const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
export const baseHeaders = { 'x-api-key': adminKey, ...accepts };

/** The service of a checkout in front of a server at a URL, or (null) of the same as its child. */
export async function startService(
  checkout: string,
  upstreamUrl: string | null,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const config = join(folder, 'servers.json');
  const mcpServers = upstreamUrl === null ? { [serverId]: upstreamProgram } : {};
  writeFileSync(config, JSON.stringify({ mcpServers }));
  const served = await serve(
    [...flags, resolve(checkout, 'bin/mcprank.js'), 'serve', '--mcp-config', config],
    {
      MCPRANK_DATA_DIR: folder,
      MCPRANK_PORT: '0',
      MCPRANK_SYNC: 'off',
      MCPRANK_PROBE: 'off',
      MCPRANK_LOG: 'error',
      MCPRANK_STARTER: 'off',
      MCPRANK_ADMIN_KEY: adminKey,
      MCPRANK_TIERS: 'free=100,enterprise=900000000',
      MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
      ...env,
    },
  );
  const tools = ['echo', 'shout', 'whisper', 'repeat', 'recite'].map((name) => ({
    name,
    description: 'Say it again',
    inputSchema: { type: 'object', properties: { message: { type: 'string' } } },
  }));
  if (upstreamUrl !== null)
    await post(`${served.url}/v1/admin/servers`, baseHeaders, {
      ...{ id: serverId, name: serverId, remote_url: upstreamUrl, tools },
    });
  return {
    ...served,
    async stop() {
      await served.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a client of this door sends, once it answered. */
export async function openDoor(door: Door, url: string, args = '{"message":"hi"}'): Promise<Call> {
  const headers = {
    ...baseHeaders,
    ...door.headers,
    ...(door.session === undefined ? {} : await openSession(url + door.path, baseHeaders)),
  };
  let lastId = 0;
  // In a session answers find their callers by these ids, so no two calls share one.
  const next = () => door.body(args, ++lastId);
  const call = { url: url + door.path, headers, body: door.session === undefined ? next() : next };
  // What was put into the catalogue is found a moment later.
  for (let tries = 1; ; tries++) {
    const text = await (await send(call.url, headers, next())).text();
    if (text.includes(door.local ? serverId : 'xxxx')) return call;
    if (tries === 50) throw new Error(`${door.name}: ${text.slice(0, 300)}`);
    await delay(100);
  }
}
