/** Authorization servers as they are: real software, everything in memory, so that a restart forgets all. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { registerHooks } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';

/** Of libraries whose types say less than what they take and give. */
type Foreign = ReturnType<typeof JSON.parse>;

export type RunningServer = {
  /** Whose access token it is; null: it is none of ours (any more). */
  subjectOf(token: string): Promise<string | null>;
  stop(): Promise<void>;
};

export type RealServer = {
  readonly name: string;
  /** `server`: behind an MCP server, which leads there; `provider`: a row of the operator's. */
  readonly as: 'server' | 'provider';
  start(url: string): Promise<RunningServer>;
  /** Of a provider: its row. */
  row?(url: string): Record<string, unknown>;
  /** It gives refresh tokens. */
  readonly renews: boolean;
  /** It tells nobody but the user that it does not know a client: the second try of a user leads on. */
  readonly strandsOnce?: true;
  /** What the first call after a restart leads to. */
  readonly afterRestart: 'connect again' | 'renewed';
};

/** A port that stays the same over restarts. */
export async function freeUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

async function listen(url: string, handle: RequestListener): Promise<() => Promise<void>> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(Number(new URL(url).port), '127.0.0.1', resolve));
  return () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
}

type FetchHandler = (request: Request) => Response | Promise<Response>;

/** A handler of Request and Response, as Workers and hono have it, behind node:http. */
function overHttp(url: string, handle: FetchHandler): RequestListener {
  return async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = 'GET', headers, url: target = '/' } = incoming;
    const body = method === 'GET' || method === 'HEAD' ? {} : { body: Buffer.concat(chunks) };
    const init = { method, headers: headers as Record<string, string>, ...body };
    const reply = await handle(new Request(new URL(target, url), init));
    const fields = [...reply.headers].filter(([name]) => name !== 'set-cookie');
    for (const [name, value] of fields) outgoing.setHeader(name, value);
    const cookies = reply.headers.getSetCookie();
    if (cookies.length > 0) outgoing.setHeader('set-cookie', cookies);
    outgoing.writeHead(reply.status);
    if (reply.body === null) outgoing.end();
    else Readable.fromWeb(reply.body as never).pipe(outgoing);
  };
}

const client = { id: 'mcprank', secret: 'a-secret-of-the-client' };

/** The MCP SDK's router and bearer guard with its example provider: no refresh tokens, and 500 for a token that it does not know. */
const mcpSdk: RealServer = {
  name: "the MCP SDK's own (1.x)",
  as: 'server',
  renews: false,
  afterRestart: 'connect again',
  async start(url) {
    const { default: express } = await import('express');
    const { mcpAuthRouter } = await import('@modelcontextprotocol/sdk/server/auth/router.js');
    const { DemoInMemoryAuthProvider } = await import(
      '@modelcontextprotocol/sdk/examples/server/demoInMemoryOAuthProvider.js'
    );
    const provider = new DemoInMemoryAuthProvider();
    const app = express();
    app.use(mcpAuthRouter({ provider, issuerUrl: new URL(url), scopesSupported: ['read'] }));
    return {
      stop: await listen(url, app),
      // As its guard does: whatever it does not know is an error.
      subjectOf: async (token) => (await provider.verifyAccessToken(token)).clientId,
    };
  },
};

const mockServer: RealServer = {
  name: 'oauth2-mock-server',
  as: 'provider',
  renews: true,
  // It takes every refresh token.
  afterRestart: 'renewed',
  row: (url) => ({
    issuer: url,
    client_id: client.id,
    client_secret: client.secret,
    scopes: ['openid', 'read'],
  }),
  async start(url) {
    const { OAuth2Server } = await import('oauth2-mock-server');
    const { createLocalJWKSet, jwtVerify } = await import('jose');
    const server = new OAuth2Server();
    await server.issuer.keys.generate('RS256');
    await server.start(Number(new URL(url).port), '127.0.0.1');
    server.issuer.url = url;
    const keys = createLocalJWKSet({ keys: server.issuer.keys.toJSON() as never });
    return {
      stop: () => server.stop(),
      subjectOf: (token) =>
        jwtVerify(token, keys).then(
          ({ payload }) => payload.sub ?? null,
          () => null,
        ),
    };
  },
};

