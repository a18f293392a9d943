import type { Principal } from '../access/access.ts';
import { type Window as ActivityWindow, activityRoutes, readActivity } from '../api/activity-routes.ts';
import { appRoutes } from '../api/app-routes.ts';
import { approvalRoutes } from '../api/approval-routes.ts';
import { auditRoutes } from '../api/audit-routes.ts';
import { authorizationSessionRoutes } from '../api/authorization-session-routes.ts';
import { callRoutes } from '../api/call-routes.ts';
import { catalogAdminRoutes } from '../api/catalog-admin-routes.ts';
import { connectionRoutes } from '../api/connection-routes.ts';
import { consentRoutes } from '../api/consent-routes.ts';
import { withLeastRole } from '../api/console-roles.ts';
import { consoleRoutes } from '../api/console-session-routes.ts';
import { identityRoutes } from '../api/identity-routes.ts';
import { invocationRoutes } from '../api/invocation-routes.ts';
import { keyRoutes } from '../api/key-routes.ts';
import { createLiveActivity } from '../api/live-activity.ts';
import { machineClientRoutes } from '../api/machine-client-routes.ts';
import { mcpRoutes } from '../api/mcp-routes.ts';
import { mcpServerRoutes } from '../api/mcp-server-routes.ts';
import { createMeCookie, meRoutes } from '../api/me-routes.ts';
import { oauthClientRoutes } from '../api/oauth-client-routes.ts';
import { openApiRoute } from '../api/openapi.ts';
import { operationRoutes } from '../api/operation-routes.ts';
import { createPolicyEnforcement, type PolicyEnforcement } from '../api/policy-enforcement.ts';
import { providerRoutes } from '../api/provider-routes.ts';
import { proxyRoutes } from '../api/proxy-routes.ts';
import { registryRoutes } from '../api/registry-routes.ts';
import { searchRoutes } from '../api/search-routes.ts';
import { serverEditRoutes } from '../api/server-edit-routes.ts';
import { serverRoutes } from '../api/server-routes.ts';
import { settingsRoutes } from '../api/settings-routes.ts';
import { signInRoutes } from '../api/sign-in-routes.ts';
import { toolConfirmationRoutes } from '../api/tool-confirmation-routes.ts';
import { toolsetRoutes } from '../api/toolset-routes.ts';
import { userConnectionRoutes } from '../api/user-connection-routes.ts';
import { userRoutes } from '../api/user-routes.ts';
import { UserTools } from '../api/user-tools.ts';
import { webhookRoutes } from '../api/webhook-routes.ts';
import { workRoutes } from '../api/work-routes.ts';
import { keyActor } from '../base/actor.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { createHostCheck, createOriginCheck, isLoopbackHost } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import { type Config, describeConfig, settings } from '../config.ts';
import type { Owner } from '../connections/connections.ts';
import { diagnose } from '../diagnostics.ts';
import { createConsoleSessions } from '../http/console/console-sessions.ts';
import { createRequestStats, type RequestStats } from '../http/console/request-stats.ts';
import { createMcpServer } from '../mcp-server/mcp-server.ts';
import type { ConnectionLookup } from '../search/search.ts';
import type { Storage } from '../storage/storage.ts';
import type { AppOptions, Services } from './services.ts';

