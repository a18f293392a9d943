import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { aliasOf } from '../../src/mcp-server/features/aliases.ts';
import { adminKey } from '../support/app.ts';
import { holdCompatibility } from '../support/compatibility.ts';
import { freePort } from '../support/free-port.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { root } from '../support/paths.ts';
import { python, pythonMissing } from '../support/python.ts';
import { type FleetCall, fleetPrograms } from './fleet/programs.ts';

/** Real servers by other people, installed once with ../shared/fleet/install.sh (80 s, 1 GB). */
const scripts = join(root, '..', 'shared', 'fleet');
const folder = process.env.MCP_FLEET ?? join(tmpdir(), 'mcp-fleet');
const skip = !existsSync(join(scripts, 'up.sh'))
  ? 'needs ../shared/fleet, which is not there'
  : !existsSync(join(folder, 'servers'))
    ? `needs the fleet: bash ../shared/fleet/install.sh ${folder} (or name its folder in MCP_FLEET)`
    : false;

type HttpEntry = { readonly type: string; readonly url: string; readonly headers: Record<string, string> };
type ProgramEntry = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** A call that each server answers offline, and what its answer must hold. */
const calls: Readonly<Record<string, FleetCall>> = {
  everything: ['echo', { message: 'hi' }, /Echo: hi/],
  'everything-sse': ['echo', { message: 'hi' }, /Echo: hi/],
  memory: ['read_graph', {}, /entities/],
  sequential: [
    'sequentialthinking',
    { thought: 'x', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
    /thoughtNumber/,
  ],
  filesystem: ['list_allowed_directories', {}, /sandbox/],
  'json-response': ['greet', { name: 'Ada' }, /Ada/],
  playwright: ['browser_tabs', { action: 'list' }, /about:blank|tab/i],
  git: ['git_status', { path: '/nowhere' }],
  mongodb: ['list-databases', {}],
  context7: ['resolve-library-id', {}],
  github: ['get_issue', {}],
  stateless: ['start-notification-stream', { interval: 1, count: 1 }],
  compat: ['start-notification-stream', { interval: 1, count: 1 }],
  'simple-sse': ['start-notification-stream', { interval: 1, count: 1 }],
  elicitation: ['register_user', {}],
};
const unknownTool: FleetCall = ['no-such-tool', {}];
/** What counts the calls that a process had so far. */
const counted = /"thoughtHistoryLength\\?": ?\d+/g;
/** Members that run at once: the machine is small, and half of them are slow to start. */
const concurrency = 3;

test('the fleet: over HTTP, every server lists and answers through us what it does directly', {
  skip,
  timeout: 600_000,
  concurrency,
}, async (t) => {
  // Below the ports that the system gives to outgoing connections, which may stand in the way.
  const env = { ...process.env, BASE: String(20_000 + (process.pid % 500) * 20) };
  execFileSync('bash', [join(scripts, 'up.sh'), folder], { stdio: 'ignore', env });
  t.after(() => execFileSync('bash', [join(scripts, 'down.sh'), folder], { stdio: 'ignore' }));
  type Member = { name: string; transport: string; url: string; headers?: Record<string, string> };
  const fleet = JSON.parse(readFileSync(join(folder, 'fleet.json'), 'utf8')) as Member[];
  await Promise.all(fleet.map(({ url }) => untilListening(url)));
  const rows: string[][] = [];
  await Promise.all(
    fleet.map(({ name, url, transport, headers = {} }) =>
      t.test(name, async (each) => {
        const entry = { type: transport, url, headers };
        const runsAs = transport === 'sse' ? 'HTTP+SSE' : 'Streamable HTTP';
        if (name === 'oauth') rows.push([name, runsAs, ...(await wantsConsent(each, name, entry))]);
        else rows.push([name, runsAs, ...(await compare(each, name, entry, calls[name] ?? unknownTool))]);
      }),
    ),
  );
  holdCompatibility('Servers', rows);
});

test('the fleet: as a program, every server lists and answers through us what it does directly', {
  timeout: 600_000,
  concurrency,
}, async (t) => {
  const rows: string[][] = [];
  const sandbox = join(tmpdir(), `mcprank-fleet-${process.pid}`);
  mkdirSync(sandbox);
  writeFileSync(join(sandbox, 'note.md'), '# A note\n');
  t.after(() => rmSync(sandbox, { recursive: true }));
  await Promise.all(
    fleetPrograms(sandbox).map(({ name, entry, call, missing }) =>
      t.test(name, { skip: missing }, async (each) => {
        rows.push([name, 'a program', ...(await compare(each, name, entry, call))]);
      }),
    ),
  );
  holdCompatibility('Servers', rows);
});

test('the fleet: a server of FastMCP, over HTTP', { skip: pythonMissing }, async (t) => {
  const port = await freePort();
  const script = join(root, 'test/full/python/fastmcp_models_server.py');
  const server = spawn(python[2], [script, String(port)], { stdio: 'ignore' });
  t.after(async () => {
    server.kill('SIGKILL');
    await once(server, 'exit');
  });
  const url = `http://127.0.0.1:${port}/mcp`;
  await untilListening(url);
  const name = 'FastMCP, HTTP (Python)';
  const entry = { type: 'http', url, headers: {} };
  const cells = await compare(t, name, entry, ['move', { point: { x: 1, y: 1e-7 } }, /2/]);
  holdCompatibility('Servers', [[name, 'Streamable HTTP', ...cells]]);
});

/** A client with a server, and after it (some have a fixed port) the same with that server through us. */
async function compare(
  t: TestContext,
  name: string,
  entry: HttpEntry | ProgramEntry,
  [tool, args, expected]: FleetCall,
): Promise<string[]> {
  const direct = await use(transportTo(entry), tool, args);
  const app = await bootOne(t, name, entry);
  const requestInit = { headers: { authorization: `Bearer ${adminKey}` } };
  const url = new URL(`${app.url}/mcp/servers/${encodeURIComponent(name)}`);
  const throughUs = await use(new StreamableHTTPClientTransport(url, { requestInit }), tool, args);
  assert.ok(direct.tools.length > 0);
  assert.deepEqual(throughUs, direct);
  if (expected !== undefined) assert.match(throughUs.answer, expected);
  const listed = await app.list(name);
  assert.equal(listed.status, 200, listed.text);
  assert.deepEqual(await useToolset(app, name, { tool, args, requestInit }), sorted(direct));
  return [String(direct.tools.length), `\`${tool}\``, 'yes'];
}

/** The same at the door of a toolset, where the names of tools and resources say whose they are, and nothing else is another. */
async function useToolset(
  app: McpTestApp,
  name: string,
  { tool, args, requestInit }: { tool: string; args: Record<string, unknown>; requestInit: RequestInit },
): Promise<Seen> {
  const put = await app.call('PUT', '/v1/admin/toolsets/all', { body: { rules: [], default: 'allow' } });
  assert.ok(put.status < 300, put.text);
  // What a program lists comes into the catalogue behind the call that listed it.
  for (let tries = 0; (await app.services.catalog.get(name)).tools.length === 0; tries++) {
    assert.ok(tries < 200, `${name} is listed`);
    await delay(50);
  }
  const url = new URL(`${app.url}/mcp/t/all`);
  const rename = (own: string) => aliasOf(name, own);
  const seen = await use(new StreamableHTTPClientTransport(url, { requestInit }), rename(tool), args);
  const { tools } = await app.services.catalog.get(name);
  const ownNames = new Map(tools.map((each) => [rename(each.name), each.name]));
  const server = encodeURIComponent(name);
  const own = JSON.parse(
    JSON.stringify(seen).replaceAll(`mcprank://${server}/`, '').replaceAll(`ui://${server}/`, 'ui://'),
  ) as Seen;
  return sorted({
    tools: own.tools.map((each) => ({ ...each, name: ownNames.get(each.name) ?? '' })),
    answer: own.answer,
  });
}

type Seen = Awaited<ReturnType<typeof use>>;

/** In one order; without `execution`, which is not there where the catalogue's last look spoke 2026-07-28; what no tool answers is ours. */
function sorted({ tools, answer }: Seen): Seen {
  const known = tools.map(({ execution: _, ...tool }) => tool);
  const isUnknown = /^\{"code":-3260[0-9],"message":"(Unknown tool|Method no-such-tool)/.test(answer);
  return {
    tools: known.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    answer: isUnknown ? 'an unknown tool' : answer,
  };
}

async function wantsConsent(t: TestContext, name: string, entry: HttpEntry): Promise<string[]> {
  const app = await bootOne(t, name, entry);
  const listed = await app.list(name);
  assert.equal(listed.status, 403, listed.text);
  assert.equal((listed.body.detail as { code: string }).code, 'provider_not_connected');
  return ['–', '403 with a session', '–'];
}

function bootOne(t: TestContext, name: string, entry: HttpEntry | ProgramEntry) {
  const mcpServers = { [name]: entry };
  return bootMcp(t, { localServers: parseMcpConfig(JSON.stringify({ mcpServers })) });
}

type Transport = Parameters<Client['connect']>[0];

function transportTo(entry: HttpEntry | ProgramEntry): Transport {
  if ('command' in entry)
    return new StdioClientTransport({
      command: entry.command,
      args: [...entry.args],
      env: { ...entry.env },
      stderr: 'ignore',
    });
  const requestInit = { headers: entry.headers };
  return entry.type === 'sse'
    ? new SSEClientTransport(new URL(entry.url), { requestInit })
    : new StreamableHTTPClientTransport(new URL(entry.url), { requestInit });
}

/** Some servers show more to clients that can do more. */
const capabilities = { roots: {}, sampling: {}, elicitation: { form: {}, url: {} } };

/** The tools that a client sees, and what comes of a call: a result or an error. */
async function use(transport: Transport, tool: string, args: Record<string, unknown>) {
  const client = new Client(
    { name: 'fleet', version: '1' },
    { versionNegotiation: { mode: 'legacy' }, capabilities },
  );
  client.setRequestHandler('roots/list', () => ({ roots: [] }));
  await client.connect(transport);
  try {
    const { tools } = await client.listTools();
    const answer: unknown = await client
      .callTool({ name: tool, arguments: args })
      .catch(({ code, message }: { code: unknown; message: unknown }) => ({ code, message }));
    return { tools, answer: JSON.stringify(answer).replace(counted, '') };
  } finally {
    await client.close();
  }
}

async function untilListening(url: string): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const reached = await fetch(url, { method: 'OPTIONS' }).then(
      () => true,
      () => false,
    );
    if (reached) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on ${url}`);
}