/** The library behind many an Express server, with the model that its documentation has. */
const nodeOauth: RealServer = {
  name: '@node-oauth/oauth2-server',
  as: 'provider',
  renews: true,
  afterRestart: 'connect again',
  row: (url) => ({
    client_id: client.id,
    client_secret: client.secret,
    authorization_url: `${url}/authorize`,
    token_url: `${url}/token`,
    scopes: ['read'],
  }),
  async start(url) {
    const { default: OAuth2Server } = await import('@node-oauth/oauth2-server');
    type Token = Awaited<ReturnType<typeof model.saveToken>>;
    const codes = new Map<string, Foreign>();
    const access = new Map<string, Foreign>();
    const refresh = new Map<string, Foreign>();
    const model = {
      getClient: async (id: string, secret: string | null) =>
        id === client.id && (secret === null || secret === client.secret)
          ? {
              id,
              grants: ['authorization_code', 'refresh_token'],
              redirectUris: [redirectUri.value],
            }
          : false,
      saveAuthorizationCode: async (code: Foreign, of: Foreign, user: Foreign) => {
        const saved = { ...code, client: of, user };
        codes.set(code.authorizationCode, saved);
        return saved;
      },
      getAuthorizationCode: async (code: string) => codes.get(code),
      revokeAuthorizationCode: async ({ authorizationCode }: Foreign) => codes.delete(authorizationCode),
      saveToken: async (token: Foreign, of: Foreign, user: Foreign) => {
        const saved = { ...token, client: of, user };
        access.set(token.accessToken, saved);
        refresh.set(token.refreshToken, saved);
        return saved;
      },
      getAccessToken: async (token: string) => access.get(token),
      getRefreshToken: async (token: string) => refresh.get(token),
      revokeToken: async ({ refreshToken }: Foreign) => refresh.delete(refreshToken),
      verifyScope: async () => true,
    };
    const redirectUri = { value: '' };
    const server = new OAuth2Server({ model: model as never });
    const handle: FetchHandler = async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      const input = new OAuth2Server.Request({
        method: request.method,
        headers: Object.fromEntries(request.headers),
        query: Object.fromEntries(searchParams),
        body: Object.fromEntries(new URLSearchParams(await request.text())),
      });
      const output = new OAuth2Server.Response({});
      try {
        if (pathname === '/authorize') {
          redirectUri.value = searchParams.get('redirect_uri') ?? '';
          const authenticateHandler = { handle: async () => ({ id: 'ann' }) };
          await server.authorize(input, output, { authenticateHandler });
        } else await server.token(input, output);
      } catch (error) {
        const { code = 500, name, message } = error as { code?: number; name: string; message: string };
        return Response.json({ error: name, error_description: message }, { status: code });
      }
      const { status = 200, headers, body } = output;
      if (headers?.location !== undefined) return new Response(null, { status, headers });
      return Response.json(body, { status });
    };
    return {
      stop: await listen(url, overHttp(url, handle)),
      subjectOf: async (token) => (access.get(token) as Token | undefined)?.user?.id ?? null,
    };
  },
};

