/**
 * The assembly: configuration -> rooms -> http. The only file that knows everybody; read it as a table of contents.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Access, createAccess, type Principal } from './access/access.ts';
import { type Clock, systemClock } from './base/clock.ts';
import { newLogId } from './base/id.ts';
import { Problem } from './base/problem.ts';
import type { Secret } from './base/secret.ts';
import { type Catalog, createCatalog, credentialColumns } from './catalog/catalog.ts';
import { checkup } from './checkup.ts';
import { type Config, describeConfig, settings } from './config.ts';
import {
  type Connections,
  connectionSeals,
  createConnections,
  type Owner,
  type RefreshLimits,
} from './connections/connections.ts';
import { createActivity } from './http/console/activity.ts';
import { createConsoleFiles } from './http/console/files.ts';
import { createConsoleSessions } from './http/console/session.ts';
import { createHttp, type HttpLimits, type Route } from './http/http.ts';
import { openApiRoute } from './http/openapi.ts';
import { activityRoutes } from './http/routes/activity.ts';
import { adminRoutes } from './http/routes/admin.ts';
import { auditRoutes } from './http/routes/audit.ts';
import { consoleRoutes } from './http/routes/console-session.ts';
import { endpointRoutes } from './http/routes/endpoint.ts';
import { identityRoutes } from './http/routes/identity.ts';
import { invocationRoutes } from './http/routes/invocations.ts';
import { mcpRoutes } from './http/routes/mcp.ts';
import { oauthClientRoutes } from './http/routes/oauth-clients.ts';
import { operationRoutes } from './http/routes/operations.ts';
import { proxyRoutes } from './http/routes/proxy.ts';
import { registryRoutes } from './http/routes/registry.ts';
import { searchRoutes } from './http/routes/search.ts';
import { serverRoutes } from './http/routes/servers.ts';
import { settingsRoutes } from './http/routes/settings.ts';
import { userRoutes } from './http/routes/users.ts';
import { webhookRoutes } from './http/routes/webhooks.ts';
import { browserRoutes } from './http/sessions/browser.ts';
import { sessionRoutes } from './http/sessions/sessions.ts';
import { createIdentity, type Identity, sealedColumns as identitySealed } from './identity/identity.ts';
import { createJobs, type Job } from './jobs/jobs.ts';
import { createMcp, type LocalServer, type Mcp, type Limits as McpLimits, trustedHosts } from './mcp/mcp.ts';
import { createOutbound, type Outbound } from './outbound/outbound.ts';
import { createProxy, type OAuthProxy, type ProxyLimits, providerGates, type Use } from './proxy/proxy.ts';
import { loadEmbedder } from './search/embedder.ts';
import { createLearning, type Learning } from './search/learning/learning.ts';
import { createOutcomeStore } from './search/learning/outcome-store.ts';
import { createEmbeddingStore } from './search/providers/embedding-store.ts';
import { createRememberingEmbedder, type Progress } from './search/providers/memory.ts';
import { providerOf } from './search/providers/provider.ts';
import { createQueryLog, type QueryLog } from './search/query-log.ts';
import { createSearch, defaultSearchConfig, type Search, type Standings } from './search/search.ts';
import type { Redis } from './storage/coordination/redis.ts';
import { openStorage, type SealedColumn, type Storage } from './storage/storage.ts';
import { createTelemetry, type Telemetry } from './telemetry/telemetry.ts';
import { loadKeys, unlockVault, type Vault } from './vault/vault.ts';
import { createWebhooks, type Webhooks, sealedColumns as webhookSeals } from './webhooks/webhooks.ts';

/** Everything below `http/`: what the commands work with too. */
export type Rooms = {
  readonly telemetry: Telemetry;
  readonly storage: Storage;
  readonly outbound: Outbound;
  readonly vault: Vault;
  readonly seals: ReturnType<Storage['seals']>;
  readonly access: Access;
  /** null without REDIS_URL. */
  readonly redis: Pick<Redis, 'isUp'> | null;
  readonly identity: Identity;
  readonly connections: Connections;
  readonly webhooks: Webhooks;
  readonly proxy: OAuthProxy;
  /** The URL others reach us by; without MCPRANK_PUBLIC_URL it is known once the server listens. */
  readonly place: { url: string };
  readonly catalog: Catalog;
  readonly search: Search;
  readonly learning: Learning;
  readonly mcp: Mcp;
  readonly queryLog: QueryLog;
  close(): Promise<void>;
};

