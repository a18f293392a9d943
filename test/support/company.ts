import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import Provider, { type Configuration, errors } from 'oidc-provider';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { TestApp } from './app.ts';
import { createBrowser } from './browser.ts';
import { quietly } from './oidc.ts';

type Someone = { readonly email: string; readonly groups: readonly string[]; readonly verified?: boolean };

export type Company = {
  readonly issuer: string;
  /** By subject; whoever is taken out may not come in any more. */
  readonly people: Map<string, Someone>;
  /** Who sits at the screen; null: they press Cancel. */
  visitor: string | null;
  /** false: requests to it break. */
  isUp: boolean;
  /** Else people can be asked about until their access token ends. */
  givesRefreshTokens: boolean;
  /** Its token endpoint answers after this. */
  tokensWait: Promise<void>;
  /** Requests to its token endpoint. */
  readonly tokenRequests: () => number;
  /** The settings of an app whose people come from here. */
  env(fields?: Record<string, string>): Record<string, string>;
  /** Tells the app that somebody signed out. */
  logOut(app: { readonly url: string }, subject: string): Promise<number>;
  /** An assertion (ID-JAG) as it would give one to a client. */
  assertion(claims: Record<string, unknown>, type?: string, life?: string | null): Promise<string>;
  /** For whom it vouches (token exchange to an ID-JAG): its client there, by the issuer. */
  readonly clientsAt: Map<string, string>;
  /** By which token of theirs it may be asked for its word. */
  vouchesBy: 'id_token' | 'refresh_token';
  /** A logout token as it would send one, its claims changed. */
  logoutToken(claims: Record<string, unknown>): Promise<string>;
};

const client = { id: 'mcprank', secret: 'company-client-secret-for-tests' };

/**
 * A company's OpenID provider (oidc-provider) with its people. `keycloak`: as a realm of Keycloak tells them, groups in a nested claim
 * of the ID token, with slashes.
 */
export async function startCompany(t: TestContext, style: 'plain' | 'keycloak' = 'plain'): Promise<Company> {
  let handle: (request: IncomingMessage, reply: ServerResponse) => unknown = () => undefined;
  let tokenRequests = 0;
  const server = createServer(async (request, reply) => {
    if (!company.isUp) return request.socket.destroy();
    if (request.url === '/token') {
      tokenRequests++;
      await company.tokensWait;
    }
    return handle(request, reply);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const people = new Map<string, Someone>([
    ['ann', { email: 'ann@example.com', groups: ['engineering', 'readers'] }],
    ['bob', { email: 'bob@example.com', groups: [] }],
    ['eve', { email: 'eve@elsewhere.example', groups: ['engineering'] }],
  ]);
  const pair = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(pair.privateKey)), kid: 'company', alg: 'RS256', use: 'sig' };
  const provider = quietly(
    () =>
      new Provider(issuer, {
        ...configuration(people, style),
        issueRefreshToken: async () => company.givesRefreshTokens,
        jwks: { keys: [jwk as never] },
      }),
  );
  const prototype = provider.Client.prototype as unknown as { redirectUriAllowed(uri: string): boolean };
  // The port of the app under test is known only after the provider's.
  prototype.redirectUriAllowed = (uri) => new URL(uri).pathname === '/sign-in/callback';
  const callback = provider.callback();
  handle = (request, reply) =>
    request.url?.startsWith('/interaction/')
      ? decide(provider, company, request, reply)
      : callback(request, reply);

  const subjectOf = async (token: string, type: string): Promise<string | undefined> => {
    if (type !== `urn:ietf:params:oauth:token-type:${company.vouchesBy}`) return undefined;
    if (company.vouchesBy === 'refresh_token') {
      const shown = await provider.RefreshToken.find(token);
      return shown?.clientId === client.id ? shown.accountId : undefined;
    }
    const shown = await jwtVerify(token, pair.publicKey, { issuer, audience: client.id }).catch(() => null);
    return shown?.payload.sub;
  };
  vouch(provider, {
    subjectOf,
    assertion: (claims) => company.assertion(claims),
    clientAt: (audience) => company.clientsAt.get(audience),
  });
  const logoutToken = async (claims: Record<string, unknown>): Promise<string> => {
    const found = (await provider.Client.find(client.id)) as never;
    const token = new provider.IdToken(
      claims as never,
      { client: found, ctx: undefined } as never,
    ) as never as {
      mask: unknown;
      set(name: string, value: unknown): void;
      issue(how: object): Promise<string>;
    };
    token.mask = Object.fromEntries(Object.keys(claims).map((name) => [name, null]));
    for (const [name, value] of Object.entries(claims)) if (name !== 'sub') token.set(name, value);
    return token.issue({ use: 'logout' });
  };
  const company: Company = {
    issuer,
    people,
    visitor: 'ann',
    isUp: true,
    givesRefreshTokens: true,
    tokensWait: Promise.resolve(),
    tokenRequests: () => tokenRequests,
    env: (fields = {}) => ({
      MCPRANK_SSO_ISSUER: issuer,
      MCPRANK_SSO_CLIENT_ID: client.id,
      MCPRANK_SSO_CLIENT_SECRET: client.secret,
      ...(style === 'keycloak' && { MCPRANK_SSO_GROUPS_CLAIM: 'realm_access.roles' }),
      ...fields,
    }),
    clientsAt: new Map(),
    vouchesBy: 'id_token',
    logoutToken,
    assertion(claims, type = 'oauth-id-jag+jwt', life = '5m') {
      const iat = Math.floor(Date.now() / 1_000);
      const all = { iss: issuer, jti: crypto.randomUUID(), email: 'ann@example.com', iat, ...claims };
      const unsigned = new SignJWT(all).setProtectedHeader({ alg: 'RS256', kid: 'company', typ: type });
      return (life === null ? unsigned : unsigned.setExpirationTime(life)).sign(pair.privateKey);
    },
    async logOut(app, subject) {
      const claims = { sub: subject, jti: crypto.randomUUID(), events: { [logoutEvent]: {} } };
      const body = new URLSearchParams({ logout_token: await logoutToken(claims) });
      const reply = await fetch(`${app.url}/sign-in/backchannel-logout`, { method: 'POST', body });
      return reply.status;
    },
  };
  return company;
}

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 8693 for an ID-JAG: its word for one of its people, who signed in at this client, towards an issuer that it knows. */
function vouch(
  provider: Provider,
  {
    subjectOf,
    assertion,
    clientAt,
  }: {
    readonly subjectOf: (token: string, type: string) => Promise<string | undefined>;
    readonly assertion: (claims: Record<string, unknown>) => Promise<string>;
    readonly clientAt: (audience: string) => string | undefined;
  },
): void {
  const params = [
    'subject_token',
    'subject_token_type',
    'requested_token_type',
    'audience',
    'resource',
    'scope',
  ];
  const handle = async (ctx: { body: unknown; oidc: { params: Record<string, string> } }) => {
    const { subject_token = '', subject_token_type: type = '', audience = '', resource } = ctx.oidc.params;
    const sub = await subjectOf(subject_token, type);
    const client_id = clientAt(audience);
    if (sub === undefined) throw new errors.InvalidGrant('subject_token');
    if (client_id === undefined) throw new errors.InvalidTarget('audience');
    ctx.body = {
      access_token: await assertion({ sub, aud: audience, client_id, resource }),
      issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
      token_type: 'N_A',
      expires_in: 300,
    };
  };
  provider.registerGrantType(exchangeGrant, handle as never, params);
}

