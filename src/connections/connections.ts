/**
 * One user's consent with one provider: session -> grant -> fresh token.
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
import type { Clock } from '../base/clock.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { SealedColumn, Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { createBell } from './bell.ts';
import { createDisconnect } from './disconnect.ts';
import { createAuthorities } from './grants/authority.ts';
import { createGrantStore } from './grants/grant-store.ts';
import { createGrants } from './grants/grants.ts';
import { createRefresher, defaultRefreshLimits, type RefreshLimits } from './grants/refresh.ts';
import { createRevocations } from './grants/revocations.ts';
import { createSealing, endOf, scopesOf } from './grants/sealing.ts';
import { createTokenCalls } from './grants/tokens.ts';
import type {
  ConnectionInfo,
  ConnectionQuery,
  ConnectionView,
  FreshToken,
  LandingPage,
  OpenedSession,
  Outcome,
  Owner,
  ProviderRoutes,
  SessionRequest,
  SessionView,
  TokenRequest,
} from './model.ts';
import { blankProvider } from './providers/provider.ts';
import { createProviders, type ProvidersConfig } from './providers/providers.ts';
import { type Clients, createClients } from './servers/clients.ts';
import { createDiscovery } from './servers/discovery.ts';
import { createHoldings } from './servers/holdings.ts';
import { createParties } from './servers/parties.ts';
import { providerOfServer, serverOf } from './servers/resource.ts';
import { createServers, type KnownServer, type Servers } from './servers/servers.ts';
import { type AppSettings, createApps } from './sessions/apps.ts';
import { createConsentPages } from './sessions/consent.ts';
import { type Confirmation, createKeeper } from './sessions/keeper.ts';
import { createSessionStore } from './sessions/session-store.ts';
import { createSessions } from './sessions/sessions.ts';
import type { GrantRow } from './tables.ts';

export type { RefreshLimits } from './grants/refresh.ts';
export type * from './model.ts';
export { parseChallenges } from './servers/challenge.ts';
export type { KnownServer, Servers } from './servers/servers.ts';
export type { AppSettings } from './sessions/apps.ts';

export type Connections = {
  providers(): readonly ProviderRoutes[];
  provider(name: string): ProviderRoutes | undefined;
  /** Throws not_found for a provider that nobody knows. */
  info(owner: Owner, provider: string): Promise<ConnectionInfo>;
  /** Throws provider_not_connected | token_expired, or upstream_error | unavailable when the provider is down and the token dead. */
  freshToken(request: TokenRequest): Promise<FreshToken>;
  /** MCP servers: a user's own token for one, how users stand, and sessions for calls that were refused. */
  readonly servers: Omit<Servers, 'target'>;
  /** Us as a client of MCP servers' authorization servers. */
  readonly clients: Omit<Clients, 'of' | 'forget'>;
  openSession(request: SessionRequest): Promise<OpenedSession>;
  session(developerId: string, id: string): Promise<SessionView>;
  waitSession(developerId: string, id: string, waitMs: number, signal: AbortSignal): Promise<SessionView>;
  confirmSession(confirmation: Confirmation): Promise<void>;
  /** The browser's pages; see their types for what each throws. */
  landing(link: string, browser: string | null): Promise<LandingPage>;
  start(input: { link: string; browser: string | null; csrf: string }): Promise<string>;
  callback(input: { provider: string; params: URLSearchParams; browser: string | null }): Promise<Outcome>;
  appSettings(developerId: string): Promise<AppSettings>;
  changeApp(developerId: string, settings: AppSettings, actor: string): Promise<void>;
  /** Every connection of a user, and every session under way; false when there was nothing. */
  revokeUser(owner: Owner, actor?: string): Promise<boolean>;
  /** The same, and the sessions that are over: nothing here names the user any more. */
  forgetUser(owner: Owner, actor?: string): Promise<boolean>;
  list(query: ConnectionQuery): Promise<readonly ConnectionView[]>;
  /** Throws not_found. */
  remove(id: string, actor: string): Promise<void>;
  /** Names of the providers whose tokens the user can use now. */
  connectedServices(owner: Owner): Promise<string[]>;
  /** Providers that refuse us as a client. */
  misconfigured(): number;
  /** The background work, for one process at a time: tells providers of revocations, forgets old sessions. */
  upkeep(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
};

export type ConnectionsConfig = ProvidersConfig & { readonly refresh?: Partial<RefreshLimits> };

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

/** Replies of authorization servers in general: nothing about them is special. */
const serversInGeneral = { ...blankProvider, name: 'mcp', title: 'MCP servers' };
const registrationMs = 10_000;
/** Over sessions are kept for the apps that poll late. */
const sessionsKeptMs = 86_400_000;

