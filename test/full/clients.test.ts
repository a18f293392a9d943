import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { clientsMissing, commandOf, load } from '../support/client-programs.ts';
import { holdCompatibility } from '../support/compatibility.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { startEverything } from '../support/mcp-servers.ts';
import { root } from '../support/paths.ts';
import { python, pythonMissing } from '../support/python.ts';

/**
 * Clients by other people, against our endpoint as their users meet it: connect, list, search, call; and against one server,
 * without us and through us.
 */
const skip = clientsMissing;
const run = promisify(execFile);
const authorization = `Bearer ${adminKey}`;

/** A place where a tool that echoes is called: its URL, what is sent with it, and the tool's name there. */
type Place = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly echo: string;
};
type ClientTestApp = McpTestApp & {
  /** One server alone, without us and through us (an initialize-era client has a session with it), and at the door of a toolset. */
  readonly places: readonly Place[];
};

/** A catalogue too large to list, with one server that answers, and one with sessions. */
async function boot(t: TestContext): Promise<ClientTestApp> {
  const app = await bootMcp(t);
  const { url } = await startSdkServer(t);
  await app.add('fixture', url, {
    description: 'Repeats what it is told',
    tools: [{ name: 'echo', description: 'Say it again', inputSchema: { type: 'object' } }],
  });
  const chores = Array.from({ length: 40 }, (_, i) => ({ name: `chore_${i}`, description: `Chore ${i}` }));
  await app.add('chores', 'http://127.0.0.1:9/mcp', { tools: chores });
  const everything = await startEverything(t, 'streamableHttp');
  await app.add('everything', everything.url);
  const probed = await app.call('POST', '/v1/admin/servers/everything/probe');
  assert.equal(probed.status, 200, probed.text);
  const rules = [{ effect: 'allow', server: 'everything' }];
  await app.call('PUT', '/v1/admin/toolsets/one', { body: { rules } });
  await app.services.search.settled();
  const headers = { Authorization: authorization };
  const places = [
    { url: everything.url, headers: {}, echo: 'echo' },
    { url: `${app.url}${whole}`, headers, echo: 'echo' },
    { url: `${app.url}/mcp/t/one`, headers, echo: 'everything__echo' },
  ];
  return { ...app, places };
}

const seen: string[][] = [];
type Said = { readonly tools?: readonly string[]; readonly content: unknown };
/** One script in each place. A server may show more through us: to a client without a session it is we who can do everything. */
async function useEach(
  name: string,
  { places }: Pick<ClientTestApp, 'places'>,
  script: (place: Place) => Promise<Said>,
): Promise<void> {
  const [direct, ...throughUs] = places as readonly [Place, Place, Place];
  const expected = await script(direct);
  assert.match(JSON.stringify(expected.content), /Echo: hi/);
  for (const place of throughUs) {
    const found = await script(place);
    assert.deepEqual(found.content, expected.content);
    for (const tool of expected.tools ?? []) {
      const called = tool.replace(/^(it_)?/, `$&${place.echo.replace(/echo$/, '')}`);
      assert.ok(found.tools?.includes(called), `${place.url}: ${called}`);
    }
  }
  seen.push([name, 'yes', 'yes', 'yes']);
}
after(() => holdCompatibility('Clients', seen));

const found = { query: 'say it again', limit: 1 };
const echo = { server_id: 'fixture', name: 'echo', arguments: { message: 'hi' } };
/** One server alone; an initialize-era client has a session with it. */
const whole = '/mcp/servers/everything';
const metaTools = ['search_tools', 'describe_tool', 'call_tool', 'call_tools'];

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

test('the MCP SDK: one server without us and through us', async (t) => {
  await useEach('MCP SDK (TypeScript) 2', await boot(t), async ({ url, headers, echo }) => {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
    t.after(() => client.close());
    return sayHi(client, echo);
  });
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
  const open = async (url: string) => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [commandOf('mcp-remote', 'mcp-remote'), url, ...rest],
      env: { PATH: process.env.PATH ?? '', HOME: home, MCP_REMOTE_CONFIG_DIR: home, ...env },
      stderr: 'ignore',
    });
    const client = new Client({ name: 'desktop', version: '1' });
    await client.connect(transport);
    t.after(() => client.close());
    return client;
  };
  await useClient(await open(`${app.url}/mcp`));
  await useEach('mcp-remote', app, async ({ url, echo }) => sayHi(await open(url), echo));
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