/** Real time that can be turned forward: the provider is asked again about whoever is at work. */
export function turnedClock(): Clock & { forward(ms: number): void } {
  let ahead = 0;
  return {
    now: () => systemClock.now() + ahead,
    monotonic: () => systemClock.monotonic() + ahead,
    forward(ms) {
      ahead += ms;
    },
  };
}

/** A person signs in to the console at the company; the last page, and what their browser sends from then on. */
export async function enter(app: TestApp, company: Company, visitor: string) {
  company.visitor = visitor;
  const browser = createBrowser();
  let page = await browser.open(`${app.url}/console/sign-in`);
  for (let hops = 0; hops < 20; hops++) {
    const location = page.headers.get('location');
    if (location === null || location === '/') break;
    page = await browser.open(new URL(location, page.url).href);
  }
  const host = new URL(app.url).host;
  const value = browser.cookies.get(`${host} mcprank-console`);
  const cookie = value === undefined ? '' : `mcprank-console=${value}`;
  const who = await app.call('GET', '/console/session', { key: null, headers: { cookie } });
  const headers = { cookie, 'x-csrf-token': String(who.body.csrf), origin: app.url };
  return { page, who: who.body, headers };
}

export const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';

function configuration(people: Company['people'], style: 'plain' | 'keycloak'): Configuration {
  const claimsOf = (id: string) => {
    const { email, groups, verified = true } = people.get(id) as Someone;
    const shown =
      style === 'keycloak' ? { realm_access: { roles: groups.map((each) => `/${each}`) } } : { groups };
    return { sub: id, email, email_verified: verified, preferred_username: id, ...shown };
  };
  return {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: ['http://127.0.0.1/sign-in/callback'],
        grant_types: ['authorization_code', 'refresh_token', exchangeGrant],
        response_types: ['code'],
        // Its ID tokens name the session, which a logout may name.
        backchannel_logout_uri: 'http://127.0.0.1/sign-in/backchannel-logout',
        backchannel_logout_session_required: true,
      },
    ],
    // Keycloak says neither: its refresh tokens come without being asked for, and groups with the profile.
    scopes: style === 'keycloak' ? ['openid'] : ['openid', 'offline_access', 'groups'],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: style === 'keycloak' ? ['preferred_username', 'realm_access'] : ['preferred_username'],
      ...(style === 'plain' && { groups: ['groups'] }),
    },
    // The plain one says no more in its ID token than it has to: the rest stands at the userinfo endpoint.
    conformIdTokenClaims: style === 'plain',
    findAccount: (_ctx, id) => (people.has(id) ? { accountId: id, claims: () => claimsOf(id) } : undefined),
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    cookies: { keys: ['a cookie key for tests'] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // Said, so that it does not tell on the console that they were not.
    ttl: {
      AccessToken: 3_600,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: 3_600,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
  };
}

async function decide(
  provider: Provider,
  company: Company,
  request: IncomingMessage,
  reply: ServerResponse,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, reply);
  if (company.visitor === null)
    return provider.interactionFinished(request, reply, { error: 'access_denied' });
  if (prompt.name === 'login')
    return provider.interactionFinished(request, reply, { login: { accountId: company.visitor } });
  const grant = new provider.Grant({
    accountId: session?.accountId ?? '',
    clientId: String(params.client_id),
  });
  grant.addOIDCScope(String(params.scope));
  await provider.interactionFinished(request, reply, { consent: { grantId: await grant.save() } });
}
