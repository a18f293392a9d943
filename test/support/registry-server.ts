import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** What the double does instead of a proper page. */
export type Fault =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'hang'
  | 'cut'
  | 'not json'
  | 'same cursor';

export type RegistryDouble = {
  readonly url: string;
  /** What it holds; may be changed between syncs. */
  entries: RegistryEntry[];
  /** Asked for each request, pages counting from 1 by their place in the list. */
  fault: (page: number) => Fault | undefined;
  /** Path and query of every request, in order. */
  readonly requests: URL[];
};

export type RegistryEntry = { readonly server: unknown; readonly _meta?: unknown };

type Options = {
  readonly entries: readonly RegistryEntry[];
  readonly pageSize?: number;
  readonly paths?: readonly string[];
  /** The spelling of 2025-07: next_cursor, and no `version` filter. */
  readonly old?: boolean;
};

const officialMeta = 'io.modelcontextprotocol.registry/official';

/** A registry on the loopback interface: pages by cursor, filters by `version` and `updated_since`, and fails on demand. */
export async function startRegistry(t: TestContext, options: Options): Promise<RegistryDouble> {
  const { pageSize = 100, paths = ['/v0.1/servers', '/v0/servers'], old = false } = options;
  const requests: URL[] = [];
  const server = createServer((request, reply) => answer(request, reply));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const double: RegistryDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    entries: [...options.entries],
    fault: () => undefined,
    requests,
  };

  function answer(request: IncomingMessage, reply: ServerResponse) {
    const url = new URL(request.url ?? '/', double.url);
    requests.push(url);
    if (!paths.includes(url.pathname)) return send(reply, 404, '404 page not found');
    const from = fromCursor(url.searchParams.get('cursor'));
    if (Number.isNaN(from)) return send(reply, 400, '{"detail":"invalid cursor"}');
    const fault = double.fault(from / pageSize + 1);
    if (fault === 'hang') return;
    if (typeof fault === 'object') return send(reply, fault.status, fault.body ?? 'no', fault.headers);
    sendPage(reply, page(url, from, fault === 'same cursor' ? from : from + pageSize), fault);
  }
  function page(url: URL, from: number, next: number): string {
    const all = double.entries.filter((entry) => isAsked(entry, url.searchParams, old));
    const cursor = next < all.length ? { [old ? 'next_cursor' : 'nextCursor']: toCursor(next) } : {};
    const servers = all.slice(from, from + pageSize);
    return JSON.stringify({ servers, metadata: { ...cursor, count: servers.length } });
  }
  return double;
}

function sendPage(reply: ServerResponse, body: string, fault: unknown): void {
  if (fault !== 'cut') {
    send(reply, 200, fault === 'not json' ? body.slice(0, body.length / 2) : body);
    return;
  }
  // Half of what was announced, and no more.
  reply.writeHead(200, { 'content-length': Buffer.byteLength(body) });
  reply.write(body.slice(0, body.length / 2));
  setTimeout(() => reply.destroy(), 20);
}

function send(
  reply: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  reply.writeHead(status, { 'content-type': 'application/json', ...headers });
  reply.end(body);
}

function isAsked(entry: RegistryEntry, query: URLSearchParams, old: boolean): boolean {
  const meta = (entry._meta as Record<string, Record<string, unknown>> | undefined)?.[officialMeta] ?? {};
  if (!old && query.get('version') === 'latest' && meta.isLatest === false) return false;
  const since = query.get('updated_since');
  if (since === null) return meta.status !== 'deleted';
  return String(meta.updatedAt ?? meta.updated_at ?? '') >= since;
}

function toCursor(from: number): string {
  return Buffer.from(`after:${from}`).toString('base64url');
}

function fromCursor(cursor: string | null): number {
  if (cursor === null) return 0;
  return Number(/^after:(\d+)$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1] ?? Number.NaN);
}