async function sayHi(client: Client, name = 'echo'): Promise<Said> {
  const said = await client.callTool({ name, arguments: { message: 'hi' } });
  assert.match(JSON.stringify(said.content), /Echo: hi/);
  return { tools: (await client.listTools()).tools.map(({ name }) => name), content: said.content };
}

test('mcporter: list and call', { skip }, async (t) => {
  const app = await boot(t);
  const folder = temporaryFolder(t);
  const config = join(folder, 'mcporter.json');
  const headers = { Authorization: authorization };
  const ones = app.places.map((place, i) => [`one${i}`, place]);
  const mcpServers = { mcprank: { url: `${app.url}/mcp`, headers }, ...Object.fromEntries(ones) };
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
  await useEach('mcporter', app, async (place) => ({
    content: await mcporter('call', `one${app.places.indexOf(place)}.${place.echo}`, 'message=hi'),
  }));
});

test('the MCP Inspector: tools/list and tools/call', { skip }, async (t) => {
  const app = await boot(t);
  const home = temporaryFolder(t);
  const inspector = async (url: string, ...args: string[]) =>
    (
      await run(
        process.execPath,
        [
          commandOf('@modelcontextprotocol/inspector', 'mcp-inspector'),
          '--cli',
          url,
          '--transport',
          'http',
          '--header',
          `Authorization: ${authorization}`,
          ...args,
        ],
        { cwd: home, env: { PATH: process.env.PATH ?? '', HOME: home } },
      )
    ).stdout;
  const listed = await inspector(`${app.url}/mcp`, '--method', 'tools/list');
  for (const name of metaTools) assert.match(listed, new RegExp(`"${name}"`));
  const call = ['--method', 'tools/call', '--tool-name'];
  assert.match(
    await inspector(`${app.url}/mcp`, ...call, 'search_tools', '--tool-arg', 'query=say it again'),
    /fixture/,
  );
  const hi = ['--tool-arg', 'message=hi'];
  assert.match(await inspector(`${app.url}/mcp/servers/fixture`, ...call, 'echo', ...hi), /Echo: hi/);
  await useEach('MCP Inspector', app, async ({ url, echo }) => {
    const { content } = JSON.parse(await inspector(url, ...call, echo, ...hi)) as Said;
    return { content };
  });
});

type AiTools = Record<string, { execute(args: unknown, options: unknown): Promise<unknown> }>;

test("the AI SDK's client: tools, and one executed", { skip }, async (t) => {
  const app = await boot(t);
  const { createMCPClient } = (await load('@ai-sdk/mcp')) as {
    createMCPClient(config: unknown): Promise<{ tools(): Promise<AiTools>; close(): Promise<void> }>;
  };
  const open = async ({ url, headers }: Omit<Place, 'echo'>) => {
    const client = await createMCPClient({ transport: { type: 'http', url, headers } });
    t.after(() => client.close());
    return client.tools();
  };
  const tools = await open({ url: `${app.url}/mcp`, headers: { Authorization: authorization } });
  assert.deepEqual(Object.keys(tools), metaTools);
  const options = { toolCallId: 'x', messages: [] };
  assert.match(JSON.stringify(await tools.search_tools?.execute(found, options)), /fixture/);
  assert.match(JSON.stringify(await tools.call_tool?.execute(echo, options)), /Echo: hi/);
  await useEach('AI SDK', app, async (place) => {
    const own = await open(place);
    const said = (await own[place.echo]?.execute({ message: 'hi' }, options)) as Said | undefined;
    return { tools: Object.keys(own), content: said?.content };
  });
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
  const open = async ({ url, headers }: Omit<Place, 'echo'>) => {
    const server = new MCPServerStreamableHttp({ url, name: 'mcprank', requestInit: { headers } });
    await server.connect();
    t.after(() => server.close());
    return server;
  };
  const server = await open({ url: `${app.url}/mcp`, headers: { Authorization: authorization } });
  assert.deepEqual(
    (await server.listTools()).map(({ name }) => name),
    metaTools,
  );
  assert.match(JSON.stringify(await server.callTool('search_tools', found)), /fixture/);
  assert.match(JSON.stringify(await server.callTool('call_tool', echo)), /Echo: hi/);
  await useEach('OpenAI Agents SDK (TypeScript)', app, async (place) => {
    const one = await open(place);
    const tools = (await one.listTools()).map(({ name }) => name);
    return { tools, content: await one.callTool(place.echo, { message: 'hi' }) };
  });
});

