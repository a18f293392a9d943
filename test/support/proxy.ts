import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createRawServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Access, Principal } from '../../src/access/access.ts';
import { proxyRoutes } from '../../src/api/proxy-routes.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Problem } from '../../src/base/problem.ts';
import type {
  AuthorizationSessions,
  FreshToken,
  ProviderApi,
  UserTokens,
} from '../../src/connections/connections.ts';
import { google } from '../../src/connections/providers/google-provider.ts';
import { toProviderApi } from '../../src/connections/providers/provider-api.ts';
import { createHttp, type HttpLimits } from '../../src/http/http.ts';
import { createOutbound } from '../../src/outbound/outbound.ts';
import { createProxy, type ProxyDeps, type Usage } from '../../src/proxy/proxy.ts';
import { createIdempotency, openStorage } from '../../src/storage/storage.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';

import { temporaryFolder, testLimits } from './app.ts';

export type Seen = {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
};

export type Upstream = {
  readonly origin: string;
  readonly seen: Seen[];
  /** Connections that were ever opened to it. */
  readonly connections: () => number;
};

type Respond = (request: Seen, reply: ServerResponse, raw: IncomingMessage) => void;

/** An API that writes down what reaches it, whole requests only. */
export async function recordingUpstream(t: TestContext, respond: Respond): Promise<Upstream> {
  const seen: Seen[] = [];
  let connections = 0;
  const server = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const one: Seen = {
      method: request.method ?? '',
      target: request.url ?? '',
      rawHeaders: request.rawHeaders,
      body: Buffer.concat(chunks).toString('latin1'),
    };
    seen.push(one);
    respond(one, reply, request);
  });
  server.on('connection', () => connections++);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: originOf(server.address()), seen, connections: () => connections };
}

/** An API of which every byte is ours to say. */
export async function rawUpstream(
  t: TestContext,
  onConnection: (socket: Socket) => void,
): Promise<{ origin: string; connections: () => number }> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createRawServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { origin: originOf(server.address()), connections: () => connections };
}

function originOf(address: AddressInfo | string | null): string {
  return `http://127.0.0.1:${(address as AddressInfo).port}`;
}

export const key = `sk_mcp_rank_${'a1'.repeat(16)}`;
const mit = 'the.mit.alice';
export const secretToken = 'ya29.the-token_of-the-user';

export type ProxyUnderTest = {
  readonly url: string;
  /** What the audit trail was told. */
  usage(): Promise<readonly Usage[]>;
  /** Raw bytes in (pieces, with a pause between), everything that came out once the other side is done. */
  raw(parts: readonly string[], gapMs?: number): Promise<string>;
  call(method: string, path: string, init?: RequestInit): Promise<Response>;
};

type Options = {
  readonly routes?: readonly ProviderApi[];
  readonly freshToken?: UserTokens['fresh'];
  readonly openSession?: AuthorizationSessions['open'];
  readonly limits?: ProxyDeps['limits'];
  readonly httpLimits?: Partial<HttpLimits>;
  readonly wait?: ProxyDeps['wait'];
};

const caller: Principal = {
  keyId: 'key_1',
  developerId: 'dev_1',
  developer: 'App',
  scopes: new Set(['proxy']),
  tier: 'enterprise',
  perMinute: 100_000,
  addresses: null,
};

/** The real server, proxy and way out; only who is calling and whose token it is are plain functions. */
export async function startProxy(
  t: TestContext,
  origin: string,
  options: Options = {},
): Promise<ProxyUnderTest> {
  const routes = options.routes ?? [
    {
      ...toProviderApi(google),
      routes: [
        { prefix: 'gmail/v1', origin },
        { prefix: 'drive/v3', origin },
        { prefix: '~gmail', origin },
      ],
    },
  ];
  const outbound = createOutbound({ allowUpstreams: ['127.0.0.1'] });
  const token: FreshToken = { connectionId: 'con_1', accessToken: secretToken, scopes: [], version: 1 };
  const recorded: Usage[] = [];
  const storage = await openStorage({ databaseUrl: null, dataDir: temporaryFolder(t) }, systemClock);
  const idempotency = createIdempotency({
    storage,
    seal: (text) => text,
    open: (text) => text,
    clock: systemClock,
    onError: () => undefined,
  });
  let url = '';
  const proxy = createProxy({
    connections: {
      providerApi: (name) => routes.find((each) => each.name === name),
      tokens: { fresh: options.freshToken ?? (async () => token) },
      sessions: { open: options.openSession ?? (() => Promise.reject(new Error('no session'))) },
    },
    outbound,
    idempotency,
    recordUsage: async (usage) => void recorded.push(...usage),
    onError: () => undefined,
    publicUrl: () => url,
    ...(options.wait === undefined ? {} : { wait: options.wait }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const access = {
    authenticate(presented: string) {
      if (presented !== key) throw new Problem('invalid_api_key', 'Missing or invalid API key');
      return caller;
    },
    admit: () => ({ allowed: true, limit: 100_000, remaining: 99_999, resetMs: 0, retryAfterMs: 0 }),
  } as unknown as Access;
  const declared = proxyRoutes(proxy, {
    providerStatus: async (_owner, provider) => ({
      provider,
      isConnected: true,
      status: 'active',
      canAccess: true,
    }),
  });
  const telemetry = createTelemetry({ level: 'silent' });
  // As in app.ts: a machine that is late says nothing about the proxy.
  const limits = { ...testLimits, ...options.httpLimits };
  const http = createHttp({
    publicUrl: () => url,
    routes: declared,
    access,
    verifyAccessToken: () => Promise.reject(new Error('no access tokens here')),
    verifyAccount: () => Promise.reject(new Error('no accounts here')),
    verifyUser: async (token, developerId) => {
      if (token !== mit) throw new Problem('invalid_token', 'The MIT is not valid');
      return { userId: 'alice', developerId, tokenId: 'tok_1', sessionId: 'ses_1', keyId: 'key_1' };
    },
    telemetry,
    limits,
  });
  url = await http.listen('127.0.0.1', 0);
  t.after(async () => {
    await http.close();
    await outbound.close();
    idempotency.close();
    await storage.close();
  });
  return {
    url,
    async usage() {
      await proxy.close();
      return recorded;
    },
    raw: (parts, gapMs = 0) => exchange(url, parts, gapMs),
    call: (method, path, init = {}) =>
      fetch(`${url}/v1/proxy/${path}`, {
        method,
        redirect: 'manual',
        ...init,
        headers: { 'x-api-key': key, authorization: `Bearer ${mit}`, ...init.headers },
      }),
  };
}

/** Writes raw bytes, waits for the other side to be done, and returns all that came. */
function exchange(url: string, parts: readonly string[], gapMs = 0): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, async () => {
      for (const part of parts) {
        if (socket.destroyed) break;
        socket.write(Buffer.from(part, 'latin1'));
        if (gapMs > 0) await new Promise((next) => setTimeout(next, gapMs));
      }
    });
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no end after: ${received}`)));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(received) : reject(error),
    );
    socket.on('close', () => resolve(received));
  });
}

/** The statuses of all replies in it. */
export const statuses = (text: string) =>
  [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]));

/** A request as raw bytes; the connection ends with its reply. */
export function rawRequest(method: string, path: string, lines: readonly string[] = [], body = ''): string {
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: proxy.test',
    `X-API-Key: ${key}`,
    `Authorization: Bearer ${mit}`,
    'Connection: close',
    ...lines,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
