import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, connect as dial, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { adminKey, temporaryFolder } from './app.ts';
import { freePort } from './free-port.ts';
import { root } from './paths.ts';

export type Replica = { readonly url: string; readonly child: ChildProcess; readonly log: string[] };

/** Real processes of the service on one store, as an operator would run them. */
export async function startReplicas(
  t: TestContext,
  count: number,
  env: Readonly<Record<string, string>>,
): Promise<Replica[]> {
  return Promise.all(Array.from({ length: count }, () => startReplica(t, env)));
}

async function startReplica(t: TestContext, env: Readonly<Record<string, string>>): Promise<Replica> {
  // The line that says where it listens names the public URL where there is one: the port is chosen here then.
  const port = env.MCPRANK_PUBLIC_URL === undefined ? 0 : await freePort();
  const child = spawn(process.execPath, [join(root, 'bin/mcprank.js'), 'serve'], {
    env: {
      PATH: process.env.PATH,
      MCPRANK_PORT: String(port),
      MCPRANK_SYNC: 'off',
      MCPRANK_PROBE: 'off',
      MCPRANK_ADMIN_KEY: adminKey,
      MCPRANK_DATA_DIR: temporaryFolder(t),
      // The same for all: what one sealed another must open.
      MCPRANK_VAULT_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => void child.kill('SIGKILL'));
  const log: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => void log.push(chunk.toString()));
  const said = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /listening on (http:\S+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`the replica ended: ${log.join('')}`)));
  });
  const url = port === 0 ? said : `http://127.0.0.1:${port}`;
  while ((await fetch(`${url}/readyz`)).status !== 200) await delay(50);
  return { url, child, log };
}

/** A balancer that gives each connection to the next replica in turn, and passes over those that are gone. */
export async function startBalancer(t: TestContext, replicas: readonly Replica[]): Promise<string> {
  let turn = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.once('close', () => sockets.delete(client));
    client.on('error', () => undefined);
    const tryNext = (left: number) => {
      const replica = replicas[turn++ % replicas.length];
      if (left === 0 || replica === undefined) return void client.destroy();
      const upstream = dial(Number(new URL(replica.url).port), '127.0.0.1');
      upstream.once('connect', () => {
        client.pipe(upstream).pipe(client);
        client.once('close', () => upstream.destroy());
      });
      upstream.once('error', () =>
        upstream.connecting || !upstream.readable ? tryNext(left - 1) : client.destroy(),
      );
      upstream.once('close', () => client.destroyed || (client.readableFlowing && client.end()));
    };
    tryNext(replicas.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

/** One request on a connection of its own, so that the balancer chooses anew. */
export async function ask(
  base: string,
  method: string,
  path: string,
  { body, key = adminKey }: { readonly body?: unknown; readonly key?: string } = {},
) {
  const reply = await fetch(`${base}${path}`, {
    method,
    headers: {
      'x-api-key': key,
      connection: 'close',
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  return { status: reply.status, headers: reply.headers, body: JSON.parse(text) as Record<string, unknown> };
}
