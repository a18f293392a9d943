/**
 * Two hundred users on one server that streams, for twenty minutes: half of them in sessions of their own with the GET stream
 * open, half by REST, where the stream is ours. Sessions end and begin anew. Memory and sockets stay as they are.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Minute, openFiles, printMinutes, soakMinutes } from './soak-report.ts';
import {
  launch,
  leaveFirstCore,
  percentile,
  residentMegabytes,
  type Served,
  serve,
  startFlags,
} from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const json = { 'x-api-key': adminKey, 'content-type': 'application/json' };
const users = 200;
/** Between two calls of a user. */
const everyMs = 1_000;
/** After so many calls a session ends. */
const callsPerSession = 30;

/** Of the minute under way. */
type Tally = { latencies: number[]; others: number };
/** Why what failed did, and how often. */
const reasons = new Map<string, number>();
type User = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tally: Tally;
  readonly isOver: () => boolean;
};

export async function run(): Promise<void> {
  leaveFirstCore();
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const upstream = launch([join(root, 'bench/peers/streaming-upstream.ts')], {}, { pin: false });
  const [chunk] = (await once(upstream.stdout ?? upstream, 'data')) as [Buffer];
  const remote_url = /listening on (http:\S+)/.exec(chunk.toString())?.[1] ?? '';
  const ours = await startOurs(folder, remote_url);
  const tally: Tally = { latencies: [], others: 0 };
  let isOver = false;
  const alive = Array.from({ length: users }, async (_, i) => {
    const headers = { ...json, ...(await tokenOf(ours.url, `user ${i}`)) };
    const user = { url: ours.url, headers, tally, isOver: () => isOver };
    await delay((i * everyMs) / users);
    await (i % 2 === 0 ? useSessions(user) : useRest(user));
  });
  const minutes: Minute[] = [];
  for (let minute = 1; minute <= soakMinutes; minute++) {
    await delay(60_000);
    const { latencies, others } = tally;
    Object.assign(tally, { latencies: [], others: 0 });
    minutes.push({
      good: latencies.length / 60,
      others,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      megabytes: residentMegabytes(ours),
      files: openFiles(ours),
    });
  }
  isOver = true;
  await Promise.all(alive);
  printMinutes(minutes);
  for (const [reason, times] of reasons) console.log(`${times} × ${reason}`);
  await ours.stop();
  upstream.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

async function startOurs(folder: string, remote_url: string): Promise<Served> {
  const ours = await serve([...startFlags, join(root, 'bin/mcprank.js'), 'serve'], {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_LOG: 'error',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
  });
  await fetch(`${ours.url}/v1/admin/servers`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({
      id: 'streaming',
      name: 'Streaming',
      description: 'Streams',
      remote_url,
      tools: [{ name: 'go' }],
    }),
  });
  return ours;
}

async function tokenOf(url: string, user_id: string): Promise<{ authorization: string }> {
  const reply = await fetch(`${url}/v1/identity/token`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ user_id }),
  });
  const { access_token } = (await reply.json()) as { access_token: string };
  return { authorization: `Bearer ${access_token}` };
}

/** One request; counted, and its reply read to the end. */
async function count(user: User, path: string, headers: Record<string, string>, body: object): Promise<void> {
  const since = performance.now();
  try {
    const reply = await fetch(user.url + path, {
      method: 'POST',
      headers: { ...user.headers, ...headers },
      body: JSON.stringify(body),
    });
    const text = await reply.text();
    if (!reply.ok || !text.includes('xxxx')) throw new Error(`${reply.status} ${text.slice(0, 200)}`);
    user.tally.latencies.push(performance.now() - since);
  } catch (error) {
    noteFailure(user, error);
  }
}

function noteFailure({ tally }: User, error: unknown): void {
  tally.others++;
  const { message, cause } = error as Error;
  const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}

async function useRest(user: User): Promise<void> {
  for (; !user.isOver(); await delay(everyMs))
    await count(user, '/v1/mcp/tools/call', {}, { server_id: 'streaming', name: 'go', arguments: {} });
}

async function useSessions(user: User): Promise<void> {
  while (!user.isOver())
    await useSession(user).catch(async (error: unknown) => {
      noteFailure(user, error);
      await delay(everyMs);
    });
}

/** A session as a client has it: hello, the stream, calls with progress, goodbye. */
async function useSession(user: User): Promise<void> {
  const path = '/mcp/servers/streaming';
  const accept = { accept: 'application/json, text/event-stream' };
  const leave = new AbortController();
  const send = (method: string, headers: Record<string, string>, body?: object) =>
    fetch(user.url + path, {
      method,
      ...(method === 'GET' && { signal: leave.signal }),
      headers: { ...user.headers, ...accept, ...headers },
      ...(body !== undefined && { body: JSON.stringify({ jsonrpc: '2.0', ...body }) }),
    });
  const clientInfo = { name: 'soak', version: '1' };
  const hello = await send(
    'POST',
    {},
    { id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } },
  );
  if (!hello.ok) throw new Error(`initialize: ${hello.status} ${(await hello.text()).slice(0, 200)}`);
  await hello.text();
  const session = { 'mcp-session-id': hello.headers.get('mcp-session-id') ?? '' };
  await (await send('POST', session, { method: 'notifications/initialized' })).text();
  const stream = await send('GET', session);
  const read = readAway(stream);
  for (let id = 1; id <= callsPerSession && !user.isOver(); id++, await delay(everyMs)) {
    const params = { name: 'go', arguments: {}, _meta: { progressToken: id } };
    await count(user, path, { ...accept, ...session }, { jsonrpc: '2.0', id, method: 'tools/call', params });
  }
  await (await send('DELETE', session)).text();
  leave.abort();
  await read;
}

/** Until it ends, or is left. */
async function readAway({ body }: Response): Promise<void> {
  try {
    for await (const _ of body ?? []);
  } catch {
    // Left.
  }
}
