import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { startEverything } from '../support/mcp-servers.ts';
import { root } from '../support/paths.ts';

/** Clients by other people, against our endpoint as their users meet it: connect, list, search, call. */
const modules = join(root, 'test/full/clients/node_modules');
const skip = existsSync(modules) ? false : 'needs npm ci --prefix test/full/clients';
const run = promisify(execFile);
const authorization = `Bearer ${adminKey}`;

/** A catalogue too large to list, with one server that answers, and one with sessions. */
async function boot(t: TestContext): Promise<McpTestApp> {
  const app = await bootMcp(t);
  const { url } = await startSdkServer(t);
  await app.add('fixture', url, {
    description: 'Repeats what it is told',
    tools: [{ name: 'echo', description: 'Say it again', inputSchema: { type: 'object' } }],
  });
  const chores = Array.from({ length: 40 }, (_, i) => ({ name: `chore_${i}`, description: `Chore ${i}` }));
  await app.add('chores', 'http://127.0.0.1:9/mcp', { tools: chores });
  await app.add('everything', (await startEverything(t, 'streamableHttp')).url);
  await app.services.search.settled();
  return app;
}

const found = { query: 'say it again', limit: 1 };
const echo = { server_id: 'fixture', name: 'echo', arguments: { message: 'hi' } };
/** One server alone; an initialize-era client has a session with it. */
const whole = '/mcp/servers/everything';
const metaTools = ['search_tools', 'describe_tool', 'call_tool'];
const program = (name: string, file: string) => join(modules, name, file);
/** The entry of a package's own command. */
function commandOf(name: string, command: string): string {
  const { bin } = JSON.parse(readFileSync(program(name, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>;
  };
  return program(name, typeof bin === 'string' ? bin : (bin[command] ?? ''));
}
const load = async (name: string): Promise<Record<string, unknown>> => {
  const { exports } = JSON.parse(readFileSync(program(name, 'package.json'), 'utf8')) as {
    exports: Record<string, { import?: string | { default: string }; default?: string }>;
  };
  const entry = exports['.']?.import ?? exports['.']?.default ?? '';
  return import(pathToFileURL(program(name, typeof entry === 'string' ? entry : entry.default)).href);
};

for (const [era, mode] of [
  ['2025-11-25', 'legacy'],
  ['2026-07-28', { pin: '2026-07-28' }],
] as const)
  test(`the MCP SDK, ${era}: connect, list, search, call`, async (t) => {
    const app = await boot(t);
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
    const requestInit = { headers: { authorization } };
    await client.connect(new StreamableHTTPClientTransport(new URL(`${app.url}/mcp`), { requestInit }));
    t.after(() => client.close());
    await useClient(client);
    const one = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
    const transport = new StreamableHTTPClientTransport(new URL(`${app.url}${whole}`), { requestInit });
    await one.connect(transport);
    t.after(() => one.close());
    assert.equal(transport.sessionId !== undefined, era === '2025-11-25');
    await sayHi(one);
  });

test('mcp-remote, started by the entry of docs/clients.md', { skip }, async (t) => {
  const app = await boot(t);
  const text = readFileSync(join(root, 'docs/clients.md'), 'utf8');
  const entry = [...text.matchAll(/```json\n([\s\S]*?)```/g)]
    .map(([, json = '']) => JSON.parse(json) as { mcpServers?: { mcprank: Entry } })
    .find(({ mcpServers }) => mcpServers?.mcprank.command === 'npx')?.mcpServers?.mcprank;
  assert.ok(entry !== undefined);
  const [, , , ...rest] = entry.args;
  const env = Object.fromEntries(
    Object.entries(entry.env).map(([name, value]) => [name, value.replace('sk_mcp_rank_…', adminKey)]),
  );
  const home = temporaryFolder(t);
  const open = async (path: string) => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [commandOf('mcp-remote', 'mcp-remote'), `${app.url}${path}`, ...rest],
      env: { PATH: process.env.PATH ?? '', HOME: home, MCP_REMOTE_CONFIG_DIR: home, ...env },
      stderr: 'ignore',
    });
    const client = new Client({ name: 'desktop', version: '1' });
    await client.connect(transport);
    t.after(() => client.close());
    return client;
  };
  await useClient(await open('/mcp'));
  await sayHi(await open(whole));
});

type Entry = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

async function useClient(client: Client): Promise<void> {
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    metaTools,
  );
  const answer = await client.callTool({ name: 'search_tools', arguments: found });
  assert.match(JSON.stringify(answer.content), /fixture/);
  const said = await client.callTool({ name: 'call_tool', arguments: echo });
  assert.match(JSON.stringify(said.content), /Echo: hi/);
}

async function sayHi(client: Client): Promise<void> {
  const said = await client.callTool({ name: 'echo', arguments: { message: 'hi' } });
  assert.match(JSON.stringify(said.content), /Echo: hi/);
}

