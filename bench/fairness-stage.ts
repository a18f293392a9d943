import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Hostile } from './peers/hostile-tenant.ts';
import { launch, type Served, serve, startFlags } from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
/** Until the hostile one has taken what it can get. */
const takeHoldMs = 1_500;

/** A service, a tenant that is hostile, and those beside it. */
export type Stage = {
  readonly ours: Served;
  readonly keys: readonly string[];
  readonly hostileKey: string;
  readonly hook: string;
  stop(): Promise<void>;
};

export async function startStage(tenants: number): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const upstream = launch([join(root, 'bench/peers/mcp-upstream.ts'), 'json'], {}, { pin: false });
  const hostile = launch([join(root, 'bench/peers/hostile-upstream.ts')], {}, { pin: false });
  // It takes no time from the one that measures, where the system has a choice.
  setPriority(hostile.pid ?? 0, constants.priority.PRIORITY_LOW);
  const [goodUrl, hostileUrl] = [await urlOf(upstream), await urlOf(hostile)];
  const config = join(folder, 'servers.json');
  const echo = {
    command: process.execPath,
    args: [join(root, 'bench/peers/mcp-upstream.ts'), 'stdio'],
    shared: true,
  };
  writeFileSync(config, JSON.stringify({ mcpServers: { echo, hung: { command: 'sleep', args: ['600'] } } }));
  const ours = await serve([...startFlags, join(root, 'bin/mcprank.js'), 'serve', '--mcp-config', config], {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_LOG: 'silent',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
  });
  await addServers(ours.url, goodUrl, hostileUrl);
  const names = Array.from({ length: tenants + 1 }, (_, i) => `tenant ${i}`);
  const keys = await Promise.all(names.map((developer) => newKey(ours.url, developer)));
  return {
    ours,
    keys: keys.slice(1),
    hostileKey: keys[0] ?? '',
    hook: `${hostileUrl}/hook`,
    async stop() {
      await ours.stop();
      for (const child of [upstream, hostile]) child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function addServers(url: string, good: string, hostile: string): Promise<void> {
  const server = (id: string, remote_url: string) => ({
    id,
    name: id,
    description: `Server ${id}`,
    remote_url,
    tools: [{ name: 'go', description: 'Goes' }],
  });
  const paths = ['huge', 'never', 'stream'].map((id) => server(id, `${hostile}/${id}`));
  const names = Array.from({ length: 60 }, (_, i) =>
    server(`name-${i}`, `https://slow-${i}.example.com/mcp`),
  );
  const words = 'invoice calendar weather ticket message photo contract flight song recipe'.split(' ');
  const crowd = Array.from({ length: 1_000 }, (_, i) => ({
    ...server(`s/${i}`, good),
    description: `Handles ${words[i % 10]} and ${words[(i * 7) % 10]}`,
  }));
  for (const body of [[server('good', good), ...paths, ...names], crowd])
    await admin(url, 'POST', 'servers', body);
  // A tenant runs the operator's programs where that was granted.
  for (const id of ['echo', 'hung'])
    await admin(url, 'PUT', `servers/${id}/rights`, { granted: [{ developer: '*', credentials: true }] });
  // What was put into the catalogue is found a moment later.
  const isFound = async () => {
    const body = JSON.stringify({ query: 'invoice' });
    const headers = { 'x-api-key': adminKey, 'content-type': 'application/json' };
    return (await (await fetch(`${url}/v1/search`, { method: 'POST', headers, body })).text()).includes('s/');
  };
  while (!(await isFound())) await delay(100);
}

async function newKey(url: string, developer: string): Promise<string> {
  const scopes = ['search', 'invocations', 'identity', 'mcp'];
  return String(
    (await admin(url, 'POST', 'keys', { developer, name: 'bench', tier: 'enterprise', scopes })).key,
  );
}

async function admin(
  url: string,
  method: string,
  path: string,
  body: unknown,
): Promise<Record<string, unknown>> {
  const reply = await fetch(`${url}/v1/admin/${path}`, {
    method,
    headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await reply.json()) as Record<string, unknown>;
  if (!reply.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** A process of its own. */
export async function unleash(hostile: Hostile): Promise<ChildProcess> {
  const program = join(root, 'bench/peers/hostile-tenant.ts');
  const child = launch([program, JSON.stringify(hostile)], {}, { pin: false });
  setPriority(child.pid ?? 0, constants.priority.PRIORITY_LOW);
  await once(child.stdout ?? child, 'data');
  await delay(takeHoldMs);
  return child;
}

async function urlOf(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  return /listening on (http:\S+)/.exec(chunk.toString())?.[1] ?? '';
}
