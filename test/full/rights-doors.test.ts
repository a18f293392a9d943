import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { clientsMissing, commandOf } from '../support/client-programs.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { startToolServer } from '../support/mcp-servers.ts';
import {
  type Answer,
  keyHolders,
  type Rule,
  randomToolsets,
  type Server,
  servers,
  type Tool,
  type Toolset,
} from '../support/random-rights.ts';

/** The same worlds again: RIGHTS_SEED, as the failure names it. */
const seed = Number(process.env.RIGHTS_SEED ?? Date.now() % 1_000_000);
const worlds = randomToolsets(40, seed);

type Args = { readonly to?: string };
type Principal = { readonly index: number; readonly developer: string; readonly key: string };

// The reference: what docs/rights.md says, and nothing of ours.
const like = (text: string, glob?: string) =>
  glob === undefined || new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(text);
function fits(rule: Rule, server: Server, tool: Tool, args: Args | null): boolean {
  const readOnly = server.verified && tool.annotations.readOnlyHint;
  const destructive = !(server.verified && (readOnly || !tool.annotations.destructiveHint));
  if (!like(server.id, rule.server) || !like(tool.name, rule.tool)) return false;
  if (rule.tags?.every((tag) => !server.tags.includes(tag))) return false;
  if (rule.categories?.includes(server.category) === false) return false;
  if ((rule.readOnly ?? readOnly) !== readOnly) return false;
  if ((rule.destructive ?? destructive) !== destructive) return false;
  if (rule.arguments === undefined) return true;
  // What is shown, without arguments, is what some call may do.
  if (args === null) return rule.effect !== 'deny';
  return rule.arguments.every(({ prefix }) => args.to?.startsWith(prefix) === true);
}
function decided(toolsets: readonly Toolset[], server: Server, tool: Tool, args: Args | null): Answer {
  const rules = toolsets.flatMap((each) => each.rules).filter((rule) => fits(rule, server, tool, args));
  const effects = (['deny', 'ask', 'allow'] as const).filter((one) =>
    rules.some(({ effect }) => effect === one),
  );
  return effects[0] ?? (toolsets.some((each) => each.default === 'deny') ? 'deny' : 'allow');
}
const isBound =
  ({ index, developer }: Principal) =>
  (each: Toolset) =>
    each.keys.includes(index) || each.developers.includes(developer);
function expected(world: readonly Toolset[], by: Principal, server: Server, tool: Tool, args: Args | null) {
  if (server.seenBy?.includes(by.developer) === false) return 'unknown';
  return decided(world.filter(isBound(by)), server, tool, args);
}
// End of the reference.

type Shown = readonly string[];
const nameOf = (server: Server, tool: Tool) => `${server.id}__${tool.name}`;
function shownTo(world: readonly Toolset[], by: Principal, only?: Toolset): Shown {
  return servers.flatMap((server) =>
    server.tools
      .filter((tool) => {
        const answers = [expected(world, by, server, tool, null)];
        if (only !== undefined) answers.push(decided([only], server, tool, null));
        return answers.every((answer) => answer === 'allow' || answer === 'ask');
      })
      .map((tool) => nameOf(server, tool)),
  );
}

/** One server for all: what it was really called for is what leaked. */
async function startTools(t: TestContext) {
  const tools = servers[0]?.tools.map((tool) => ({ ...tool, inputSchema: { type: 'object' } }));
  return startToolServer(t, () => tools ?? []);
}

async function put(app: McpTestApp, path: string, body: unknown) {
  const done = await app.call('PUT', path, { body });
  assert.equal(done.status, 200, done.text);
}

async function addServer(app: McpTestApp, url: string, { id, seenBy, tools, ...fields }: Server) {
  await app.add(id, url, {
    ...fields,
    description: 'Does things',
    tools: tools.map((tool) => ({ ...tool, inputSchema: { type: 'object' } })),
    ...(seenBy !== null && {
      visibility: 'private',
      granted: seenBy.map((developer) => ({ developer, credentials: false })),
    }),
  });
}

async function boot(t: TestContext, wordsOf: (server: Server, tool: Tool) => Tool = (_, tool) => tool) {
  const app = await bootMcp(t);
  const upstream = await startTools(t);
  for (const server of servers) {
    const tools = server.tools.map((tool) => wordsOf(server, tool));
    await addServer(app, upstream.url, { ...server, tools });
  }
  const listed = await app.call('GET', '/v1/admin/keys');
  const [own] = listed.body.keys as { key_id: string }[];
  const made: { readonly key: string; readonly id: string }[] = [];
  for (const developer of keyHolders) {
    const body = { developer, name: `${developer} ${made.length}`, tier: 'enterprise' };
    if (developer === 'admin') made.push({ key: adminKey, id: own?.key_id ?? '' });
    else {
      const { key, key_id } = (await app.call('POST', '/v1/admin/keys', { body })).body;
      made.push({ key: String(key), id: String(key_id) });
    }
  }
  const ids = made.map(({ id }) => id);
  const principals = keyHolders.map((developer, index) => ({
    index,
    developer,
    key: made[index]?.key ?? '',
  }));
  await app.services.search.settled();
  return { app, upstream, principals, ids };
}

