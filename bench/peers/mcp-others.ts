import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { accepts, openSession, send } from '../mcp-client.ts';
import { type Load, launch, onCore, type Served } from '../support.ts';

/** A gateway by other people, started, and the call that is asked of it over and over. */
export type Other = { readonly name: string; readonly served: Served; readonly call: Omit<Load, 'seconds'> };

type Opened = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: NonNullable<Load['body']>;
};
type Program = { readonly command: string; readonly args: readonly string[] };
type Gateway = {
  readonly name: string;
  /** In the package's folder. */
  readonly program: string;
  readonly path: string;
  readonly args: (port: number, folder: string) => readonly string[];
  readonly open: (url: string) => Promise<Opened>;
};

const here = fileURLToPath(new URL('.', import.meta.url));
const modules = join(here, 'gateways/node_modules');
const startsWithinMs = 20_000;
const stopsWithinMs = 5_000;
const tool = { name: 'echo', arguments: { message: 'hi' } };

/** Why they cannot be measured; null when they can. */
export const othersMissing = existsSync(modules)
  ? null
  : 'needs npm ci --ignore-scripts --prefix bench/peers/gateways';

/** The upstream as a program, on the core of the load. */
export const upstreamProgram = program(onCore(1), join(here, 'mcp-upstream.ts'), 'stdio');

/** In front of a server at a URL. Two of them only run programs: what they run is the bridge to a URL that one of them is, too. */
export function startBeforeUrl(url: string): Promise<Other[]> {
  const entry = join(modules, 'supergateway', 'dist/index.js');
  const bridge = program(onCore(0), entry, '--streamableHttp', url, '--logLevel', 'none');
  return Promise.all([hub({ url }), proxy(bridge), supergateway(bridge)].map(start));
}

/** In front of the upstream as a program. */
export function startBeforeProgram(): Promise<Other[]> {
  return Promise.all(
    [hub(upstreamProgram), proxy(upstreamProgram), supergateway(upstreamProgram)].map(start),
  );
}

function program(core: readonly string[], ...rest: readonly string[]): Program {
  const [command = '', ...args] = [...core, process.execPath, ...rest];
  return { command, args };
}

function hub(upstream: Program | { readonly url: string }): Gateway {
  return {
    name: 'mcp-hub',
    program: 'dist/cli.js',
    path: '/api/servers/tools',
    args(port, folder) {
      const config = join(folder, 'servers.json');
      writeFileSync(config, JSON.stringify({ mcpServers: { upstream } }));
      return ['--port', String(port), '--config', config];
    },
    open: async () => ({
      body: JSON.stringify({ server_name: 'upstream', tool: tool.name, arguments: tool.arguments }),
    }),
  };
}

function proxy({ command, args }: Program): Gateway {
  return {
    name: 'mcp-proxy',
    program: 'dist/bin/mcp-proxy.mjs',
    path: '/mcp',
    args: (port) => [
      ...['--host', '127.0.0.1', '--port', String(port), '--server', 'stream', '--no-eventStore', '--'],
      ...[command, ...args],
    ],
    open: inSession,
  };
}

function supergateway({ command, args }: Program): Gateway {
  return {
    name: 'supergateway',
    program: 'dist/index.js',
    path: '/mcp',
    args: (port) => [
      ...['--stdio', [command, ...args].join(' '), '--outputTransport', 'streamableHttp', '--stateful'],
      ...['--port', String(port), '--logLevel', 'none'],
    ],
    open: inSession,
  };
}

async function start(gateway: Gateway): Promise<Other> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const port = await freePort();
  const entry = join(modules, gateway.name, gateway.program);
  // Their logs go nowhere: a pipe that nobody reads would stop them.
  const child = launch([entry, ...gateway.args(port, folder)], { HOME: folder }, { stdio: 'ignore' });
  const stop = async () => {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await Promise.race([gone, delay(stopsWithinMs).then(() => child.kill('SIGKILL'))]);
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}${gateway.path}`;
  try {
    const opened = await soon(gateway.name, async () => {
      const found = await gateway.open(url);
      await mustAnswer(url, found);
      return found;
    });
    const name = `${gateway.name} ${versionOf(gateway.name)}`;
    return { name, served: { url, child, stop }, call: { url, ...opened } };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** From a handshake on one session for all connections, as one client with many calls under way has it. */
async function inSession(url: string): Promise<Opened> {
  const headers = { ...accepts, ...(await openSession(url)) };
  let lastId = 0;
  const params = JSON.stringify(tool);
  // Answers find their callers by these ids, so no two calls share one.
  const body = () => `{"jsonrpc":"2.0","id":${++lastId},"method":"tools/call","params":${params}}`;
  return { headers, body };
}

/** An error may come with status 200: what is measured must be the tool's own answer. */
async function mustAnswer(url: string, { headers = {}, body = '' }: Opened): Promise<void> {
  const reply = await send(url, headers, typeof body === 'function' ? body() : body);
  const text = await reply.text();
  if (!reply.ok || !text.includes('xxxx')) throw new Error(`answers ${reply.status} ${text.slice(0, 200)}`);
}

/** Tries until it is up. */
async function soon<T>(name: string, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + startsWithinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (performance.now() > until) throw new Error(`${name} did not answer in time`, { cause });
      await delay(200);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function versionOf(name: string): string {
  const { version } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