test('mcporter: list and call', { skip }, async (t) => {
  const app = await boot(t);
  const folder = temporaryFolder(t);
  const config = join(folder, 'mcporter.json');
  const headers = { Authorization: authorization };
  const mcpServers = {
    mcprank: { url: `${app.url}/mcp`, headers },
    one: { url: `${app.url}${whole}`, headers },
  };
  writeFileSync(config, JSON.stringify({ mcpServers, imports: [] }));
  const mcporter = async (...args: string[]) =>
    (
      await run(process.execPath, [commandOf('mcporter', 'mcporter'), '--config', config, ...args], {
        cwd: folder,
        env: { PATH: process.env.PATH ?? '', HOME: folder },
      })
    ).stdout;
  const listed = await mcporter('list', 'mcprank', '--json');
  for (const name of metaTools) assert.match(listed, new RegExp(name));
  assert.match(await mcporter('call', 'mcprank.search_tools', 'query=say it again'), /fixture/);
  assert.match(await mcporter('call', 'mcprank.call_tool', '--args', JSON.stringify(echo)), /Echo: hi/);
  assert.match(await mcporter('call', 'one.echo', 'message=hi'), /Echo: hi/);
});

test('the MCP Inspector: tools/list and tools/call', { skip }, async (t) => {
  const app = await boot(t);
  const home = temporaryFolder(t);
  const inspector = async (path: string, ...args: string[]) =>
    (
      await run(
        process.execPath,
        [
          commandOf('@modelcontextprotocol/inspector', 'mcp-inspector'),
          '--cli',
          `${app.url}${path}`,
          '--transport',
          'http',
          '--header',
          `Authorization: ${authorization}`,
          ...args,
        ],
        { cwd: home, env: { PATH: process.env.PATH ?? '', HOME: home } },
      )
    ).stdout;
  const listed = await inspector('/mcp', '--method', 'tools/list');
  for (const name of metaTools) assert.match(listed, new RegExp(`"${name}"`));
  const call = ['--method', 'tools/call', '--tool-name'];
  assert.match(
    await inspector('/mcp', ...call, 'search_tools', '--tool-arg', 'query=say it again'),
    /fixture/,
  );
  for (const one of ['/mcp/servers/fixture', whole])
    assert.match(await inspector(one, ...call, 'echo', '--tool-arg', 'message=hi'), /Echo: hi/);
});

type AiTools = Record<string, { execute(args: unknown, options: unknown): Promise<unknown> }>;

test("the AI SDK's client: tools, and one executed", { skip }, async (t) => {
  const app = await boot(t);
  const { createMCPClient } = (await load('@ai-sdk/mcp')) as {
    createMCPClient(config: unknown): Promise<{ tools(): Promise<AiTools>; close(): Promise<void> }>;
  };
  const open = async (path: string) => {
    const transport = { type: 'http', url: `${app.url}${path}`, headers: { Authorization: authorization } };
    const client = await createMCPClient({ transport });
    t.after(() => client.close());
    return client.tools();
  };
  const tools = await open('/mcp');
  assert.deepEqual(Object.keys(tools), metaTools);
  const options = { toolCallId: 'x', messages: [] };
  assert.match(JSON.stringify(await tools.search_tools?.execute(found, options)), /fixture/);
  assert.match(JSON.stringify(await tools.call_tool?.execute(echo, options)), /Echo: hi/);
  const own = await open(whole);
  assert.match(JSON.stringify(await own.echo?.execute({ message: 'hi' }, options)), /Echo: hi/);
});

type AgentsServer = {
  connect(): Promise<void>;
  close(): Promise<void>;
  listTools(): Promise<{ name: string }[]>;
  callTool(name: string, args: unknown): Promise<unknown>;
};

test("the OpenAI Agents SDK's server: list and call", { skip }, async (t) => {
  const app = await boot(t);
  const { MCPServerStreamableHttp } = (await load('@openai/agents')) as {
    MCPServerStreamableHttp: new (options: unknown) => AgentsServer;
  };
  const requestInit = { headers: { Authorization: authorization } };
  const open = async (path: string) => {
    const server = new MCPServerStreamableHttp({ url: `${app.url}${path}`, name: 'mcprank', requestInit });
    await server.connect();
    t.after(() => server.close());
    return server;
  };
  const server = await open('/mcp');
  assert.deepEqual(
    (await server.listTools()).map(({ name }) => name),
    metaTools,
  );
  assert.match(JSON.stringify(await server.callTool('search_tools', found)), /fixture/);
  assert.match(JSON.stringify(await server.callTool('call_tool', echo)), /Echo: hi/);
  const one = await open(whole);
  assert.match(JSON.stringify(await one.callTool('echo', { message: 'hi' })), /Echo: hi/);
});