export type App = {
  readonly url: string;
  readonly routes: readonly Route[];
  readonly rooms: Rooms;
  /** The admin key made on this very first start, to be shown once; null ever after. */
  readonly firstKey: string | null;
  /** Requests in flight finish, queues are flushed, the store is closed. */
  close(): Promise<void>;
};

export type AppOptions = {
  readonly clock?: Clock;
  readonly telemetry?: Telemetry;
  readonly limits?: HttpLimits;
  readonly mcpLimits?: Partial<McpLimits>;
  readonly refreshLimits?: Partial<RefreshLimits>;
  readonly proxyLimits?: Partial<ProxyLimits>;
  /** Servers of `--mcp-config`, and what their programs may see of our environment. */
  readonly localServers?: readonly LocalServer[];
  readonly childEnvironment?: Readonly<Record<string, string>>;
};

export const version: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

const consoleFolder = fileURLToPath(new URL('../console/dist', import.meta.url));
const starterFile = fileURLToPath(new URL('../starter/catalogue.jsonl', import.meta.url));
/** Everything that the vault sealed at rest: what a change of keys re-wraps. */
const sealedColumns: readonly SealedColumn[] = [
  ...identitySealed,
  ...connectionSeals,
  ...credentialColumns,
  ...webhookSeals,
];
const dayMs = 86_400_000;
const factsEveryMs = 30_000;
const keyUseEveryMs = 10_000;
const embeddingSayMs = 5_000;

