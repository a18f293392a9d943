import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { AppOptions } from '../../src/app.ts';
import type { TestApp, TestReply } from './app.ts';
import { createBrowser, type Page } from './browser.ts';
import { bootMcp, type McpTestApp } from './mcp-app.ts';

type Json = Readonly<Record<string, unknown>>;
type Reply = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown };

export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body as form fields. */
  readonly form: URLSearchParams;
};

/** A server by hand; `null` from the handler: 404. */
export async function startLoopback(
  t: TestContext,
  handle: (asked: Asked, response: ServerResponse) => Reply | null | 'handled',
) {
  const seen: Asked[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://x');
    const body = Buffer.concat(chunks).toString();
    const asked: Asked = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
      form: new URLSearchParams(body),
    };
    seen.push(asked);
    const reply = handle(asked, response);
    if (reply === 'handled') return;
    const { status = 200, headers = {}, body: content = {} } = reply ?? { status: 404 };
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof content === 'string' ? content : JSON.stringify(content));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    at: (path: string) => seen.filter((one) => one.path === path),
  };
}

export type FakeAs = Awaited<ReturnType<typeof startLoopback>> & {
  /** Fields laid over the metadata; undefined takes one away. */
  metadata: Json;
  /** In place of the answers of /register and /token. */
  register: ((asked: Asked) => Reply) | null;
  token: ((asked: Asked) => Reply | undefined) | null;
  authorize: ((asked: Asked) => Reply | undefined) | null;
  /** Scopes of the tokens that are out. */
  readonly tokens: Map<string, readonly string[]>;
};

/** An authorization server that says yes to everything, in as many lines as it takes to lie well. */
export async function startAs(t: TestContext): Promise<FakeAs> {
  const tokens = new Map<string, readonly string[]>();
  let scope = '';
  let count = 0;
  const loopback = await startLoopback(t, (asked): Reply | null => {
    const issuer = as.url;
    switch (asked.path) {
      case '/.well-known/oauth-authorization-server':
        return {
          body: {
            issuer,
            authorization_endpoint: `${issuer}/authorize`,
            token_endpoint: `${issuer}/token`,
            registration_endpoint: `${issuer}/register`,
            revocation_endpoint: `${issuer}/revoke`,
            code_challenge_methods_supported: ['S256'],
            authorization_response_iss_parameter_supported: true,
            ...as.metadata,
          },
        };
      case '/register':
        return (
          as.register?.(asked) ?? {
            status: 201,
            body: { client_id: `client-${++count}`, client_secret: 'secret-of-client-1' },
          }
        );
      case '/authorize': {
        const special = as.authorize?.(asked);
        if (special !== undefined) return special;
        scope = asked.query.get('scope') ?? '';
        const back = new URL(asked.query.get('redirect_uri') ?? '');
        back.searchParams.set('code', 'a-code');
        back.searchParams.set('state', asked.query.get('state') ?? '');
        back.searchParams.set('iss', issuer);
        return { status: 302, headers: { location: back.href } };
      }
      case '/token': {
        const special = as.token?.(asked);
        if (special !== undefined) return special;
        const access_token = `access-${++count}`;
        tokens.set(access_token, scope.split(' '));
        return {
          body: {
            access_token,
            refresh_token: `refresh-${count}`,
            token_type: 'Bearer',
            expires_in: 3_600,
            ...(scope === '' ? {} : { scope }),
          },
        };
      }
      case '/revoke':
        return {};
      default:
        return null;
    }
  });
  const as: FakeAs = { ...loopback, metadata: {}, register: null, token: null, authorize: null, tokens };
  return as;
}

export type FakeServer = Awaited<ReturnType<typeof startLoopback>> & {
  readonly mcp: string;
  as: FakeAs;
  /** Fields laid over the resource metadata. */
  document: Json;
  /** Scopes that a tool wants; a token without them gets 403. */
  wants: Record<string, readonly string[]>;
  /** Tokens that it does not take although their server issued them. */
  readonly refused: Set<string>;
  /** How it says that a token is no good; a stranger is 401 in every case. */
  refusal: number;
  /** Methods that fail for everybody. */
  broken: ReadonlySet<string>;
  /** What it lists for a token. */
  toolsFor: (token: string) => readonly Json[];
};

