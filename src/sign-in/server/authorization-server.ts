/** node-oidc-provider as we set it up. Loaded with the first request that needs it: it is a tenth of a small process's memory. */
import type { EventEmitter } from 'node:events';
import Provider, { type Client, type Configuration, errors, interactionPolicy } from 'oidc-provider';
import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { isRetryable, Problem } from '../../base/problem.ts';
import type { Vault } from '../../vault/vault.ts';
import { secretDigest } from '../clients/machine-clients.ts';
import { assertionAlgorithms, authMethods, canonicalPath, defaultPath, scope } from '../resources.ts';
import type { SignInStore } from '../sign-in-store.ts';
import { acceptAssertions, type RedeemAssertion } from './assertion-grant.ts';
import { acceptMachines } from './machine-grant.ts';
import { createAdapters } from './record-adapter.ts';

/** In seconds. A refresh token is good for a month from its making, a consent for ninety days. */
const lives = {
  AccessToken: 3_600,
  AuthorizationCode: 60,
  Grant: 90 * 86_400,
  IdToken: 3_600,
  Interaction: 600,
  RefreshToken: 30 * 86_400,
  Session: 600,
};
/** Named so that they are found again and told from others' on this host; their paths are those of one request. */
const cookieNames = {
  interaction: 'mcprank-sign-in',
  resume: 'mcprank-sign-in-resume',
  session: 'mcprank-sign-in-session',
};
export const interactionCookie = cookieNames.interaction;
export const grantMs = lives.Grant * 1_000;

/** What a person is told on a page; nothing of it is secret. */
export type PageFault = {
  readonly status: number;
  readonly error: string;
  readonly description: string;
  /** Where the client wanted the browser back, and where it may have it. */
  readonly redirect?: { readonly asked: string; readonly registered: readonly string[] };
};
/** What one request tells beside its reply; put on it by `runListener`. */
export type RequestNotes = { address: string; fault?: PageFault };

type Deps = {
  readonly issuer: string;
  readonly store: SignInStore;
  readonly clock: Clock;
  readonly tickets: Vault['sealedTokens'];
  /** `asker`: the address of whoever named the URL. */
  readonly fetchDocument: (url: string | URL, asker: string) => Promise<Response>;
  /** Whether that account may have tokens still. */
  readonly isAlive: (accountId: string) => Promise<boolean>;
  readonly onError: (error: unknown) => void;
  /** Whom a client acts for that signs itself in. Throws `invalid_api_key`. */
  readonly machineAccount: (clientId: string) => Promise<string>;
  /** null: assertions are not taken. */
  readonly redeem: RedeemAssertion | null;
};

export async function createAuthorizationServer(deps: Deps): Promise<Provider> {
  const { issuer, store, clock, tickets } = deps;
  const provider = new Provider(issuer, {
    ...(await configuration(deps)),
    adapter: createAdapters({ store, clock, tickets, registrant: askerAddress }),
  });
  // Scheme and host come from us (`sign-in.ts`), whatever stands in front.
  provider.proxy = true;
  const prototype = provider.Client.prototype as { compareClientSecret(secret: string): boolean } & Client;
  prototype.compareClientSecret = function compare(this: Client, secret: string) {
    return this.clientSecret === secretDigest(secret);
  };
  acceptMachines(provider, issuer, deps.machineAccount);
  if (deps.redeem !== null) acceptAssertions(provider, issuer, deps.redeem);
  provider.on('server_error', (_ctx, error) => deps.onError(error));
  (provider as EventEmitter).on('error', deps.onError);
  return provider;
}

/** Of the request that the library answers just now. */
function askerAddress(): string {
  return notesOf(Provider.ctx?.req)?.address ?? '';
}

function notesOf(request: object | undefined): RequestNotes | undefined {
  return (request as { notes?: RequestNotes } | undefined)?.notes;
}

