import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import Provider from 'oidc-provider';
import { type TestApp, temporaryFolder } from './app.ts';
import { type Browser, createBrowser, type Page } from './browser.ts';

/** How the authorisation server behaves next; tests change it between calls. */
export type Conduct = {
  /** Who signs in. */
  account: string;
  deny: boolean;
  /** The user ticks only these; null: all that was asked for. */
  tick: readonly string[] | null;
  /** Life of access tokens, in seconds. */
  tokenSeconds: number;
  refreshTokens: boolean;
  rotate: boolean;
  /** Between what the token endpoint does and its answer. */
  delayMs: number;
  /** In place of what the token (or revocation) endpoint would answer. */
  refuse: {
    readonly status: number;
    readonly body: unknown;
    readonly headers?: Record<string, string>;
  } | null;
  /** Changes a token reply on its way out. */
  edit: ((body: Record<string, unknown>) => Record<string, unknown>) | null;
};

export type Idp = {
  readonly issuer: string;
  readonly conduct: Conduct;
  /** Requests that reached the token endpoint with a refresh token, with a code; the revocation endpoint. */
  readonly counts: { refreshes: number; codes: number; revocations: number };
  /** A row of MCPRANK_PROVIDERS. */
  row(fields?: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** Is this access token good there? */
  introspect(token: string): Promise<{ active: boolean; sub?: string; scope?: string }>;
};

const client = { id: 'mcprank', secret: 'idp-client-secret-for-tests' };
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const mark = { kid: 'k1', alg: 'ES256' };
/** A client that has a key instead of a secret. */
export const keyClient = {
  id: 'mcprank-key',
  privateJwk: { ...pair.privateKey.export({ format: 'jwk' }), ...mark },
  publicJwk: { ...pair.publicKey.export({ format: 'jwk' }), ...mark },
};
/** What Google calls the scopes that its APIs ask for. */
export const googleScopes = ['gmail.modify', 'calendar', 'drive.file'].map(
  (name) => `https://www.googleapis.com/auth/${name}`,
);
const idpScopes = ['openid', 'offline_access', 'email', 'calendar.read', 'mail.send', ...googleScopes];

/** A real authorisation server (oidc-provider) on the loopback interface: rotation and reuse detection on, nobody at the screen. */
export async function startIdp(t: TestContext): Promise<Idp> {
  const conduct: Conduct = {
    account: 'alice',
    deny: false,
    tick: null,
    tokenSeconds: 3_600,
    refreshTokens: true,
    rotate: true,
    delayMs: 0,
    refuse: null,
    edit: null,
  };
  const counts = { refreshes: 0, codes: 0, revocations: 0 };
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const server = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = quietly(() => createProvider(issuer, conduct));
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path !== '/token') return;
    const grant = (ctx as { oidc?: { params?: { grant_type?: string } } }).oidc?.params?.grant_type;
    if (grant === 'refresh_token') counts.refreshes++;
    if (grant === 'authorization_code') counts.codes++;
    // The deed is done by now: whoever does not wait for the answer has lost it.
    if (conduct.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, conduct.delayMs));
    if (conduct.edit !== null && ctx.status === 200)
      ctx.body = conduct.edit(ctx.body as Record<string, unknown>);
  });
  const callback = provider.callback();

  handle = async (request, response) => {
    const path = request.url ?? '';
    if (path.startsWith('/interaction/')) return finish(provider, conduct, request, response);
    if (path !== '/token' && path !== '/token/revocation') return callback(request, response);
    if (path === '/token/revocation') counts.revocations++;
    const { refuse } = conduct;
    if (refuse === null) return callback(request, response);
    if (path === '/token') await countGrant(request, counts);
    response.writeHead(refuse.status, { 'content-type': 'application/json', ...refuse.headers });
    response.end(typeof refuse.body === 'string' ? refuse.body : JSON.stringify(refuse.body));
  };
  return {
    issuer,
    conduct,
    counts,
    row: (fields = {}) => ({
      title: 'Test Suite',
      client_id: client.id,
      client_secret: client.secret,
      issuer,
      scopes: ['openid', 'email', 'calendar.read'],
      authorization_params: { prompt: 'consent' },
      ...fields,
    }),
    async introspect(token) {
      const reply = await fetch(`${issuer}/token/introspection`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({ token }).toString(),
      });
      return (await reply.json()) as { active: boolean };
    },
  };
}