export function createConnections(deps: {
  readonly storage: Storage;
  readonly outbound: Outbound;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: ConnectionsConfig;
  /** Where callbacks come in; known once the server listens. */
  readonly publicUrl: () => string;
  /** An MCP server by its id. Throws not_found, server_gone. */
  readonly findServer: (serverId: string) => Promise<KnownServer>;
}): Connections {
  const { storage, outbound, vault, clock, log, config, publicUrl, findServer } = deps;
  const random = Math.random;
  const bell = createBell();
  const providers = createProviders(config);
  const authorities = createAuthorities({ outbound, clock });
  const calls = createTokenCalls(authorities);
  const discovery = createDiscovery({ outbound, clock });
  const clients = createClients({
    storage,
    vault,
    clock,
    publicUrl,
    options: () => authorities.options(serversInGeneral, {}, registrationMs),
  });
  const parties = createParties({ providers, authorities, discovery, clients });
  const revocations = createRevocations({ storage, vault, parties, calls, clock, log });
  const sealing = createSealing(vault, random);
  const grantStore = createGrantStore(storage, clock);
  const refresher = createRefresher({
    store: grantStore,
    sealing,
    calls,
    parties,
    clock,
    bell,
    log,
    limits: { ...defaultRefreshLimits, ...config.refresh },
    random,
    discard: (row, token) => revocations.queue(row.developer_id, row, token),
  });
  const grants = createGrants({ store: grantStore, sealing, refresher, revocations, clock, log });
  const store = createSessionStore(storage, clock);
  const apps = createApps(store);
  const keeper = createKeeper({ storage, store, grants, revocations, vault, clock });
  const holdings = createHoldings({ rows: grantStore.ofUser, endOf, now: clock.now });
  const servers = createServers({
    find: findServer,
    discovery,
    clients,
    holdings,
    grants,
    open: (request) => sessions.open(request),
    isOpen: async (developerId, id) => (await sessions.view(developerId, id)).status === 'pending',
    clock,
  });
  const sessions = createSessions({ store, apps, providers, servers, bell, clock, publicUrl });
  const pages = createConsentPages({
    store,
    keeper,
    parties,
    calls,
    vault,
    clock,
    log,
    publicUrl,
  });
  const disconnect = createDisconnect({ storage, store, grants, keeper, revocations });
  storage.subscribe('connections', (id) => {
    grants.heard(id);
    holdings.heard(id);
    bell.ring(id);
  });

  const telling = new Set<Promise<void>>();
  /** The caller need not wait for the provider, and need not come again if it is down: the rows are queued. */
  const tellProviders = () => {
    const work = revocations
      .drain()
      .catch((error: unknown) => log.warn('revocations are put off', { error }))
      .finally(() => telling.delete(work));
    telling.add(work);
  };

  const revokeUser = async (owner: Owner, actor = 'system') => {
    const found = await disconnect.user(owner, actor);
    if (found) tellProviders();
    return found;
  };

  const routes = new Map<string, ProviderRoutes>(
    providers.all().map(({ name, defaultOrigin, routes }) => [name, { name, defaultOrigin, routes }]),
  );

  return {
    providers: () => [...routes.values()],
    provider: (name) => routes.get(name),
    async info(owner, provider) {
      providers.get(provider);
      const row = await grantStore.find(owner, provider);
      const status = row?.status ?? null;
      return { provider, connected: row !== undefined, status, can_access: canAccess(row, clock.now()) };
    },
    freshToken: grants.freshToken,
    servers,
    clients,
    openSession: sessions.open,
    session: sessions.view,
    waitSession: sessions.wait,
    confirmSession: keeper.confirm,
    landing: pages.landing,
    start: pages.start,
    callback: pages.callback,
    appSettings: apps.get,
    changeApp: apps.put,
    revokeUser,
    async forgetUser(owner, actor = 'system') {
      const found = await revokeUser(owner, actor);
      return (await store.forget(owner)) || found;
    },
    list: async ({ serverId, ...query }) => {
      const named = serverId === undefined ? query : { ...query, provider: providerOfServer(serverId) };
      return (await grantStore.list(named)).map(viewOf);
    },
    async remove(id, actor) {
      await disconnect.one(id, actor);
      tellProviders();
    },
    async connectedServices(owner) {
      const rows = await grantStore.ofUser(owner);
      const usable = rows.filter((row) => serverOf(row.provider) === null && canAccess(row, clock.now()));
      return [...new Set(usable.map(({ provider }) => provider))].sort();
    },
    misconfigured: refresher.misconfigured,
    async upkeep(signal) {
      for (const row of await store.overdue(100)) {
        await store.fail(row, 'Session expired', 'system');
        await keeper.discardHeld(row);
      }
      await store.prune(clock.now() - sessionsKeptMs);
      await revocations.drain(signal);
    },
    async close() {
      await Promise.all([...telling, grants.settle()]);
    },
  };
}

function canAccess(row: GrantRow | undefined, now: number): boolean {
  return row?.status === 'active' && (row.refresh_sealed !== null || now < endOf(row));
}

function viewOf(row: GrantRow): ConnectionView {
  const iso = (ms: number) => new Date(ms).toISOString();
  const serverId = serverOf(row.provider);
  return {
    id: row.id,
    developer_id: row.developer_id,
    user_id: row.user_id,
    ...(serverId === null ? { provider: row.provider } : { provider: 'mcp', server_id: serverId }),
    account: row.account,
    label: row.label,
    status: row.status,
    scopes: scopesOf(row),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
    expires_at: row.life_ms === null ? null : iso(row.issued_at + row.life_ms),
  };
}