/** Every route there is, and what the console needs beside them. */
export function declareRoutes(config: Config, services: Services, options: AppOptions, version: string) {
  const { access, catalog, connections, identity, policy, search, signIn, storage, telemetry } = services;
  const clock = options.clock ?? systemClock;
  const enforcement = createPolicyEnforcement(services);
  const { mcpServer, userTools } = createMcpDoors(services, enforcement, { version, now: clock.monotonic });
  const publicUrl = () => services.baseUrl.url;
  const tickets = services.vault.sealedTokens;
  const sessions = createConsoleSessions({ tickets: services.vault.sealedTokens, publicUrl });
  const checkHost = createHostCheck(publicUrl, isLoopbackHost(config.host));
  const note = (who: SignedIn) => noteSignIn(storage, who);
  const checkUrl = (url: string) => services.outbound.checkUrl(url, { host: true });
  const toUser = (owner: Owner) => ensureUser(services, owner);
  const publicRoutes = [
    ...consoleRoutes({ sessions, access, version, checkHost, note, signIn }),
    ...searchRoutes(search, {
      viewFor: policy.viewFor,
      connectionsOf: (caller) => connectionLookup(services, caller),
      ownTools: (caller) => userTools.of(caller),
    }),
    ...invocationRoutes(catalog, enforcement),
    ...serverRoutes(catalog, enforcement),
    ...registryRoutes(catalog, (serverId) => policy.canSee(nobody, serverId)),
    ...mcpRoutes(enforcement),
    ...identityRoutes(identity),
    ...authorizationSessionRoutes(connections, enforcement),
    ...appRoutes(connections.admin, access),
    ...connectionRoutes(connections.admin, toUser),
    ...userConnectionRoutes(connections.admin, enforcement, toUser),
    ...providerRoutes(connections),
    ...oauthClientRoutes(connections.clients),
    ...webhookRoutes(services.webhooks),
    ...proxyRoutes(services.proxy, connections.tokens),
    ...consentRoutes(connections.consentFlow, publicUrl),
    ...auditRoutes(storage.audit.read),
    ...userRoutes(identity),
    ...keyRoutes(access),
    ...machineClientRoutes(signIn),
    ...catalogAdminRoutes({
      catalog,
      policy,
      checkUrl,
      probeServer: services.mcp.probe,
      probeAddress: services.mcp.probeAddress,
    }),
    ...serverEditRoutes({ catalog, policy, checkUrl, outputOf: services.mcp.outputOf }),
    ...toolsetRoutes({ policy, catalog, access }),
    ...toolConfirmationRoutes(catalog, policy),
    ...approvalRoutes(services.approvals, catalog),
    ...callRoutes(services.callLog, access),
    ...workRoutes(storage),
    ...settingsRoutes({
      settings: () => settingsOf(config),
      diagnose: () => diagnose(config, services),
      process: () => processFacts(storage, version),
    }),
    ...mcpServerRoutes(mcpServer, {
      checkHost,
      checkOrigin: createOriginCheck(publicUrl, isLoopbackHost(config.host)),
      findServer: async (caller, id) => enforcement.find(caller, id),
      findToolset: policy.admin.toolset,
    }),
    ...signInRoutes({ signIn, checkHost, sessions, note, meCookie: createMeCookie({ tickets, publicUrl }) }),
    ...meRoutes({
      signIn,
      access,
      connections,
      lastUses: (owner) => lastUses(services, owner),
      tickets,
      publicUrl,
      checkHost,
      note,
    }),
    ...operationRoutes({ checkHost, metrics: telemetry.metrics, readiness: () => readiness(services) }),
  ];
  const stats = createRequestStats(publicRoutes, clock);
  const activity = createActivity(services, stats, clock);
  publicRoutes.push(...activity.routes);
  const routes = [...publicRoutes.map(withLeastRole), openApiRoute(publicRoutes, version)];
  const closeStreams = () => {
    activity.close();
    mcpServer.closeStreams();
  };
  return { routes, sessions, stats, closeStreams };
}

function createActivity(
  { access, callLog, catalog, queryLog, telemetry }: Services,
  stats: RequestStats,
  clock: Clock,
) {
  const deps = { access, catalog, queryLog, calls: callLog.reports, stats, now: clock.now };
  const live = createLiveActivity<ActivityWindow>({
    read: (window) => readActivity(deps, window),
    onError: (error) => telemetry.log.warn('activity.live.failed', { error }),
  });
  return { routes: activityRoutes(deps, live), close: live.close };
}

/** We as an MCP server, and what its users' searches find beside what everybody's do. */
function createMcpDoors(
  services: Services,
  enforcement: PolicyEnforcement,
  { version, now }: { readonly version: string; readonly now: () => number },
) {
  const { catalog, connections, locals, search, telemetry, vault } = services;
  const connectedBy = async ({
    developerId,
    userId,
    account,
  }: {
    developerId: string;
    userId?: string | undefined;
    account?: string | undefined;
  }) => (userId === undefined ? [] : connections.tokens.connectedServers({ developerId, userId }, account));
  const generationOf = ({ developerId, userId }: { developerId: string; userId?: string | undefined }) =>
    userId === undefined ? 0 : connections.tokens.generationOf({ developerId, userId });
  const { parse } = catalog;
  const { readOwnTools } = search;
  const userTools = new UserTools({ ...enforcement, connectedBy, generationOf, parse, readOwnTools, now });
  const mcpServer = createMcpServer({
    search,
    mcp: enforcement.mcp,
    catalogFor: enforcement.catalogFor,
    findServer: enforcement.find,
    connectionsOf: (caller) => connectionLookup(services, caller),
    setUpHere: async () => (await Promise.all(setUpSources.map(catalog.idsOf))).flat(),
    connectedBy,
    generationOf,
    onConnectionsChange: ({ developerId, userId }, listener) =>
      userId === undefined ? () => undefined : connections.tokens.onChange({ developerId, userId }, listener),
    ownTools: (caller) => userTools.of(caller),
    isLocal: (serverId) => locals.get(serverId) !== undefined,
    tickets: vault.sealedTokens,
    tracing: telemetry.tracing,
    version,
    now,
  });
  return { mcpServer, userTools };
}

