import type * as oauth from 'oauth4webapi';
import { Problem } from '../../base/problem.ts';
import type { KnownServer, ServerTarget } from '../connections-model.ts';
import { type GrantTarget, parseServerId, serverProviderName } from '../grant-target.ts';
import { blankProvider, type Provider, requireConfigured } from '../providers/oauth-provider.ts';
import type { ProviderTable } from '../providers/provider-table.ts';
import { providerClientAuth, toClient } from './client-auth.ts';
import type { ClientRegistry } from './client-registry.ts';
import type { IssuerMetadata } from './issuer-metadata.ts';
import { DiscoveryRefusal } from './metadata-documents.ts';
import { type DiscoverServer, withOfflineAccess } from './server-discovery.ts';

/** An authorization server ready to be spoken to: its metadata (given or looked up), and us as its client. */
export type AuthorizationServer = {
  readonly provider: Provider;
  readonly metadata: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly auth: oauth.ClientAuth;
  /** What the tokens are for (RFC 8707): with MCP servers, in every request to the authorization server. */
  readonly resource: string | null;
  /** We registered there by ourselves: the row of that. */
  readonly dynamicId: string | null;
};

/** What a session asks a user for. */
export type AuthorizationTarget = GrantTarget & {
  readonly title: string | null;
  readonly scopes: readonly string[];
  /** The tokens are to be bound to a key. */
  readonly wantsDPoP: boolean;
};

/** Those who give tokens for a session, a grant or a revocation: a provider's own, or that of an MCP server. */
export type AuthorizationServers = {
  /**
   * Throws the Problem to show when it cannot be spoken to. `isLost`: a browser that went there did not come back, so that
   * our registration there has to be looked at.
   */
  open(target: GrantTarget, title?: string | null, isLost?: boolean): Promise<AuthorizationServer>;
  /** Known at all; without asking anybody. */
  isKnown(target: GrantTarget): boolean;
  titleOf(target: GrantTarget, title: string | null): string;
  /** What a session with a provider asks for. Throws not_found, invalid_request. */
  providerTarget(name: string, scopes: readonly string[] | undefined): AuthorizationTarget;
  /** Finds out how an MCP server lets users in. Throws not_found, server_gone, NoOAuth, upstream_error. */
  serverTarget(server: ServerTarget, scopes: readonly string[] | undefined): Promise<AuthorizationTarget>;
  /** It refuses us as the client we are. True: we had registered by ourselves, and the next session will anew. */
  forgetClient(server: AuthorizationServer): Promise<boolean>;
};

/** Told apart from other bad requests by the one who asked only because a server said 401. */
export class NoOAuth extends Problem {}

type Deps = {
  readonly providers: ProviderTable;
  readonly issuerMetadata: IssuerMetadata;
  readonly discoverServer: DiscoverServer;
  readonly clients: ClientRegistry;
  readonly findServer: (serverId: string) => Promise<KnownServer>;
};

export function createAuthorizationServers(deps: Deps): AuthorizationServers {
  const { providers, clients } = deps;
  const titleOf: AuthorizationServers['titleOf'] = ({ provider }, title) =>
    title ?? providers.find(provider)?.title ?? parseServerId(provider) ?? provider;
  return {
    open(target, title = null, isLost = false) {
      const serverId = parseServerId(target.provider);
      return serverId === null
        ? openProvider(deps, target.provider)
        : openServer(deps, target, { serverId, title: titleOf(target, title), isLost });
    },
    isKnown: ({ provider, issuer }) =>
      parseServerId(provider) === null ? providers.find(provider) !== undefined : issuer !== null,
    titleOf,
    providerTarget(name, asked) {
      const provider = requireConfigured(providers.get(name));
      const scopes = scopesToAsk(provider, asked);
      return { provider: name, title: null, scopes, issuer: null, resource: null, wantsDPoP: false };
    },
    serverTarget: (server, asked) =>
      findServerTarget(deps, server, asked).catch((error: unknown) => {
        throw toSignInProblem(error);
      }),
    async forgetClient({ dynamicId }) {
      if (dynamicId === null) return false;
      await clients.forget(dynamicId);
      return true;
    },
  };
}

async function openProvider({ providers, issuerMetadata }: Deps, name: string): Promise<AuthorizationServer> {
  const provider = requireConfigured(providers.get(name));
  const metadata =
    givenMetadata(provider) ??
    (await issuerMetadata(provider.issuer ?? '', { openId: true }).catch((cause: unknown) => {
      throw new Problem('upstream_error', `The metadata of ${provider.title} cannot be had`, { cause });
    }));
  const auth = await providerClientAuth(provider, metadata);
  return { provider, metadata, client: toClient(provider.clientId), auth, resource: null, dynamicId: null };
}

