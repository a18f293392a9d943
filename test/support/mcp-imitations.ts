import type { ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { type RawUpstream, type Seen, sendJson, startRaw } from './mcp-servers.ts';

/** How a server refuses: a status with a JSON-RPC error code, or with a plain text. */
type Refusal = { readonly status: number; readonly code?: number };

/** One row of the table "seen on real servers": what it does where it leaves the path. */
export type Imitation = {
  readonly name: string;
  /** tools/list without a handshake; null: it answers. */
  readonly unasked: Refusal | null;
  /** A session id that it does not know; null: it does not look. */
  readonly stale: Refusal | null;
  readonly get: Refusal;
  readonly sse: boolean;
  /** A `Host` other than this name is refused with 403. */
  readonly host?: string;
};

export const imitations: readonly Imitation[] = [
  {
    name: 'server-everything',
    unasked: { status: 400, code: -32000 },
    stale: { status: 400, code: -32000 },
    get: { status: 400, code: -32000 },
    sse: true,
  },
  {
    name: 'playwright',
    unasked: { status: 400 },
    stale: { status: 404 },
    get: { status: 400 },
    sse: true,
    host: 'localhost',
  },
  { name: 'dbhub', unasked: null, stale: null, get: { status: 405 }, sse: false },
  { name: 'context7', unasked: null, stale: null, get: { status: 405 }, sse: true },
  {
    name: 'git',
    unasked: { status: 500, code: -32603 },
    stale: { status: 404, code: -32001 },
    get: { status: 200 },
    sse: true,
  },
  {
    name: 'mongodb',
    unasked: { status: 400, code: -32004 },
    stale: { status: 404, code: -32003 },
    get: { status: 400 },
    sse: false,
  },
  {
    name: 'SDK fixture',
    unasked: { status: 400, code: -32000 },
    stale: { status: 404, code: -32001 },
    get: { status: 400 },
    sse: false,
  },
];

export type Imitated = RawUpstream & {
  /** All sessions are gone, as after a restart. */
  forget(): void;
  /** Times the tool ran. */
  runs(): number;
};

export async function imitate(
  t: TestContext,
  row: Imitation,
  /** Says true where it has answered by itself. */
  instead: (seen: Seen, reply: ServerResponse) => boolean = () => false,
): Promise<Imitated> {
  const sessions = new Set<string>();
  let made = 0;
  let runs = 0;
  const upstream = await startRaw(t, (seen, reply) => {
    if (instead(seen, reply)) return;
    const { id, method } = seen.body;
    const refusal = refusalOf(row, seen, sessions);
    if (refusal !== null) return refuse(reply, refusal);
    if (method === 'initialize') {
      const fresh = `session-${++made}`;
      sessions.add(fresh);
      const result = {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: row.name, version: '1' },
      };
      return answer(row, reply, seen, result, row.stale === null ? {} : { 'mcp-session-id': fresh });
    }
    if (id === undefined) return reply.writeHead(202).end();
    if (method === 'tools/list')
      return answer(row, reply, seen, { tools: [{ name: 'count', inputSchema: { type: 'object' } }] });
    if (method === 'tools/call')
      return answer(row, reply, seen, { content: [{ type: 'text', text: `run ${++runs}` }] });
    return sendJson(reply, 200, { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } });
  });
  return {
    ...upstream,
    url: row.host === undefined ? upstream.url : upstream.url.replace('127.0.0.1', row.host),
    forget: () => sessions.clear(),
    runs: () => runs,
  };
}

/** What this server refuses before it looks at the method. */
function refusalOf(row: Imitation, seen: Seen, sessions: ReadonlySet<string>): Refusal | null {
  const { host, accept, 'mcp-session-id': session } = seen.headers;
  if (row.host !== undefined && String(host).split(':')[0] !== row.host) return { status: 403 };
  if (seen.method !== 'POST') return row.get;
  if (!['text/event-stream', 'json'].every((type) => String(accept).includes(type))) return { status: 406 };
  if (seen.body.method === 'initialize') return null;
  if (session === undefined) return row.unasked;
  return sessions.has(String(session)) ? null : row.stale;
}

function refuse(reply: ServerResponse, { status, code }: Refusal): void {
  if (code === undefined) reply.writeHead(status, { 'content-type': 'text/plain' }).end('no');
  else sendJson(reply, status, { jsonrpc: '2.0', id: null, error: { code, message: 'Bad Request' } });
}

function answer(
  row: Imitation,
  reply: ServerResponse,
  { body }: Seen,
  result: unknown,
  headers: Record<string, string> = {},
): void {
  const message = { jsonrpc: '2.0', id: body.id, result };
  if (!row.sse) {
    sendJson(reply, 200, message, headers);
    return;
  }
  reply.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
  // A priming event without data, and a notification, come before the answer; some leave the stream open after it.
  reply.write('id: 1\ndata:\n\n');
  reply.write(
    'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n\n',
  );
  reply.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
  if (row.name !== 'context7') reply.end();
}