/** An MCP server of the current revision, with sessions for older clients, behind an authorization server. */
export async function startProtected(t: TestContext, first: FakeAs): Promise<FakeServer> {
  const loopback = await startLoopback(t, (asked): Reply | null => {
    if (asked.path === '/.well-known/oauth-protected-resource/mcp')
      return {
        body: {
          resource: server.mcp,
          authorization_servers: [server.as.url],
          scopes_supported: ['read'],
          ...server.document,
        },
      };
    if (asked.path !== '/mcp') return null;
    const metadata = `resource_metadata="${server.url}/.well-known/oauth-protected-resource/mcp"`;
    const token = bearerIn(asked.headers.authorization);
    const scopes = server.refused.has(token) ? undefined : server.as.tokens.get(token);
    if (scopes === undefined) return refusalOf(server, token, metadata);
    const { id, method, params } = JSON.parse(asked.body) as {
      id: number;
      method: string;
      params: { name?: string };
    };
    if (server.broken.has(method)) return { status: 500, body: {} };
    if (method === 'initialize')
      return {
        headers: { 'mcp-session-id': 'of-the-server' },
        body: { jsonrpc: '2.0', id, result: introduction },
      };
    const wanted = wantedFor(method, params);
    if (!wanted.every((scope) => scopes.includes(scope))) return scopesWanted(wanted, metadata);
    return {
      body: { jsonrpc: '2.0', id, result: { resultType: 'complete', ...resultOf(method, token, server) } },
    };
  });
  const wantedFor = (method: string, { name = '' }: { readonly name?: string }): readonly string[] =>
    method === 'tools/call' ? (server.wants[name] ?? []) : [];
  const server: FakeServer = {
    ...loopback,
    mcp: `${loopback.url}/mcp`,
    as: first,
    document: {},
    wants: {},
    refused: new Set(),
    refusal: 401,
    broken: new Set(),
    toolsFor: () => [{ name: 'whoami', inputSchema: { type: 'object' } }],
  };
  return server;
}

function refusalOf({ refusal }: FakeServer, token: string, metadata: string): Reply {
  return token !== '' && refusal !== 401
    ? { status: refusal, body: { error: 'server_error' } }
    : { status: 401, headers: { 'www-authenticate': `Bearer ${metadata}` }, body: {} };
}

function bearerIn(authorization: string | undefined): string {
  return /^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '';
}

function scopesWanted(wanted: readonly string[], metadata: string): Reply {
  const challenge = `Bearer error="insufficient_scope", scope="${wanted.join(' ')}", ${metadata}`;
  return { status: 403, headers: { 'www-authenticate': challenge }, body: {} };
}

const introduction = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  serverInfo: { name: 's', version: '1' },
};

function resultOf(method: string, token: string, { toolsFor }: FakeServer): Json {
  if (method === 'server/discover') return { supportedVersions: ['2026-07-28'] };
  if (method === 'tools/list') return { tools: toolsFor(token) };
  return method === 'tools/call' ? { content: [{ type: 'text', text: token }], isError: false } : {};
}

export async function mitOf(app: TestApp, userId: string): Promise<Record<string, string>> {
  const { body } = await app.call('POST', '/v1/identity/token', { body: { user_id: userId } });
  return { authorization: `Bearer ${String(body.access_token)}` };
}

export type Invitation = { readonly id: string; readonly auth_url: string; readonly expires_at: string };

/** The session that came with a refusal. */
export function invitationOf(reply: TestReply): Invitation {
  const { session } = (reply.body.detail ?? {}) as { session?: Invitation };
  if (reply.status !== 403 || session === undefined)
    throw new Error(`no session: ${reply.status} ${reply.text}`);
  return session;
}

/** The user follows a link and agrees to everything. */
export async function agree(authUrl: string): Promise<Page> {
  const browser = createBrowser();
  return browser.submit(await browser.open(authUrl));
}

export type ProtectedWorld = { app: McpTestApp; as: FakeAs; server: FakeServer; ann: Record<string, string> };

/** The service, the protected server `s` behind it, the authorization server of that, and ann's own headers. */
export async function startProtectedWorld(t: TestContext, options: AppOptions = {}): Promise<ProtectedWorld> {
  const as = await startAs(t);
  const server = await startProtected(t, as);
  const app = await bootMcp(t, options);
  await app.add('s', server.mcp);
  return { app, as, server, ann: await mitOf(app, 'ann') };
}
