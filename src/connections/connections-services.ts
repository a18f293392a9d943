import type { Clock } from '../base/clock.ts';
import type { Tracing } from '../base/tracing.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { createAuthorizationServers } from './authorization-servers/authorization-servers.ts';
import { ClientRegistry } from './authorization-servers/client-registry.ts';
import { createIssuerMetadata } from './authorization-servers/issuer-metadata.ts';
import { createMetadataDocuments } from './authorization-servers/metadata-documents.ts';
import { createOAuthFetch } from './authorization-servers/oauth-fetch.ts';
import { createRefusalCheck, createServerDiscovery } from './authorization-servers/server-discovery.ts';
import { ChangeSignal } from './change-signal.ts';
import type { KnownServer, TryKey } from './connections-model.ts';
import { createDeclaredProviders } from './declared-providers.ts';
import { type AssertFor, createAssertedTokens } from './machines/asserted-tokens.ts';
import { createMachineTokens } from './machines/machine-tokens.ts';
import { createWorkloadTokens } from './machines/workload-tokens.ts';
import { createProviderTable, type ProvidersConfig } from './providers/provider-table.ts';
import { createAppSettingsStore } from './sessions/app-settings-store.ts';
import { AuthorizationRequests } from './sessions/authorization-requests.ts';
import { AuthorizationSessions } from './sessions/authorization-sessions.ts';
import { createConfirmations } from './sessions/confirmation.ts';
import { ConnectionAdmin } from './sessions/connection-admin.ts';
import { ConnectionWriter } from './sessions/connection-writer.ts';
import { ConsentFlow } from './sessions/consent-flow.ts';
import { createOwnKeys } from './sessions/own-keys.ts';
import { createLostSessions, SessionStore } from './sessions/session-store.ts';
import { FreshTokens } from './tokens/fresh-token.ts';
import { createActiveGrants, GrantStore, isOwnerTag } from './tokens/grant-store.ts';
import { createRevocationQueue } from './tokens/revocation-queue.ts';
import { createTokenEncryption } from './tokens/token-encryption.ts';
import { createTokenEndpoint } from './tokens/token-endpoint.ts';
import { defaultRefreshLimits, type RefreshLimits, TokenRefresher } from './tokens/token-refresh.ts';
import { createUserGrants } from './tokens/user-grants.ts';
import { UserTokens } from './tokens/user-tokens.ts';

export type ConnectionsDeps = {
  readonly storage: Storage;
  readonly outbound: Outbound;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly tracing?: Tracing;
  readonly config: ConnectionsConfig;
  /** Where callbacks come in; known once the server listens. */
  readonly publicUrl: () => string;
  /** An MCP server by its id. Throws not_found, server_gone. */
  readonly findServer: (serverId: string) => Promise<KnownServer>;
  readonly tryKey: TryKey;
  readonly assertFor: AssertFor;
};

export type ConnectionsConfig = ProvidersConfig & {
  readonly refresh?: Partial<RefreshLimits>;
  /** Where the platform puts tokens for us; null: nowhere. */
  readonly workloadTokens?: string | null;
};

/** Replies of authorization servers in general: nothing about them is special. */
const anyServer = {};
const registrationMs = 10_000;

/** The room's parts, each handed those that it may know. */
export function openConnectionsServices(deps: ConnectionsDeps) {
  const signal = new ChangeSignal();
  const servers = openAuthorizationServers(deps);
  const tokens = openTokens(deps, { ...servers, signal });
  const sessions = openSessions(deps, { ...servers, ...tokens, signal });
  deps.storage.subscribe('connections', (id) => {
    if (isOwnerTag(id)) return tokens.userGrants.invalidate(id);
    tokens.freshTokens.invalidate(id);
    signal.notify(id);
  });
  const declaredProviders = createDeclaredProviders({ ...deps, providers: servers.providers });
  return { ...servers, ...tokens, ...sessions, declaredProviders };
}