/** Where servers come from that somebody here configured, applied or added by hand. */
const setUpSources = ['config', 'apply', 'admin'];

/** Whoever shows no key: sees what everybody sees. */
const nobody = { keyId: '', developer: '' };

/** `userId`: whose own page it is. */
type SignedIn = Pick<Principal, 'keyId' | 'developerId'> & { readonly userId?: string };

function noteSignIn(storage: Storage, { keyId, developerId, userId }: SignedIn): Promise<void> {
  return storage.write((_trx, _notify, audit) =>
    audit({
      developerId,
      ...(userId !== undefined && { userId }),
      actor: keyActor({ keyId }),
      action: keyId.startsWith('acc_') ? 'account.sign_in' : 'key.sign_in',
      subject: keyId,
    }),
  );
}

/** Of a developer that there is. */
async function ensureUser({ access, identity }: Services, owner: Owner): Promise<void> {
  if (!(await access.hasDeveloper(owner.developerId))) throw new Problem('not_found', 'Developer not found');
  await identity.ensureUser(owner);
}

/** How far back somebody's last uses are looked for. */
const usesRead = 500;

/** By the connection's id, and of MCP servers by `server:` and their id. */
async function lastUses({ callLog, storage }: Services, owner: Owner): Promise<ReadonlyMap<string, number>> {
  const query = { ...owner, limit: usesRead };
  const [calls, trail] = await Promise.all([callLog.read(query), storage.audit.read(query)]);
  const uses = new Map<string, number>();
  // The newest come first.
  for (const { server_id: id, at } of calls) uses.set(`server:${id}`, uses.get(`server:${id}`) ?? at);
  for (const { action, subject, at } of trail)
    if (action === 'connection.use' && subject !== undefined) uses.set(subject, uses.get(subject) ?? at);
  return uses;
}

function settingsOf(config: Config) {
  const values = describeConfig(config);
  return Object.entries(settings).map(([name, { meaning, fallback }]) => ({
    name,
    value: values[name] ?? '',
    meaning,
    default: fallback,
  }));
}

function processFacts({ dialect }: Storage, version: string) {
  return {
    version,
    node: process.version,
    store: dialect,
    uptime_s: Math.round(process.uptime()),
    memory_bytes: process.memoryUsage.rss(),
  };
}

async function readiness({ search, shutdown, storage }: Services): Promise<Record<string, boolean>> {
  const answers = await storage.ping().then(
    () => true,
    () => false,
  );
  return { index: search.ready(), store: answers, ...(shutdown.hasBegun && { accepting: false }) };
}

/** A user's own consents, then what the operator gave those whose calls its credentials go with. */
async function connectionLookup(
  { catalog, connections, locals, policy }: Services,
  {
    keyId,
    developer = '',
    developerId,
    userId,
    account,
  }: {
    readonly keyId: string;
    readonly developer?: string | undefined;
    readonly developerId: string;
    readonly userId?: string | undefined;
    readonly account?: string | undefined;
  },
): Promise<ConnectionLookup> {
  const subject = { keyId, developer };
  const [own, credentialed] = await Promise.all([
    userId === undefined ? undefined : connections.tokens.serverStates({ developerId, userId }, account),
    catalog.credentialed(),
  ]);
  const ours = (id: string) => {
    const local = locals.get(id);
    if (local === undefined && !credentialed.has(id)) return undefined;
    const wanted = local === undefined || Object.keys(local.headers).length > 0;
    // A program's credentials are in its environment, whoever calls it.
    if (!wanted || local?.program) return wanted ? 'ready' : 'open';
    return policy.mayUseCredentials(subject, id) ? 'ready' : undefined;
  };
  return (id) => own?.(id) ?? ours(id);
}