/** Takes a world over: three toolsets, and whom they are bound to. */
async function live(app: McpTestApp, ids: readonly string[], world: readonly Toolset[]) {
  for (const [i, { rules, default: fallback, keys, developers }] of world.entries()) {
    await put(app, `/v1/admin/toolsets/set-${i}`, { rules, default: fallback });
    await put(app, `/v1/admin/toolsets/set-${i}/bindings`, { keys: keys.map((key) => ids[key]), developers });
  }
}

type Message = {
  readonly result?: { readonly tools?: readonly { readonly name: string }[]; readonly isError?: boolean };
  readonly error?: { readonly code: number; readonly data?: { readonly code?: string } };
};
/** What an error of ours at an MCP door says of the decision. */
function answerOf(error: Message['error']): Answer {
  if (error === undefined) return 'allow';
  if (error.code !== -32003) return 'unknown';
  return error.data?.code === 'approval_required' ? 'ask' : 'deny';
}
const namesIn = (list: readonly { readonly name: string }[] | undefined) =>
  (list ?? []).map(({ name }) => name);

/** A door that is asked about tools: by their list, and by a call of one. */
type Door = {
  readonly name: string;
  list(): Promise<Shown>;
  call?(server: Server, tool: Tool, args: Args): Promise<Answer>;
  /** Whether it is unknown here, whatever else it is. */
  isHidden?(shown: Shown, server: Server, tool: Tool): boolean;
};

function restDoor(app: McpTestApp, { key }: Principal): Door {
  return {
    name: 'REST',
    async list() {
      const lists = servers.map(async ({ id }) => {
        const { body } = await app.list(id, key);
        return namesIn(body.tools as { name: string }[] | undefined).map((name) => `${id}__${name}`);
      });
      return (await Promise.all(lists)).flat();
    },
    async call({ id }, { name }, args) {
      const { status, body } = await app.tool(id, name, args, { key });
      if (status === 200) return body.status === 'input_required' ? 'ask' : 'allow';
      return status === 403 ? 'deny' : 'unknown';
    },
  };
}

function browsing(app: McpTestApp, { key }: Principal): Door {
  return {
    name: '/v1/servers',
    async list() {
      const { body } = await app.call('GET', '/v1/servers', { key });
      const found = body.servers as { id: string; tools_count?: number }[];
      const pages = found.map(async ({ id }) => {
        const one = await app.call('GET', `/v1/servers/${id}`, { key });
        return namesIn(one.body.tools as { name: string }[]).map((name) => `${id}__${name}`);
      });
      return (await Promise.all(pages)).flat();
    },
  };
}

const rpc = (method: string, params: object = {}) => ({ jsonrpc: '2.0', id: 1, method, params });

function singleServers(app: McpTestApp, { key }: Principal): Door {
  const ask = async (id: string, method: string, params?: object) => {
    const reply = await app.call('POST', `/mcp/servers/${id}`, { key, body: rpc(method, params) });
    return reply.status === 404 ? { error: { code: 404 } } : (reply.body as Message);
  };
  return {
    name: '/mcp/servers/{id}',
    async list() {
      const lists = servers.map(async ({ id }) => {
        const { result } = (await ask(id, 'tools/list')) as Message;
        return namesIn(result?.tools).map((name) => `${id}__${name}`);
      });
      return (await Promise.all(lists)).flat();
    },
    isHidden: (shown, { id }) => !shown.some((name) => name.startsWith(`${id}__`)),
    call: async ({ id }, { name }, args) =>
      answerOf((await ask(id, 'tools/call', { name, arguments: args })).error),
  };
}

/** A toolset as a server of its own. */
function toolsetDoor(app: McpTestApp, { key }: Principal): Door {
  return {
    name: '/mcp/t/set-0',
    async list() {
      const { body } = await app.call('POST', '/mcp/t/set-0', { key, body: rpc('tools/list') });
      return namesIn((body as Message).result?.tools);
    },
  };
}

function clientDoor(name: string, client: Client): Door {
  return {
    name,
    isHidden: (shown, server, tool) => !shown.includes(nameOf(server, tool)),
    list: async () => namesIn((await client.listTools()).tools),
    async call(server, tool, args) {
      try {
        await client.callTool({ name: nameOf(server, tool), arguments: args });
        return 'allow';
      } catch (error) {
        return answerOf(error as Message['error']);
      }
    },
  };
}