type Servers = ReturnType<typeof openAuthorizationServers>;
type Tokens = ReturnType<typeof openTokens>;
type Signal = { readonly signal: ChangeSignal };

function openAuthorizationServers(deps: ConnectionsDeps) {
  const { outbound, clock, config, findServer } = deps;
  const providers = createProviderTable(config);
  const oauthFetch = createOAuthFetch({ outbound, clock });
  const documents = createMetadataDocuments(outbound);
  const issuerMetadata = createIssuerMetadata(documents, clock);
  const discoverServer = createServerDiscovery({ documents, issuerMetadata });
  const clients = new ClientRegistry({
    ...deps,
    callOptions: (seen) =>
      oauthFetch(anyServer, { timeoutMs: registrationMs, ...(seen === undefined ? {} : { seen }) }),
    hasLostSession: createLostSessions(deps.storage),
    hasActiveGrants: createActiveGrants(deps.storage),
  });
  const servers = createAuthorizationServers({
    providers,
    issuerMetadata,
    discoverServer,
    clients,
    findServer,
  });
  const isRefusedByFailing = createRefusalCheck(documents);
  return { providers, oauthFetch, documents, clients, servers, isRefusedByFailing };
}

function openTokens(deps: ConnectionsDeps, parts: Servers & Signal) {
  const { providers, oauthFetch, servers, signal, isRefusedByFailing } = parts;
  const { storage, vault, clock, config } = deps;
  const random = Math.random;
  const grants = new GrantStore(storage, clock);
  const encryption = createTokenEncryption(vault, random);
  const endpoint = createTokenEndpoint(oauthFetch);
  const revocations = createRevocationQueue({ ...deps, encryption, servers, endpoint });
  const refresher = new TokenRefresher({
    ...deps,
    store: grants,
    encryption,
    endpoint,
    servers,
    signal,
    random,
    limits: { ...defaultRefreshLimits, ...config.refresh },
    discard: (row, token) => revocations.enqueue(row.developer_id, row, token),
  });
  const freshTokens = new FreshTokens({ ...deps, store: grants, encryption, refresher });
  const userGrants = createUserGrants(grants, clock.now);
  const tokens = new UserTokens({ providers, grants, freshTokens, userGrants, isRefusedByFailing, clock });
  const issuerMetadata = createIssuerMetadata(parts.documents, clock, { forUsers: false });
  const discoverServer = createServerDiscovery({ documents: parts.documents, issuerMetadata });
  const machineTokens = createMachineTokens({
    ...{ discoverServer, issuerMetadata, endpoint, clock },
    workloadTokens: createWorkloadTokens(config.workloadTokens ?? null),
  });
  const assertedTokens = createAssertedTokens({ ...deps, clients: parts.clients, discoverServer, endpoint });
  return {
    machineTokens,
    assertedTokens,
    grants,
    encryption,
    endpoint,
    revocations,
    refresher,
    freshTokens,
    userGrants,
    tokens,
  };
}

function openSessions(deps: ConnectionsDeps, parts: Servers & Tokens & Signal) {
  const { storage, clock } = deps;
  const store = new SessionStore(storage, clock);
  const appSettings = createAppSettingsStore(storage);
  const sessions = new AuthorizationSessions({ ...deps, ...parts, store, appSettings });
  const writer = new ConnectionWriter({ ...deps, ...parts, sessions: store });
  const confirmations = createConfirmations({ ...deps, store, writer });
  const ownKeys = createOwnKeys(deps);
  const consentFlow = new ConsentFlow({
    ...deps,
    ...parts,
    store,
    appSettings,
    writer,
    confirmations,
    ownKeys,
  });
  const requests = new AuthorizationRequests({ ...deps, ...parts, sessions });
  const admin = new ConnectionAdmin({
    ...deps,
    ...parts,
    store,
    writer,
    appSettings,
    confirmations,
    ownKeys,
  });
  return { store, sessions, confirmations, consentFlow, requests, admin };
}
