import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from './free-port.ts';
import { root } from './paths.ts';

export function referenceServer(name: 'everything' | 'filesystem' | 'memory'): string {
  return join(root, `node_modules/@modelcontextprotocol/server-${name}/dist/index.js`);
}

/** A program that listens on a port; ready when it accepts connections, ended with the test. */
async function startProgram(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  port: number,
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [...args], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    stdio: 'ignore',
  });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  for (let tries = 0; tries < 200; tries++) {
    const reached = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (reached) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${args.join(' ')} does not listen on ${port}`);
}

/** server-everything over HTTP; its URL. */
export async function startEverything(
  t: TestContext,
  mode: 'streamableHttp' | 'sse',
): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const port = await freePort();
  const child = await startProgram(t, [referenceServer('everything'), mode], { PORT: String(port) }, port);
  return { url: `http://127.0.0.1:${port}/${mode === 'sse' ? 'sse' : 'mcp'}`, child };
}

/** A request as a hand-written upstream saw it. */
export type Seen = {
  readonly method: string;
  readonly path: string;
  /** The body as it came. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: {
    readonly id?: number | string;
    readonly method?: string;
    readonly params?: Record<string, unknown>;
  };
};

export type RawUpstream = { readonly url: string; readonly seen: readonly Seen[] };

/** A hand-written HTTP upstream, for what no good server does. */
export async function startRaw(
  t: TestContext,
  answer: (seen: Seen, reply: Parameters<RequestListener>[1], socket: Socket) => void,
): Promise<RawUpstream> {
  const seen: Seen[] = [];
  const server = createHttpServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const body = (text === '' ? {} : JSON.parse(text)) as Seen['body'];
      const { method = '', url: path = '', headers } = request;
      const entry = { method, path, headers, body, text };
      seen.push(entry);
      answer(entry, reply, request.socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, seen };
}

export function sendJson(
  reply: Parameters<RequestListener>[1],
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  reply.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

/** A server of 2026-07-28 without state that has these tools, as they are when it is asked, and has done whatever is called. */
export function startToolServer(t: TestContext, tools: () => readonly object[]): Promise<RawUpstream> {
  return startRaw(t, ({ body }, reply) =>
    sendJson(reply, 200, {
      jsonrpc: '2.0',
      id: body.id,
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        content: [{ type: 'text', text: 'done' }],
        tools: tools(),
        resources: [],
      },
    }),
  );
}