export async function openRooms(config: Config, options: AppOptions = {}): Promise<Rooms> {
  const clock = options.clock ?? systemClock;
  const telemetry = options.telemetry ?? createTelemetry({ level: config.logLevel });
  const failed = (what: string) => (error: unknown) => telemetry.log.error(what, { error });

  const storage = await openStorage(config, clock, failed('change notices cannot be read'));
  try {
    const redis = config.redisUrl === null ? null : await connectRedis(config.redisUrl, telemetry);
    const access = createAccess({
      storage,
      clock,
      config,
      ...(redis !== null && { shared: redis }),
    });
    const outbound = createOutbound({
      allowUpstreams: [...config.allowUpstreams, ...trustedHosts(options.localServers ?? [])],
    });
    const locals = options.localServers ?? [];
    const seals = storage.seals(sealedColumns);
    const vault = await unlockVault({
      keys: loadKeys({
        configured: config.vaultKeys,
        transitToken: config.transitToken,
        dataDir: config.dataDir,
        post: outbound.request,
        warn: (file) =>
          telemetry.log.warn('the vault key lies beside the store: set MCPRANK_VAULT_KEYS', { file }),
      }),
      clock,
      seals,
    });
    const place = { url: config.publicUrl ?? `http://${config.host}:${config.port}` };
    const webhooks = createWebhooks({ storage, vault, outbound, clock, log: telemetry.log });
    const connections = createConnections({
      storage,
      outbound,
      vault,
      clock,
      log: telemetry.log,
      config: { ...config, refresh: options.refreshLimits ?? {} },
      publicUrl: () => place.url,
      findServer: async (id) => {
        const { name, remoteUrl, source } = await catalog.get(id);
        const local = source === 'config' ? locals.find((server) => server.id === id) : undefined;
        return { id, name, url: local === undefined ? remoteUrl : local.url };
      },
    });
    // Sockets of its own: downloads that take minutes leave those of token endpoints and MCP servers alone.
    const providerOutbound = createOutbound(
      { allowUpstreams: config.allowUpstreams },
      undefined,
      providerGates,
    );
    const proxy = createProxy({
      connections,
      outbound: providerOutbound,
      now: clock.now,
      publicUrl: () => place.url,
      recordUses: (uses) => recordUses(storage, uses),
      onError: failed('uses of grants are not yet in the audit trail'),
      limits: { bodyBytes: config.proxyBodyMegabytes * 1_048_576, ...options.proxyLimits },
    });
    const identity = createIdentity({
      storage,
      vault,
      clock,
      get: outbound.request,
      config: { issuer: () => place.url, signingKeys: config.signingKeys },
      connectedServices: connections.connectedServices,
      forgetConnections: (owner, actor, wholly) =>
        wholly ? connections.forgetUser(owner, actor) : connections.revokeUser(owner, actor),
    });
    const catalog = createCatalog({
      storage,
      vault,
      outbound,
      clock,
      config: { registryUrl: config.registryUrl, starterFile },
      log: telemetry.log,
    });
    const queryLog = createQueryLog({ storage, onError: failed('query log entries were lost') });
    const embedder = loadEmbedder();
    const learning = createLearning({
      store: createOutcomeStore(storage),
      embedder,
      clock,
      onError: failed('recorded outcomes cannot be read'),
    });
    const provider = embeddingsProvider(config, { storage, clock, outbound, telemetry });
    const search = createSearch({
      changesSince: catalog.changesSince,
      embedder,
      ...(provider !== null && { provider }),
      clock,
      newQueryLogId: () => newLogId('ql', clock.now()),
      recordQuery: queryLog.record,
      learnedBy: learning.seenBy,
      config: defaultSearchConfig,
      onError: failed('the search index could not be rebuilt'),
    });
    const mcp = createMcp({
      catalog,
      servers: connections.servers,
      outbound,
      tickets: vault.tickets,
      clock,
      log: telemetry.log,
      locals,
      environment: options.childEnvironment ?? {},
      limits: options.mcpLimits ?? {},
    });
    return {
      telemetry,
      storage,
      outbound,
      vault,
      seals,
      access,
      redis,
      identity,
      connections,
      webhooks,
      proxy,
      place,
      catalog,
      search,
      learning,
      mcp,
      queryLog,
      async close() {
        await Promise.all([search.close(), learning.stop(), mcp.close(), connections.close()]);
        await Promise.all([queryLog.close(), catalog.close(), access.flush(), proxy.close()]);
        await Promise.all([outbound.close(), providerOutbound.close(), redis?.close()]);
        await storage.close();
        telemetry.flush();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

export async function startApp(config: Config, options: AppOptions = {}): Promise<App> {
  const clock = options.clock ?? systemClock;
  const rooms = await openRooms(config, options);
  const { access, catalog, identity, search, storage, telemetry } = rooms;
  try {
    const firstKey = await access.ensureAdminKey(config.adminKey);
    await identity.start();
    if (config.starter) await catalog.loadStarter();
    const endpoint = async () => {
      // The SDK is a tenth of a small process's memory: loaded when the first client comes.
      const { createEndpoint } = await import('./http/endpoint/endpoint.ts');
      return createEndpoint({ ...rooms, version, now: clock.monotonic });
    };
    const publicUrl = () => rooms.place.url;
    const sessions = createConsoleSessions({ tickets: rooms.vault.tickets, publicUrl });
    const publicRoutes = [
      ...consoleRoutes({ sessions, access, version, note: (who) => noteSignIn(storage, who) }),
      ...searchRoutes(search, (owner) => standingsOf(rooms, options.localServers ?? [], owner)),
      ...invocationRoutes(catalog),
      ...serverRoutes(catalog),
      ...registryRoutes(catalog),
      ...mcpRoutes(rooms.mcp, catalog),
      ...identityRoutes(identity),
      ...sessionRoutes(rooms.connections, access),
      ...oauthClientRoutes(rooms.connections.clients),
      ...webhookRoutes(rooms.webhooks),
      ...proxyRoutes(rooms.proxy, rooms.connections),
      ...browserRoutes(rooms.connections, () => rooms.place.url),
      ...auditRoutes(storage.audit.read),
      ...userRoutes(identity),
      ...adminRoutes(access, catalog, rooms.mcp.inspect),
      ...settingsRoutes({
        settings: () => settingsOf(config),
        checkup: () => checkup(config, rooms),
        process: () => processFacts(storage),
      }),
      ...endpointRoutes(endpoint, { publicUrl, loopbackOnly: isLoopback(config.host) }),
      ...operationRoutes({ metrics: telemetry.metrics, readiness: () => readiness(rooms) }),
    ];
    const activity = createActivity(publicRoutes, clock);
    publicRoutes.push(...activityRoutes({ ...rooms, activity, now: clock.now }));
    const routes = [...publicRoutes, openApiRoute(publicRoutes, version)];
    const http = createHttp({
      routes,
      access,
      verifyUser: identity.verify,
      telemetry,
      console: { sessions, activity, files: createConsoleFiles(consoleFolder) },
      publicUrl,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });

    measure(rooms);
    catalog.onChange(search.refresh);
    rooms.learning.start();
    const loaded = search.start().then(() => updateFacts(rooms));
    const url = await http.listen(config.host, config.port);
    rooms.place.url = config.publicUrl ?? url;
    loaded.catch((error: unknown) =>
      telemetry.log.error('the first search index could not be built', { error }),
    );
    const timers = [
      repeat(factsEveryMs, () => updateFacts(rooms), telemetry),
      repeat(keyUseEveryMs, () => access.flush(), telemetry),
    ];
    const jobs = createJobs({
      leases: storage.leases,
      onError: (job, error) => reportJob(telemetry, job, error),
    });
    rooms.mcp
      .adopt()
      .catch((error: unknown) => telemetry.log.error('the MCP configuration was not taken over', { error }));
    for (const job of jobsOf(config, rooms, clock)) jobs.schedule(job);

    return {
      url,
      routes,
      rooms,
      firstKey,
      async close() {
        for (const timer of timers) clearInterval(timer);
        await http.close();
        await jobs.stop();
        await rooms.close();
      },
    };
  } catch (error) {
    await rooms.close();
    throw error;
  }
}

function noteSignIn(storage: Storage, { keyId, developerId }: Principal): Promise<void> {
  return storage.write((_trx, _notify, audit) =>
    audit({ developerId, actor: `key:${keyId}`, action: 'key.sign_in', subject: keyId }),
  );
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

function processFacts({ dialect }: Storage) {
  return {
    version,
    node: process.version,
    store: dialect,
    uptime_s: Math.round(process.uptime()),
    memory_bytes: process.memoryUsage.rss(),
  };
}

function jobsOf(
  config: Config,
  { catalog, connections, identity, mcp, queryLog, telemetry, webhooks }: Rooms,
  clock: Clock,
): Job[] {
  const jobs: Job[] = [
    {
      name: 'prune logs',
      everyMs: dayMs,
      run: async () => {
        await catalog.pruneInvocations();
        await catalog.health.prune();
        await queryLog.prune(clock.now());
        return undefined;
      },
    },
  ];
  jobs.push({
    name: 'identity',
    everyMs: 3_600_000,
    run: async () => {
      await identity.tend();
      return undefined;
    },
  });
  jobs.push({
    name: 'webhooks',
    everyMs: 2_000,
    run: async (signal) => {
      await webhooks.deliver(signal);
      return undefined;
    },
  });
  jobs.push({
    name: 'connections',
    everyMs: 15_000,
    run: async (signal) => {
      await connections.upkeep(signal);
      return undefined;
    },
  });
  if (config.probe)
    jobs.push({
      name: 'probe servers',
      everyMs: 60_000,
      run: (signal) => catalog.health.probeDue(mcp.inspect, signal),
    });
  if (config.sync)
    jobs.push({
      name: 'registry sync',
      everyMs: 3_600_000,
      run: async (signal) => {
        telemetry.log.info('registry sync', { ...(await catalog.syncOnce(signal)) });
        return undefined;
      },
    });
  return jobs;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Shared limits are worth having, not worth waiting for: it connects in the background and comes back by itself. */
async function connectRedis(url: Secret, { log, gauge, counter }: Telemetry) {
  const { openRedis } = await import('./storage/coordination/redis.ts');
  const redis = openRedis(url, (up, error) => {
    if (up) log.info('Redis is there: limits are shared');
    else log.warn('Redis is away: every process counts its own limits', { error });
  });
  gauge('redis_up', 'Whether the shared limits can be reached', () => (redis.isUp() ? 1 : 0));
  const fallbacks = counter('limits_local', 'Decisions made without the shared limits while they were away');
  return { ...redis, onFallback: () => fallbacks.inc() };
}

/** Vectors by a service or a local model; what they cost and how far they are is told. */
function embeddingsProvider(
  config: Config,
  {
    storage,
    clock,
    outbound,
    telemetry,
  }: Pick<Rooms, 'storage' | 'outbound' | 'telemetry'> & { clock: Clock },
) {
  const tokens = telemetry.counter('embedding_tokens', 'Tokens that the embeddings service counted');
  let progress: Progress = { remembered: 0, made: 0 };
  const connect = providerOf(config.embeddings, {
    apiKey: config.embeddingsKey,
    post: outbound.request,
    onTokens: (count) => tokens.inc(count),
  });
  if (connect === null) return null;
  telemetry.gauge(
    'embedded_texts',
    'Texts whose vectors the provider made since the start',
    () => progress.made,
  );
  telemetry.gauge('remembered_texts', 'Texts whose vectors were in the store', () => progress.remembered);
  return async () => {
    const embedder = await connect();
    const store = createEmbeddingStore(storage, clock);
    await store.prune(embedder.id);
    let saidAt = clock.monotonic();
    return createRememberingEmbedder(embedder, store, (now) => {
      progress = now;
      if (clock.monotonic() - saidAt < embeddingSayMs) return;
      saidAt = clock.monotonic();
      telemetry.log.info('embedding the catalogue', { by: embedder.id, ...now });
    });
  };
}

async function readiness({ search, storage }: Rooms): Promise<Record<string, boolean>> {
  const answers = await storage.ping().then(
    () => true,
    () => false,
  );
  return { index: search.ready(), store: answers };
}

/** A user's own consents, then what the operator gave everybody. */
async function standingsOf(
  { catalog, connections }: Rooms,
  locals: readonly LocalServer[],
  owner: Owner,
): Promise<Standings> {
  const [own, credentialed] = await Promise.all([
    connections.servers.standings(owner),
    catalog.credentialed(),
  ]);
  const ours = new Map(
    locals.map(({ id, headers }) => [id, Object.keys(headers).length > 0 ? 'ready' : 'open'] as const),
  );
  return (id) => own(id) ?? (credentialed.has(id) ? 'ready' : ours.get(id));
}

async function updateFacts({ catalog, search }: Rooms): Promise<void> {
  search.setFacts(await catalog.facts());
}

function measure({ connections, search, mcp, queryLog, telemetry }: Rooms): void {
  telemetry.gauge('providers_misconfigured', 'Providers that refuse us as their client', () =>
    connections.misconfigured(),
  );
  telemetry.gauge('search_servers', 'Servers in the index', () => search.stats().servers);
  telemetry.gauge('search_tools', 'Tools in the index', () => search.stats().tools);
  telemetry.gauge('search_snapshot_bytes', 'Size of the index in memory', () => search.stats().snapshotBytes);
  telemetry.gauge('mcp_upstreams', 'MCP servers that are connected, by caller', () => mcp.stats().upstreams);
  telemetry.gauge('query_log_dropped', 'Query log entries given up since the start', () =>
    queryLog.dropped(),
  );
}

function repeat(everyMs: number, act: () => Promise<void>, telemetry: Telemetry): NodeJS.Timeout {
  return setInterval(
    () => act().catch((error: unknown) => telemetry.log.error('background work failed', { error })),
    everyMs,
  ).unref();
}

/** The outside being away is news, not a fault of ours: one line, without a stack. */
function reportJob({ log }: Telemetry, job: string, error: unknown): void {
  if (error instanceof Problem)
    log.warn('a job will be tried again', { job, reason: error.detail, retry_after_ms: error.retryAfterMs });
  else log.error('a job failed', { job, error });
}

async function recordUses(storage: Storage, uses: readonly Use[]): Promise<void> {
  await storage.write(async (_trx, _notify, audit) => {
    for (const { developerId, userId, keyId, connectionId, provider, calls } of uses)
      await audit({
        developerId,
        userId,
        actor: `key:${keyId}`,
        action: 'connection.use',
        subject: connectionId,
        facts: { provider, calls },
      });
  });
}
