/**
 * One user's consent with one provider: authorization server <- tokens <- session, each folder knowing only those before it.
 * A *grant* is what a consent brought; the API calls it a connection.
 *
 * Promises: a consent is the user's own (a page of ours names app, user, provider and scopes; state, PKCE, issuer and
 * browser are checked before a code is spent) and belongs to one (developer, user, provider, account); tokens rest sealed
 * and are opened in memory only; of all processes one renews a token, the others find its result, and a process that
 * dies in mid-renewal holds nobody up for longer than its lease; what is disconnected is gone here at once, everywhere
 * within a second, and at the provider as soon as it answers.
 * When the provider is slow or down, tokens that are still good go on working and the rest is `unavailable`; a dead grant
 * is `token_expired`; when the store is down, tokens opened lately work for up to a minute; a vault that cannot open a
 * token is `internal`, never a wrong token.
 */
import type { SealedColumn } from '../storage/storage.ts';
import type { OAuthClients } from './authorization-servers/client-registry.ts';
import type { GrantRow } from './connection-rows.ts';
import type {
  Connection,
  ConnectionQuery,
  ConsentOutcome,
  ConsentPage,
  FreshToken,
  OpenedSession,
  Owner,
  ProviderStatus,
  SessionRequest,
  SessionState,
  TokenRequest,
} from './connections-model.ts';
import {
  type ConnectionsDeps,
  type ConnectionsServices,
  openConnectionsServices,
} from './connections-services.ts';
import { parseServerId, serverProviderName, splitScopes } from './grant-target.ts';
import { type ProviderApi, toProviderApi } from './providers/provider-api.ts';
import { type AppSettings, changeAppSettings, readAppSettings } from './sessions/app-settings.ts';
import type { AuthorizationRequest, ScopeRequest, ScopeStepUp } from './sessions/authorization-requests.ts';
import { sessionExpired } from './sessions/authorization-sessions.ts';
import type { Confirmation } from './sessions/confirmation.ts';
import { disconnectOne, disconnectUser } from './sessions/disconnect.ts';
import {
  getServerStates,
  getServerToken,
  type ServerConnectionState,
  type ServerToken,
  type ServerTokenRequest,
} from './tokens/server-tokens.ts';
import { endsAt } from './tokens/token-encryption.ts';

export { parseChallenges } from './authorization-servers/challenge.ts';
export type { OAuthClient, OAuthClients } from './authorization-servers/client-registry.ts';
export type * from './connections-model.ts';
export type { ProviderApi } from './providers/provider-api.ts';
export { sessionFacts } from './session-facts.ts';
export type { AppSettings } from './sessions/app-settings.ts';
export type { ServerToken } from './tokens/server-tokens.ts';
export type { RefreshLimits } from './tokens/token-refresh.ts';