/** The metadata as the row gives it; null: it must be looked up. */
function givenMetadata(provider: Provider): oauth.AuthorizationServer | null {
  const { authorizationUrl, tokenUrl, revocationUrl, userinfoUrl, jwksUrl } = provider;
  if (authorizationUrl === null || tokenUrl === null) return null;
  return {
    issuer: provider.issuer ?? new URL(authorizationUrl).origin,
    authorization_endpoint: authorizationUrl,
    token_endpoint: tokenUrl,
    ...(revocationUrl === null ? {} : { revocation_endpoint: revocationUrl }),
    ...(userinfoUrl === null ? {} : { userinfo_endpoint: userinfoUrl }),
    ...(jwksUrl === null ? {} : { jwks_uri: jwksUrl }),
  };
}

const asItIs: NonNullable<Provider['toStandardReply']> = (body) => body;

async function openServer(
  { providers, issuerMetadata, clients }: Deps,
  { provider: name, issuer: wanted, resource }: GrantTarget,
  {
    serverId,
    title,
    isLost,
  }: { readonly serverId: string; readonly title: string; readonly isLost: boolean },
): Promise<AuthorizationServer> {
  if (wanted === null) throw new Problem('internal', 'A session with an MCP server has no issuer');
  try {
    const metadata = await issuerMetadata(wanted);
    const ours = await (isLost ? clients.findForConsent : clients.find).call(clients, metadata, serverId);
    const clientId = ours.client.client_id;
    // What is known of a provider's sign-in holds for whoever sends users there (Google's hosted MCP servers).
    const row: Pick<Provider, 'authorizationParams' | 'offlinePrompt' | 'toStandardReply'> =
      providers.ofServer(metadata) ?? blankProvider;
    const { authorizationParams, offlinePrompt, toStandardReply = asItIs } = row;
    const issuer = metadata.issuer;
    const known = { authorizationParams, offlinePrompt, toStandardReply, issuer, clientId };
    const provider = { ...blankProvider, name, title, ...known };
    return { provider, metadata, ...ours, resource };
  } catch (error) {
    if (error instanceof Problem && error.kind === 'internal') throw error;
    const why = error instanceof DiscoveryRefusal ? `: ${error.message}` : '';
    throw new Problem('upstream_error', `${title} cannot be connected just now${why}`, { cause: error });
  }
}

async function findServerTarget(
  { findServer, discoverServer, clients }: Deps,
  { serverId, challenge, isDoubtful = false }: ServerTarget,
  asked: readonly string[] | undefined,
): Promise<AuthorizationTarget> {
  const { name, url, asks, wantsKey } = await findServer(serverId);
  if (url === null)
    throw new Problem('invalid_request', 'server_id: the server has no URL, so there is nobody to ask');
  const title = `${name} (${hostIn(url)})`;
  const ofKey = { provider: serverProviderName(serverId), issuer: null, resource: url, wantsDPoP: false };
  if (asks !== null && (wantsKey || url.includes('{'))) return { ...ofKey, title, scopes: [] };
  const found = await discoverServer(url, challenge);
  if (found === null && asks !== null) return { ...ofKey, title, scopes: [] };
  if (found === null) throw new NoOAuth('invalid_request', 'server_id: the server does not use OAuth');
  const { metadata, issuer, resource, wantsDPoP } = found;
  // Now rather than in the browser: a client that cannot be registered is no use to a user.
  await clients.findForConsent(metadata, serverId, isDoubtful);
  return {
    provider: serverProviderName(serverId),
    issuer,
    resource,
    wantsDPoP,
    title,
    scopes: asked === undefined || asked.length === 0 ? found.scopes : withOfflineAccess(asked, metadata),
  };
}

function hostIn(url: string): string {
  return /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? url;
}

function toSignInProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const why = error instanceof DiscoveryRefusal ? `: ${error.message}` : '';
  return new Problem('upstream_error', `The server's sign-in cannot be used${why}`, { cause: error });
}

/** What was asked for, and always what tells us whose account it is. */
function scopesToAsk(provider: Provider, asked: readonly string[] | undefined): string[] {
  if (asked === undefined || asked.length === 0) return [...provider.scopes];
  const identifying = provider.scopes.filter((each) => ['openid', 'email', 'offline_access'].includes(each));
  return [...new Set([...identifying, ...asked])];
}