/** The settings of an app that knows these providers. */
export function providerSettings(
  t: TestContext,
  rows: Readonly<Record<string, unknown>>,
  ...idps: readonly Idp[]
): Record<string, string> {
  const file = join(temporaryFolder(t), 'providers.json');
  writeFileSync(file, JSON.stringify(rows));
  return {
    MCPRANK_PROVIDERS: file,
    MCPRANK_STARTER: 'off',
    MCPRANK_ALLOW_UPSTREAMS: idps.map(({ issuer }) => new URL(issuer).host).join(','),
  };
}

export type Connected = { readonly sessionId: string; readonly page: Page; readonly browser: Browser };

/** The user's whole way, as a browser goes it: our page, its button, the provider, back to us. */
export async function connectUser(
  app: Pick<TestApp, 'call'>,
  session: { readonly userId: string; readonly provider: string; readonly [field: string]: unknown },
  options: { readonly key?: string; readonly browser?: Browser } = {},
): Promise<Connected> {
  const { userId, ...fields } = session;
  const { browser = createBrowser(), key } = options;
  const opened = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: userId, ...fields },
    ...(key === undefined ? {} : { key }),
  });
  if (opened.status !== 200) throw new Error(`no session: ${opened.text}`);
  const page = await browser.submit(await browser.open(String(opened.body.auth_url)));
  return { sessionId: String(opened.body.session_id), page, browser };
}

function createProvider(issuer: string, conduct: Conduct): Provider {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: ['http://127.0.0.1/v1/identity/callback/idp'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
      {
        client_id: keyClient.id,
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: { keys: [keyClient.publicJwk] },
        redirect_uris: ['http://127.0.0.1/v1/identity/callback/idp'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    scopes: idpScopes,
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.test`, email_verified: true }),
    }),
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: () => true },
      introspection: { enabled: true, allowedPolicy: () => true },
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ['a cookie key for tests'] },
    pkce: { required: () => true },
    issueRefreshToken: () => conduct.refreshTokens,
    rotateRefreshToken: () => conduct.rotate,
    ttl: {
      AccessToken: () => conduct.tokenSeconds,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: 3_600,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
  });
  // The port of the app under test is known only after the provider's; the path is what it is.
  const prototype = provider.Client.prototype as unknown as { redirectUriAllowed(uri: string): boolean };
  prototype.redirectUriAllowed = (uri) => new URL(uri).pathname.startsWith('/v1/identity/callback/');
  return provider;
}

/** The user at the provider's screens: signs in, ticks, agrees or not. */
async function finish(
  provider: Provider,
  conduct: Conduct,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login')
    return provider.interactionFinished(request, response, { login: { accountId: conduct.account } });
  if (conduct.deny)
    return provider.interactionFinished(request, response, {
      error: 'access_denied',
      error_description: '<script>alert(1)</script>',
    });
  const asked = String(params.scope).split(' ');
  const ticked = asked.filter((scope) => conduct.tick === null || conduct.tick.includes(scope));
  const grant = new provider.Grant({
    accountId: session?.accountId ?? '',
    clientId: String(params.client_id),
  });
  grant.addOIDCScope(ticked.join(' '));
  grant.rejectOIDCScope(asked.filter((scope) => !ticked.includes(scope)).join(' '));
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

async function countGrant(request: IncomingMessage, counts: Idp['counts']): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const grant = new URLSearchParams(Buffer.concat(chunks).toString()).get('grant_type');
  if (grant === 'refresh_token') counts.refreshes++;
  if (grant === 'authorization_code') counts.codes++;
}

/** It warns of its development keys on the console, which is not the place for a test's output. */
export function quietly<T>(act: () => T): T {
  const { info, warn } = console;
  console.info = () => undefined;
  console.warn = () => undefined;
  try {
    return act();
  } finally {
    console.info = info;
    console.warn = warn;
  }
}