export type Connections = {
  /** What the proxy has to know of a provider's API; undefined for one that nobody knows. */
  providerApi(name: string): ProviderApi | undefined;
  readonly tokens: ConnectionTokens;
  readonly sessions: ConnectionSessions;
  readonly admin: ConnectionAdmin;
  /** Us as a client of MCP servers' authorization servers. */
  readonly clients: OAuthClients;
  /** The background work, for one process at a time: tells providers of revocations, forgets old sessions. */
  runMaintenance(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
};

export type ConnectionTokens = {
  /** Throws provider_not_connected | token_expired, or upstream_error | unavailable when the provider is down and the token dead. */
  fresh(request: TokenRequest): Promise<FreshToken>;
  /** A user's own token for an MCP server. */
  forServer(request: ServerTokenRequest): Promise<ServerToken>;
  /** How a user stands with MCP servers; undefined for those that the user never connected. */
  serverStates(owner: Owner): Promise<(serverId: string) => ServerConnectionState | undefined>;
  /** Throws not_found for a provider that nobody knows. */
  providerStatus(owner: Owner, provider: string): Promise<ProviderStatus>;
  /** Names of the providers whose tokens the user can use now. */
  connectedServices(owner: Owner): Promise<string[]>;
};

export type ConnectionSessions = {
  open(request: SessionRequest): Promise<OpenedSession>;
  get(developerId: string, id: string): Promise<SessionState>;
  wait(
    developerId: string,
    id: string,
    until: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<SessionState>;
  confirm(confirmation: Confirmation): Promise<void>;
  /** The browser's pages; see `ConsentFlow` for what each throws. */
  showConsent(link: string, browser: string | null): Promise<ConsentPage>;
  startConsent(input: { link: string; browser: string | null; csrf: string }): Promise<string>;
  finishConsent(input: {
    provider: string;
    params: URLSearchParams;
    browser: string | null;
  }): Promise<ConsentOutcome>;
  /** A session for a call that an MCP server refused; null: the server does not do OAuth. */
  requestAuthorization(request: AuthorizationRequest): Promise<OpenedSession | null>;
  /** The same for one that wants more scopes than were consented to. */
  requestScopes(request: ScopeRequest): Promise<ScopeStepUp>;
};

export type ConnectionAdmin = {
  list(query: ConnectionQuery): Promise<readonly Connection[]>;
  /** Throws not_found. */
  disconnect(id: string, actor: string): Promise<void>;
  /** Every connection of a user, and every session under way; false when there was nothing. */
  disconnectUser(owner: Owner, actor?: string): Promise<boolean>;
  /** The same, and the sessions that are over: nothing here names the user any more. */
  forgetUser(owner: Owner, actor?: string): Promise<boolean>;
  appSettings(developerId: string): Promise<AppSettings>;
  changeAppSettings(
    by: { readonly developerId: string; readonly actor: string },
    settings: AppSettings,
  ): Promise<void>;
  /** Providers that refuse us as a client. */
  countMisconfigured(): number;
};

/** What the vault sealed in the room's tables. */
export const connectionSeals: readonly SealedColumn[] = [
  { table: 'connections', id: 'id', sealed: 'access_sealed' },
  { table: 'connections', id: 'id', sealed: 'refresh_sealed' },
  { table: 'connections', id: 'id', sealed: 'proof_key_sealed' },
  { table: 'oauth_sessions', id: 'id', sealed: 'flow_sealed' },
  { table: 'oauth_sessions', id: 'id', sealed: 'grant_sealed' },
  { table: 'oauth_revocations', id: 'id', sealed: 'token_sealed' },
  { table: 'oauth_clients', id: 'id', sealed: 'secret_sealed' },
];

/** Over sessions are kept for the apps that poll late. */
const sessionsKeptMs = 86_400_000;
const overduePerRun = 100;

export function createConnections(deps: ConnectionsDeps): Connections {
  const services = openConnectionsServices(deps);
  const { providers, clients, revocations, freshTokens } = services;
  const apis = new Map(providers.all().map((row) => [row.name, toProviderApi(row)]));
  return {
    providerApi: (name) => apis.get(name),
    tokens: createTokens(services),
    sessions: createSessions(services),
    admin: createAdmin(services),
    clients,
    runMaintenance: (signal) => runMaintenance(services, signal),
    async close() {
      await Promise.all([revocations.settle(), freshTokens.settle()]);
    },
  };
}

function createTokens(services: ConnectionsServices): ConnectionTokens {
  const { providers, grants, freshTokens, clock } = services;
  return {
    fresh: (request) => freshTokens.get(request),
    forServer: (request) => getServerToken({ ...services, store: grants }, request),
    serverStates: (owner) => getServerStates(services, owner),
    async providerStatus(owner, name) {
      const { name: provider } = providers.get(name);
      const row = await grants.find(owner, provider);
      const canAccess = row !== undefined && isUsable(row, clock.now());
      return { provider, isConnected: row !== undefined, status: row?.status ?? null, canAccess };
    },
    async connectedServices(owner) {
      const rows = await grants.ofUser(owner);
      const usable = rows.filter((row) => parseServerId(row.provider) === null && isUsable(row, clock.now()));
      return [...new Set(usable.map(({ provider }) => provider))].sort();
    },
  };
}

function createSessions(services: ConnectionsServices): ConnectionSessions {
  const { sessions, confirmations, consentFlow, requests } = services;
  return {
    open: (request) => sessions.open(request),
    get: (developerId, id) => sessions.get(developerId, id),
    wait: (developerId, id, until) => sessions.wait(developerId, id, until),
    confirm: confirmations.confirm,
    showConsent: (link, browser) => consentFlow.show(link, browser),
    startConsent: (input) => consentFlow.start(input),
    finishConsent: (input) => consentFlow.finish(input),
    requestAuthorization: (request) => requests.requestAuthorization(request),
    requestScopes: (request) => requests.requestScopes(request),
  };
}

function createAdmin(services: ConnectionsServices): ConnectionAdmin {
  const { grants, revocations, sessionStore, appSettings, refresher } = services;
  const disconnecting = { ...services, sessions: sessionStore };
  const disconnect = async (owner: Owner, actor = 'system') => {
    const wasConnected = await disconnectUser(disconnecting, owner, actor);
    if (wasConnected) revocations.drainBehind();
    return wasConnected;
  };
  return {
    async list({ serverId, ...query }) {
      const named = serverId === undefined ? query : { ...query, provider: serverProviderName(serverId) };
      return (await grants.list(named)).map(toConnection);
    },
    async disconnect(id, actor) {
      await disconnectOne(disconnecting, id, actor);
      revocations.drainBehind();
    },
    disconnectUser: disconnect,
    async forgetUser(owner, actor) {
      const wasConnected = await disconnect(owner, actor);
      return (await sessionStore.deleteOf(owner)) || wasConnected;
    },
    appSettings: (developerId) => readAppSettings(appSettings, developerId),
    changeAppSettings: (by, settings) => changeAppSettings(appSettings, by, settings),
    countMisconfigured: () => refresher.countMisconfigured(),
  };
}

async function runMaintenance(
  { sessionStore, confirmations, revocations, clock }: ConnectionsServices,
  signal: AbortSignal,
): Promise<void> {
  for (const row of await sessionStore.overdue(overduePerRun)) {
    await sessionStore.fail(row, sessionExpired, 'system');
    await confirmations.discardHeld(row);
  }
  await sessionStore.deleteExpired(clock.now() - sessionsKeptMs);
  await revocations.drain(signal);
}

function isUsable(row: GrantRow, now: number): boolean {
  return row.status === 'active' && (row.refresh_sealed !== null || now < endsAt(row));
}

function toConnection(row: GrantRow): Connection {
  const serverId = parseServerId(row.provider);
  return {
    id: row.id,
    developerId: row.developer_id,
    userId: row.user_id,
    provider: serverId === null ? row.provider : 'mcp',
    serverId,
    account: row.account,
    label: row.label,
    status: row.status,
    scopes: splitScopes(row.scopes),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.life_ms === null ? null : row.issued_at + row.life_ms,
  };
}