async function sdkDoor(t: TestContext, app: McpTestApp, { key }: Principal): Promise<Door> {
  const client = new Client({ name: 'test', version: '2' });
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${app.url}/mcp`), { requestInit }));
  t.after(() => client.close());
  return clientDoor('SDK v2', client);
}

async function remoteDoor(t: TestContext, app: McpTestApp, { key }: Principal): Promise<Door> {
  const home = temporaryFolder(t);
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [commandOf('mcp-remote', 'mcp-remote'), `${app.url}/mcp`, '--header', `Authorization:\${AUTH}`],
    env: { PATH: process.env.PATH ?? '', HOME: home, MCP_REMOTE_CONFIG_DIR: home, AUTH: `Bearer ${key}` },
    stderr: 'ignore',
  });
  const client = new Client({ name: 'desktop', version: '1' });
  await client.connect(transport);
  t.after(() => client.close());
  return clientDoor('mcp-remote', client);
}

const argsAsked: readonly Args[] = [{ to: 'ann' }, { to: 'bob' }, {}];

/** Holds one door against the reference: all its tools by their list, and so many by a call. Answers how many pairs that were. */
async function holdDoor(world: readonly Toolset[], by: Principal, door: Door, calls: number) {
  const where = `${door.name}, ${by.developer}, RIGHTS_SEED=${seed}, ${JSON.stringify(world)}`;
  const shown = shownTo(world, by, door.name.startsWith('/mcp/t/') ? world[0] : undefined);
  assert.deepEqual([...(await door.list())].sort(), [...shown].sort(), where);
  let allowed = 0;
  for (let i = 0; i < calls && door.call !== undefined; i++) {
    const server = servers[Math.floor(Math.random() * servers.length)]!;
    const tool = server.tools[Math.floor(Math.random() * server.tools.length)]!;
    const args = argsAsked[Math.floor(Math.random() * argsAsked.length)]!;
    const isHidden = door.isHidden?.(shown, server, tool) === true;
    const answer = isHidden ? 'unknown' : expected(world, by, server, tool, args);
    const said = `${server.id} ${tool.name} ${JSON.stringify(args)} at ${where}`;
    assert.equal(await door.call(server, tool, args), answer, said);
    if (answer === 'allow') allowed++;
  }
  return { pairs: servers.length * 4 + calls, allowed };
}

test('random pairs of principal and tool at every door: each decision is the reference’s, and no denied call reaches its server', async (t) => {
  const { app, upstream, principals, ids } = await boot(t);
  const doors = principals.map((by) => [
    [restDoor(app, by), 4],
    [browsing(app, by), 0],
    [singleServers(app, by), 1],
    [toolsetDoor(app, by), 0],
  ]) as [Door, number][][];
  for (const by of principals) doors[by.index]?.push([await sdkDoor(t, app, by), 1]);
  if (clientsMissing) t.diagnostic(`without mcp-remote: ${clientsMissing}`);
  else for (const index of [1, 3]) doors[index]?.push([await remoteDoor(t, app, principals[index]!), 1]);
  const pairs = new Map<string, number>();
  let allowed = 0;
  for (const world of worlds) {
    await live(app, ids, world);
    const held = principals.map(async (by) => {
      for (const [door, calls] of doors[by.index] ?? []) {
        const found = await holdDoor(world, by, door, calls);
        pairs.set(door.name, (pairs.get(door.name) ?? 0) + found.pairs);
        allowed += found.allowed;
      }
    });
    await Promise.all(held);
  }
  t.diagnostic(`seed ${seed}: ${JSON.stringify(Object.fromEntries(pairs))}`);
  assert.ok([...pairs.values()].reduce((sum, each) => sum + each) >= 10_000);
  const called = upstream.seen.filter(({ body }) => body.method === 'tools/call');
  assert.equal(called.length, allowed);
});

const about = 'All about the ';

/** The reply, without what is another one each time. */
async function find(app: McpTestApp, key: string, query: string) {
  const reply = await app.call('POST', '/v1/search', { key, body: { query, limit: 50, explain: true } });
  const text = reply.text.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1');
  const { servers: hits, metadata } = JSON.parse(text) as { servers: unknown; metadata: object };
  return { text, said: { hits, ...metadata, latency_ms: 0, query_log_id: '', cache_hit: false } };
}

test('what a hidden tool says moves nothing in a search: no hit, no score, no total', async (t) => {
  const { app, principals, ids } = await boot(t);
  const by = principals[5]!;
  let hidden = 0;
  for (const world of worlds.slice(0, 4)) {
    const shown = shownTo(world, by);
    const isShown = (server: Server, tool: Tool) => shown.includes(nameOf(server, tool));
    // The same, but what the principal does not see is about something else.
    const other = await boot(t, (server, tool) => {
      const backwards = [...tool.description.slice(about.length)].reverse().join('');
      return isShown(server, tool) ? tool : { ...tool, description: `${about}${backwards}` };
    });
    await live(app, ids, world);
    await live(other.app, other.ids, world);
    for (const server of servers)
      for (const tool of server.tools) {
        const found = await find(app, by.key, tool.description);
        const where = `${tool.description}, RIGHTS_SEED=${seed}, ${JSON.stringify(world)}`;
        // What was asked is said again, as it was read.
        const text = found.text.replaceAll(`"query":"${tool.description}"`, '');
        assert.equal(text.includes(tool.description), isShown(server, tool), where);
        const there = await find(other.app, other.principals[5]!.key, tool.description);
        assert.deepEqual(found.said, there.said, where);
      }
    hidden += 28 - shown.length;
    await other.app.close();
  }
  assert.ok(hidden > 0, `nothing was hidden: RIGHTS_SEED=${seed}`);
});