/** No token_type in its replies, and any client id is as good as another. */
const openAuth: RealServer = {
  name: 'OpenAuth',
  as: 'provider',
  renews: true,
  afterRestart: 'connect again',
  row: (url) => ({
    client_id: client.id,
    client_auth: 'none',
    authorization_url: `${url}/authorize`,
    token_url: `${url}/token`,
    scopes: [],
    authorization_params: { provider: 'nobody' },
  }),
  async start(url) {
    const { issuer } = await import('@openauthjs/openauth');
    const { MemoryStorage } = await import('@openauthjs/openauth/storage/memory');
    const { createSubjects } = await import('@openauthjs/openauth/subject');
    const { createRemoteJWKSet, jwtVerify } = await import('jose');
    const anything = {
      '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
    };
    const app = issuer({
      storage: MemoryStorage(),
      subjects: createSubjects({ user: anything as never }),
      providers: {
        nobody: {
          type: 'nobody',
          init(routes: Foreign, ctx: Foreign) {
            routes.get('/authorize', (c: unknown) => ctx.success(c, { id: 'ann' }));
          },
        } as never,
      },
      ttl: { access: 3_600 },
      allow: async () => true,
      success: (ctx: Foreign) => ctx.subject('user', { id: 'ann' }),
    });
    const stop = await listen(
      url,
      overHttp(url, (request) => app.fetch(request)),
    );
    return {
      stop,
      subjectOf: (token) =>
        jwtVerify(token, createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`))).then(
          ({ payload }) => (payload.properties as { id: string }).id,
          () => null,
        ),
    };
  },
};

/** A Worker: its KV namespace is a map here, and its module of the runtime an empty class. */
const workers: RealServer = {
  name: 'workers-oauth-provider',
  as: 'server',
  renews: true,
  afterRestart: 'connect again',
  async start(url) {
    const hooks = registerHooks({
      resolve: (specifier, context, next) =>
        specifier === 'cloudflare:workers'
          ? { url: 'data:text/javascript,export class WorkerEntrypoint {}', shortCircuit: true }
          : next(specifier, context),
    });
    const { OAuthAuthorizationServer } = (await import('@cloudflare/workers-oauth-provider')) as Foreign;
    hooks.deregister();
    const server = new OAuthAuthorizationServer({
      issuer: url,
      resources: [workersResource.url],
      scopesSupported: ['read', 'offline_access'],
      clientRegistrationEndpoint: '/register',
      authorizeEndpoint: `${url}/authorize`,
      tokenEndpoint: `${url}/token`,
    });
    const env = { OAUTH_KV: memoryKv() };
    const ctx = { waitUntil: (work: Promise<unknown>) => void work, passThroughOnException: () => undefined };
    const handle: FetchHandler = async (request) => {
      if (new URL(request.url).pathname !== '/authorize') return server.fetch(request, env, ctx);
      const helpers = server.getOAuthApi(env);
      const asked = await helpers.parseAuthRequest(request);
      const { redirectTo } = await helpers.completeAuthorization({
        request: asked,
        userId: 'ann',
        metadata: {},
        scope: asked.scope,
        props: { userId: 'ann' },
      });
      return Response.redirect(redirectTo, 302);
    };
    return {
      stop: await listen(url, overHttp(url, handle)),
      async subjectOf(token) {
        const found = await server.validateToken(workersResource.url, token, env).catch(() => null);
        return found?.ok === false || found == null ? null : 'ann';
      },
    };
  },
};

/** The resource of the MCP server in front of it, which the Worker has to be told. */
export const workersResource = { url: '' };

function memoryKv() {
  const values = new Map<string, string>();
  return {
    async get(key: string, type?: string | { type: string }) {
      const value = values.get(key);
      if (value === undefined) return null;
      return (typeof type === 'string' ? type : type?.type) === 'json' ? JSON.parse(value) : value;
    },
    async put(key: string, value: string) {
      values.set(key, value);
    },
    async delete(key: string) {
      values.delete(key);
    },
    async list({ prefix = '' } = {}) {
      const keys = [...values.keys()].filter((key) => key.startsWith(prefix)).map((name) => ({ name }));
      return { keys, list_complete: true };
    },
  };
}

const betterAuth: RealServer = {
  name: 'better-auth',
  as: 'server',
  strandsOnce: true,
  renews: true,
  afterRestart: 'connect again',
  async start(url) {
    const { betterAuth: create } = await import('better-auth');
    const { memoryAdapter } = await import('better-auth/adapters/memory');
    const { mcp } = await import('better-auth/plugins');
    const tables: Record<string, Foreign[]> = {
      user: [],
      session: [],
      account: [],
      verification: [],
      oauthApplication: [],
      oauthAccessToken: [],
      oauthConsent: [],
    };
    const auth = create({
      baseURL: url,
      basePath: '/',
      secret: 'a secret of thirty-two characters, at least',
      database: memoryAdapter(tables),
      emailAndPassword: { enabled: true },
      logger: { disabled: true },
      telemetry: { enabled: false },
      rateLimit: { enabled: false },
      plugins: [mcp({ loginPage: '/login', oidcConfig: { loginPage: '/login', scopes: ['read'] } })],
    } as never) as Foreign;
    const { headers } = await auth.api.signUpEmail({
      body: { email: 'ann@example.test', password: 'a long password', name: 'ann' },
      returnHeaders: true,
    });
    const cookie = headers
      .getSetCookie()
      .map((line: string) => line.split(';')[0])
      .join('; ');
    const handle: FetchHandler = (request) => {
      // The user is signed in there already.
      if (new URL(request.url).pathname.endsWith('/authorize')) request.headers.set('cookie', cookie);
      return auth.handler(request);
    };
    return {
      stop: await listen(url, overHttp(url, handle)),
      subjectOf: async (token) =>
        tables.oauthAccessToken?.some(({ accessToken }) => accessToken === token) === true ? 'ann' : null,
    };
  },
};

const oidcProvider: RealServer = {
  name: 'oidc-provider',
  as: 'server',
  renews: true,
  afterRestart: 'connect again',
  async start(url) {
    const { default: Provider } = await import('oidc-provider');
    const { warn, info } = console;
    console.warn = console.info = () => undefined;
    const provider = new Provider(url, {
      clients: [],
      scopes: ['openid', 'offline_access'],
      features: {
        devInteractions: { enabled: false },
        registration: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => [],
          useGrantedResource: () => false,
          getResourceServerInfo: (_ctx, resource) => ({
            scope: 'read',
            audience: resource,
            accessTokenTTL: 3_600,
            accessTokenFormat: 'opaque',
          }),
        },
      },
      findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
      interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
      cookies: { keys: ['a cookie key for tests'] },
      ttl: { AccessToken: 3_600, Grant: 86_400, Interaction: 600, RefreshToken: 86_400, Session: 86_400 },
    });
    console.warn = warn;
    console.info = info;
    const callback = provider.callback();
    const stop = await listen(url, async (request, response) => {
      if (!(request.url ?? '').startsWith('/interaction/')) return callback(request, response);
      const { prompt, params, session } = await provider.interactionDetails(request, response);
      if (prompt.name === 'login')
        return provider.interactionFinished(request, response, { login: { accountId: 'ann' } });
      const grant = new provider.Grant({
        accountId: session?.accountId ?? '',
        clientId: String(params.client_id),
      });
      grant.addOIDCScope(String(params.scope));
      grant.addResourceScope(String(params.resource), 'read');
      return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
    });
    return {
      stop,
      subjectOf: async (token) => (await provider.AccessToken.find(token))?.accountId ?? null,
    };
  },
};

export const realServers: readonly RealServer[] = [
  oidcProvider,
  mcpSdk,
  betterAuth,
  workers,
  mockServer,
  nodeOauth,
  openAuth,
];