type LangChainTool = { readonly name: string; invoke(args: unknown): Promise<unknown> };

test("LangChain's adapters: list and call", { skip }, async (t) => {
  const { MultiServerMCPClient } = (await load('@langchain/mcp-adapters')) as {
    MultiServerMCPClient: new (
      config: unknown,
    ) => { getTools(): Promise<LangChainTool[]>; close(): Promise<void> };
  };
  await useEach('LangChain (TypeScript)', await boot(t), async (place) => {
    const client = new MultiServerMCPClient({
      mcpServers: { it: { transport: 'http', url: place.url, headers: place.headers } },
    });
    t.after(() => client.close());
    const tools = await client.getTools();
    const content = await tools.find(({ name }) => name === place.echo)?.invoke({ message: 'hi' });
    return { tools: tools.map(({ name }) => name), content };
  });
});

type MastraTools = Record<string, { execute(args: unknown, context: unknown): Promise<unknown> }>;

test("Mastra's client: tools, and one executed", { skip }, async (t) => {
  const { MCPClient } = (await load('@mastra/mcp')) as {
    MCPClient: new (config: unknown) => { listTools(): Promise<MastraTools>; disconnect(): Promise<void> };
  };
  const open = async ({ url, headers }: Omit<Place, 'echo'>) => {
    const servers = { it: { url: new URL(url), requestInit: { headers } } };
    const client = new MCPClient({ id: url, servers });
    t.after(() => client.disconnect());
    return client.listTools();
  };
  const app = await boot(t);
  const tools = await open({ url: `${app.url}/mcp`, headers: { Authorization: authorization } });
  assert.deepEqual(
    Object.keys(tools),
    metaTools.map((name) => `it_${name}`),
  );
  assert.match(JSON.stringify(await tools.it_search_tools?.execute(found, {})), /fixture/);
  assert.match(JSON.stringify(await tools.it_call_tool?.execute(echo, {})), /Echo: hi/);
  await useEach('Mastra', app, async (place) => {
    const own = await open(place);
    // Through us it speaks the newer revision, whose results name their server beside the content.
    const said = (await own[`it_${place.echo}`]?.execute({ message: 'hi' }, {})) as Said | undefined;
    return { tools: Object.keys(own), content: said?.content };
  });
});

for (const [name, generation, script] of [
  ['MCP SDK (Python) 1', 1, 'client_sdk1.py'],
  ['MCP SDK (Python) 2', 2, 'client_sdk2.py'],
  ['FastMCP (Python) 4', 2, 'client_fastmcp.py'],
  ['LangChain (Python)', 1, 'client_langchain.py'],
  ['OpenAI Agents SDK (Python)', 1, 'client_openai_agents.py'],
  ['pydantic-ai', 1, 'client_pydantic_ai.py'],
  ['smolagents', 1, 'client_smolagents.py'],
] as const)
  test(`${name}: list and call`, { skip: pythonMissing }, async (t) => {
    await useEach(name, await boot(t), async ({ url, headers, echo }) => {
      const args = [join(root, 'test/full/python', script), url, echo, ...Object.values(headers)];
      const { stdout } = await run(python[generation], args);
      return JSON.parse(stdout) as Said;
    });
  });