async function configuration({ issuer, fetchDocument, isAlive }: Deps): Promise<Configuration> {
  return {
    ...vocabulary,
    features: featuresFor(issuer),
    jwks: { keys: [await unusedKey()] },
    cookies: { names: cookieNames, long: cookie, short: cookie },
    interactions: {
      policy: askAlways(),
      url: (_ctx, { uid }) => `${issuer}/sign-in/${uid}`,
    },
    pkce: { required: () => true },
    ttl: lives,
    // Also for clients that do not ask: without, they are back at the sign-in within the hour.
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    expiresWithSession: async () => false,
    fetch: (url: string | URL) => fetchDocument(url, askerAddress()),
    fetchResponseBodyLimits: { 'client_id metadata document': 1_048_576, jwks_uri: 65_536 },
    findAccount: async (_ctx, id) =>
      (await isAlive(id).catch(asUnavailable))
        ? { accountId: id, claims: async () => ({ sub: id }) }
        : undefined,
    renderError(ctx, { error, error_description: description = error }, cause) {
      const notes = notesOf(ctx.req);
      ctx.body = '';
      if (notes === undefined) return;
      notes.fault = { status: ctx.status, error, description, ...redirectIn(ctx, cause) };
    },
  } as Configuration;
}

/** Somebody else who has to be asked is away: the client comes again. */
function asUnavailable(error: unknown): never {
  if (!(error instanceof Problem) || !isRetryable(error)) throw error;
  const unavailable = new errors.CustomOIDCProviderError('temporarily_unavailable', error.detail);
  throw Object.assign(unavailable, { status: 503, statusCode: 503 });
}

const cookie = { httpOnly: true, sameSite: 'lax' } as const;

const vocabulary = {
  clientAuthMethods: [...authMethods],
  clientDefaults: {
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    id_token_signed_response_alg: 'ES256',
  },
  enabledJWA: {
    clientAuthSigningAlgValues: [...assertionAlgorithms],
    idTokenSigningAlgValues: ['ES256'],
  },
  responseTypes: ['code'],
  scopes: ['openid', 'offline_access', scope],
  routes: {
    authorization: '/authorize',
    token: '/token',
    registration: '/register',
    revocation: '/revoke',
    introspection: '/introspect',
    jwks: '/sign-in/jwks',
  },
} as const;

function featuresFor(issuer: string): Configuration['features'] {
  const ours = (indicator: string) =>
    indicator.startsWith(`${issuer}/`) && canonicalPath(indicator.slice(issuer.length)) !== null;
  return {
    devInteractions: { enabled: false },
    dPoP: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    userinfo: { enabled: false },
    revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
    introspection: {
      enabled: true,
      allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
    },
    registration: {
      enabled: true,
      idFactory: () => newId('mcp'),
      issueRegistrationAccessToken: false,
    },
    clientIdMetadataDocument: {
      enabled: true,
      ack: 'draft-02',
      allowFetch: (_ctx, id) => URL.parse(id)?.pathname !== '/',
      cacheDuration: { min: 60, max: 86_400 },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx, _client, oneOf) => oneOf?.[0] ?? `${issuer}${defaultPath}`,
      useGrantedResource: () => true,
      getResourceServerInfo(_ctx, indicator) {
        if (!ours(indicator)) throw new errors.InvalidTarget('resource: none of this service');
        return {
          scope,
          audience: indicator,
          accessTokenTTL: lives.AccessToken,
          accessTokenFormat: 'opaque',
        };
      },
    },
  } as Configuration['features'];
}

/** One page asks for everything, each time: who it is, and whether this client may. */
function askAlways(): interactionPolicy.DefaultPolicy {
  const { Check, Prompt, base } = interactionPolicy;
  const policy = base();
  policy.clear();
  const ask = new Check('sign_in', 'a person has to sign in and agree', 'login_required', (ctx) => {
    const { result } = ctx.oidc as { result?: { login?: unknown; consent?: unknown } };
    const isDone = result?.login !== undefined && result.consent !== undefined;
    return isDone ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT;
  });
  policy.add(new Prompt({ name: 'login', requestable: true }, ask));
  policy.add(new Prompt({ name: 'consent', requestable: true }));
  return policy;
}

/** The library wants a key for ID tokens. There are none: tokens are opaque, and looked up. */
async function unusedKey() {
  const curve = { name: 'ECDSA', namedCurve: 'P-256' };
  const { privateKey } = await crypto.subtle.generateKey(curve, true, ['sign', 'verify']);
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', privateKey);
  return { kty, crv, x, y, d, use: 'sig', alg: 'ES256' };
}

function redirectIn(ctx: { readonly oidc: unknown }, cause: Error): Pick<PageFault, 'redirect'> | object {
  if (!(cause instanceof errors.InvalidRedirectUri)) return {};
  const { client, params } = ctx.oidc as { client?: Client; params?: { redirect_uri?: unknown } };
  return {
    redirect: { asked: String(params?.redirect_uri ?? ''), registered: client?.redirectUris ?? [] },
  };
}
