import { fileURLToPath } from 'node:url';
import { type Access, createAccess, operatorDeveloper } from '../access/access.ts';
import { keyActor } from '../base/actor.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { createUuids } from '../base/id.ts';
import { type Catalog, createCatalog, credentialColumns } from '../catalog/catalog.ts';
import type { Config } from '../config.ts';
import {
  type Connections,
  connectionSeals,
  createConnections,
  type RefreshLimits,
} from '../connections/connections.ts';
import { type HttpLimits, runListener } from '../http/http.ts';
import { createIdentity, type Identity, sealedColumns as identitySealed } from '../identity/identity.ts';
import {
  createMcp,
  type LocalServer,
  LocalServerList,
  type Mcp,
  type Limits as McpLimits,
  type PoolLimits,
} from '../mcp/mcp.ts';
import { createOutbound, type Outbound } from '../outbound/outbound.ts';
import {
  type Approvals,
  approvalSeals,
  type Budgets,
  type CallLog,
  createApprovals,
  createBudgets,
  createCallLog,
  createPolicy,
  type Policy,
} from '../policy/policy.ts';
import {
  createProxy,
  type OAuthProxy,
  type ProxyLimits,
  providerLimits,
  type Usage,
} from '../proxy/proxy.ts';
import { createLearning, type Learning } from '../search/learning/learning.ts';
import { createOutcomeStore } from '../search/learning/outcome-store.ts';
import { createQueryLog, type QueryLog } from '../search/query-log/query-log.ts';
import {
  createSearch,
  defaultSearchConfig,
  type Embedder,
  loadBuiltInEmbedder,
  type Search,
} from '../search/search.ts';
import { accountSeals, type CompanyConfig, createSignIn, type SignIn } from '../sign-in/sign-in.ts';
import type { Redis } from '../storage/coordination/redis.ts';
import {
  createIdempotency,
  type Idempotency,
  openStorage,
  type SealedColumn,
  type Storage,
} from '../storage/storage.ts';
import { createTelemetry, type Telemetry } from '../telemetry/telemetry.ts';
import { loadKeys, unlockVault, type Vault } from '../vault/vault.ts';
import { createWebhooks, type Webhooks, sealedColumns as webhookSeals } from '../webhooks/webhooks.ts';
import { type CallRecords, createCallRecords } from './call-records.ts';
import { connectRedis, createEmbeddingWork, embeddingsProvider } from './integrations.ts';
import { afterTheirRights } from './rights-first.ts';
import { createTryKey, findKnownServer } from './try-key.ts';

/** Everything below `http/`: what the commands work with too. */
export type Services = {
  readonly telemetry: Telemetry;
  readonly storage: Storage;
  readonly outbound: Outbound;
  /** To the providers' APIs, and to whatever strangers name: nothing is trusted here that the operator did not allow to all. */
  readonly providerOutbound: Outbound;
  readonly vault: Vault;
  readonly seals: ReturnType<Storage['seals']>;
  readonly access: Access;
  readonly policy: Policy;
  readonly callLog: CallLog;
  readonly callRecords: CallRecords;
  readonly approvals: Approvals;
  readonly budgets: Budgets;
  /** null without REDIS_URL. */
  readonly redis: Pick<Redis, 'isUp' | 'fault'> | null;
  readonly identity: Identity;
  readonly connections: Connections;
  readonly signIn: SignIn;
  /** Throws `invalid_api_key` where a key, or the account of whoever signed in without one, may nothing any more. */
  readonly requireCaller: (keyId: string) => Promise<void>;
  readonly webhooks: Webhooks;
  readonly idempotency: Idempotency;
  readonly proxy: OAuthProxy;
  /** The URL others reach us by; without MCPRANK_PUBLIC_URL it is known once the server listens. */
  /** Load balancers are told before anything closes. */
  readonly shutdown: { hasBegun: boolean };
  readonly baseUrl: { url: string };
  readonly catalog: Catalog;
  readonly search: Search;
  readonly learning: Learning;
  readonly mcp: Mcp;
  /** The operator's own servers, as they are now. */
  readonly locals: LocalServerList;
  readonly queryLog: QueryLog;
  close(): Promise<void>;
};

export type AppOptions = {
  readonly clock?: Clock;
  readonly telemetry?: Telemetry;
  readonly limits?: HttpLimits;
  readonly mcpLimits?: Partial<McpLimits>;
  readonly mcpPool?: Partial<PoolLimits>;
  readonly refreshLimits?: Partial<RefreshLimits>;
  readonly proxyLimits?: Partial<ProxyLimits>;
  /** In place of the committed table, which takes a while to read. */
  readonly embedder?: Embedder;
  /** Servers of `--mcp-config`, and what their programs may see of our environment. */
  readonly localServers?: readonly LocalServer[];
  readonly childEnvironment?: Readonly<Record<string, string>>;
  /** Where `${NAME}` in the file of MCPRANK_CONFIG comes from. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** There is no store yet; what this throws is thrown before one is made. */
  readonly onNewStore?: (place: string) => void;
};

const starterFile = fileURLToPath(new URL('../../starter/catalogue.jsonl', import.meta.url));
/** Everything that the vault sealed at rest: what a change of keys re-wraps. */
const sealedColumns: readonly SealedColumn[] = [
  ...identitySealed,
  ...connectionSeals,
  ...credentialColumns,
  ...webhookSeals,
  ...approvalSeals,
  ...accountSeals,
];

export async function openServices(config: Config, options: AppOptions = {}): Promise<Services> {
  const foundation = await openFoundation(config, options);
  try {
    const finding = openFinding(foundation, config, options, () => acting.policy);
    const acting = openActing(foundation, config, options, { ...finding, mcp: () => mcp });
    const callRecords = createCallRecords({ ...acting, ...finding, keeps: config.callArguments });
    const mcp = createMcp({
      onToolCall: callRecords.record,
      ...foundation,
      ...acting,
      ...finding,
      tickets: foundation.vault.sealedTokens,
      log: foundation.telemetry.log,
      tracing: foundation.telemetry.tracing,
      environment: options.childEnvironment ?? {},
      dataDir: config.dataDir,
      onLocalsChange: acting.policy.start,
      limits: options.mcpLimits ?? {},
      pool: options.mcpPool ?? {},
    });
    foundation.storage.subscribe('connections', (id) => mcp.retireConnection(id));
    const services = { ...foundation, ...finding, ...acting, callRecords, mcp };
    return { ...services, close: () => closeServices(services) };
  } catch (error) {
    await foundation.storage.close();
    throw error;
  }
}

/** What everything else stands on: the store, the way out, the vault. */
async function openFoundation(config: Config, options: AppOptions) {
  const clock = options.clock ?? systemClock;
  const telemetry = options.telemetry ?? createTelemetry({ level: config.logLevel });
  const storage = await openStorage(config, clock, {
    noticesFailed: logFailure(telemetry, 'storage.notices.failed'),
    fileChanged: (state, file) => logFileState(telemetry, state, file),
    ...(options.onNewStore !== undefined && { newStore: options.onNewStore }),
  });
  try {
    const redis = config.redisUrl === null ? null : await connectRedis(config.redisUrl, telemetry);
    const locals = new LocalServerList(options.localServers);
    const trusts = (hostname: string, port: number) => locals.trusts(hostname, port);
    const outbound = createOutbound({ ...config, trusts }, { tracing: telemetry.tracing });
    const seals = storage.seals(sealedColumns);
    const vault = await unlockVault({
      keys: loadKeys({
        configured: config.vaultKeys,
        transitToken: config.transitToken,
        dataDir: config.dataDir,
        post: outbound.request,
        warn: (file) =>
          telemetry.log.warn('vault.key.beside_store', { file, advice: 'set MCPRANK_VAULT_KEYS' }),
      }),
      clock,
      seals,
    });
    const baseUrl = { url: config.publicUrl ?? `http://${config.host}:${config.port}` };
    const shutdown = { hasBegun: false };
    return { clock, telemetry, storage, redis, locals, outbound, seals, vault, baseUrl, shutdown };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

type Foundation = Awaited<ReturnType<typeof openFoundation>>;

/** Which servers there are, and which of them fits. */
function openFinding(
  { clock, telemetry, storage, vault, outbound, locals }: Foundation,
  config: Config,
  options: AppOptions,
  policy: () => Policy,
) {
  const catalog = createCatalog({
    storage,
    vault,
    outbound,
    clock,
    config: { registryUrl: config.registryUrl, starterFile },
    log: telemetry.log,
  });
  const queryLog = createQueryLog({
    storage,
    onError: logFailure(telemetry, 'search.query_log.write_failed'),
  });
  const embedder = options.embedder ?? loadBuiltInEmbedder();
  const learning = createLearning({
    store: createOutcomeStore(storage),
    embedder,
    clock,
    onError: logFailure(telemetry, 'search.learning.read_failed'),
  });
  const embedding = createEmbeddingWork(storage.longWork);
  const provider = embeddingsProvider(config, { storage, clock, outbound, telemetry }, embedding);
  const newUuid = createUuids();
  const search = createSearch({
    changesSince: (revision) => afterTheirRights(catalog.changesSince(revision), policy()),
    embedder,
    ...(provider !== null && { provider }),
    kept: {
      shared: storage.sharedFiles,
      folder: config.dataDir,
      revisions: catalog.revisions,
      onFault(fault, error) {
        if (fault === 'outdated') telemetry.log.info('search.index.outdated');
        else telemetry.log.warn(`search.index.${fault}`, { error });
      },
    },
    clock,
    newQueryLogId: () => newUuid(clock.now()),
    recordQuery: queryLog.record,
    usageModelFor: learning.modelFor,
    isConfigured: (serverId) => locals.get(serverId) !== undefined,
    config: defaultSearchConfig,
    tracing: telemetry.tracing,
    onSwap(by) {
      embedding.end();
      telemetry.log.info('search.embedder.swapped', by);
    },
    onError: logFailure(telemetry, 'search.index.rebuild_failed'),
  });
  return { catalog, queryLog, learning, search };
}

/** Who calls, for whom, and with whose consent. */
function openActing(foundation: Foundation, config: Config, options: AppOptions, servers: Servers) {
  const rights = openRights(foundation, config, servers.catalog);
  return { ...rights, ...openConsent(foundation, rights, config, options, servers) };
}

/** Which servers there are; they can be asked once everything is open. */
type Servers = { readonly catalog: Catalog; readonly mcp: () => Mcp };

/** Who calls, and what they may. */
function openRights(
  { clock, telemetry, storage, redis, locals, vault, baseUrl }: Foundation,
  config: Config,
  catalog: Catalog,
) {
  const access = createAccess({
    storage,
    clock,
    config,
    onError: logFailure(telemetry, 'access.keys.read_failed'),
    ...(redis !== null && { shared: redis }),
  });
  const callLog = createCallLog({ storage, clock, log: telemetry.log, dataDir: config.dataDir });
  const approvals = createApprovals({
    storage,
    clock,
    vault,
    keepsArguments: config.approvalArguments,
    // The console's page of one approval.
    urlOf: (id) => `${baseUrl.url}/keys/approvals?id=${encodeURIComponent(id)}`,
    listeners: async () => {
      const keys = await access.listKeys();
      const operator = keys.find(({ developer }) => developer === operatorDeveloper);
      return operator === undefined ? [] : [operator.developerId];
    },
  });
  const budgets = createBudgets({ storage, clock });
  const policy = createPolicy({
    storage,
    clock,
    log: telemetry.log,
    operator: operatorDeveloper,
    catalogRevision: catalog.revision,
    probedTools: catalog.health.probedTools,
    definitionsOf: catalog.definitionsOf,
    operatorServers: async () =>
      new Set([
        ...locals.all().map(({ id }) => id),
        // Also those that an earlier file named: without a file they stay as they are.
        ...(await catalog.idsOf('config')),
        ...(await catalog.credentialed()),
      ]),
  });
  return { access, policy, callLog, approvals, budgets };
}

/** For whom, and with whose consent. */
function openConsent(
  { clock, telemetry, storage, locals, outbound, vault, baseUrl }: Foundation,
  { access, callLog, approvals }: ReturnType<typeof openRights>,
  config: Config,
  options: AppOptions,
  servers: Servers,
) {
  const known = { ...servers, locals };
  const webhooks = createWebhooks({ storage, vault, outbound, clock, log: telemetry.log });
  const connections = createConnections({
    storage,
    outbound,
    vault,
    clock,
    log: telemetry.log,
    tracing: telemetry.tracing,
    config: { ...config, refresh: options.refreshLimits ?? {} },
    publicUrl: () => baseUrl.url,
    findServer: (id) => findKnownServer(known, id),
    tryKey: createTryKey(known),
    assertFor: (owner, wanted) => signIn.assertFor(owner, wanted),
  });
  const { seal, open } = vault.sealedTokens;
  const idempotency = createIdempotency({
    storage,
    seal,
    open,
    clock,
    onError: logFailure(telemetry, 'storage.idempotency.write_failed'),
  });
  // Sockets of its own: downloads that take minutes leave those of token endpoints and MCP servers alone.
  const providerOutbound = createOutbound(config, { ...providerLimits, tracing: telemetry.tracing });
  const proxy = createProxy({
    connections,
    outbound: providerOutbound,
    idempotency,
    publicUrl: () => baseUrl.url,
    recordUsage: (usage) => recordUsage(storage, usage),
    onError: logFailure(telemetry, 'proxy.usage.write_failed'),
    limits: { bodyBytes: config.proxyBodyMegabytes * 1_048_576, ...options.proxyLimits },
  });
  const companyOutbound = openCompanyOutbound(config, telemetry);
  const identity = createIdentity({
    storage,
    vault,
    clock,
    get: outbound.request,
    getOfCompany: companyOutbound.request,
    config: { issuer: () => baseUrl.url, signingKeys: config.signingKeys },
    connectedServices: (owner) => connections.tokens.connectedServices(owner),
    forgetConnections: async (owner, actor, wholly) => {
      await signIn.endUser(owner, wholly);
      if (!wholly) return connections.admin.disconnectUser(owner, actor);
      await idempotency.forgetUser(owner);
      await callLog.forgetUser(owner.developerId, owner.userId);
      await approvals.forgetUser(owner.developerId, owner.userId);
      return connections.admin.forgetUser(owner, actor);
    },
  });
  const signIn: SignIn = createSignIn({
    storage,
    clock,
    access,
    identity,
    outbound: companyOutbound,
    documentOutbound: providerOutbound,
    vault,
    tickets: vault.sealedTokens,
    log: telemetry.log,
    parametersOf: connections.parametersOf,
    company: companyOf(config),
    publicUrl: () => baseUrl.url,
    runListener,
    onError: logFailure(telemetry, 'sign_in.failed'),
  });
  const requireCaller = (keyId: string) =>
    keyId.startsWith('acc_') ? signIn.requireAccount(keyId) : access.requireKey(keyId);
  const ways = { providerOutbound, companyOutbound };
  return { webhooks, connections, ...ways, idempotency, proxy, identity, signIn, requireCaller };
}

/** Where the operator says that people sign in may be a private address; for who asks there, and for nobody else. */
function openCompanyOutbound(config: Config, { tracing }: Telemetry): Outbound {
  const sso = config.ssoIssuer === null ? null : new URL(config.ssoIssuer);
  const trusts = (hostname: string, port: number) =>
    hostname === sso?.hostname && port === Number(sso.port || (sso.protocol === 'https:' ? 443 : 80));
  return createOutbound({ ...config, trusts }, { tracing });
}

function companyOf(config: Config): CompanyConfig | null {
  const { ssoIssuer: issuer, ssoClientId: clientId, ssoClientSecret: clientSecret } = config;
  if (issuer === null || clientId === null) return null;
  const { ssoGroupsClaim: groupsClaim, ssoDomains: domains, ssoDeveloper: developer } = config;
  const roles = config.ssoRoles as CompanyConfig['roles'];
  const { ssoAssertions: takesAssertions } = config;
  return { issuer, clientId, clientSecret, groupsClaim, domains, developer, roles, takesAssertions };
}

type Open = Foundation &
  ReturnType<typeof openFinding> &
  ReturnType<typeof openActing> & { readonly mcp: Mcp };

/** What works first, what it writes to next, the store last of all. */
async function closeServices(open: Open): Promise<void> {
  const { search, learning, mcp, connections, queryLog, catalog, access, proxy } = open;
  await Promise.all([search.close(), learning.stop(), mcp.close(), connections.close()]);
  // When keys were last used is no reason to leave the rest open.
  const keyUse = access.flush().catch(logFailure(open.telemetry, 'access.key_use.write_failed'));
  await Promise.all([queryLog.close(), catalog.close(), keyUse, proxy.close(), open.callLog.close()]);
  const ways = [open.outbound, open.providerOutbound, open.companyOutbound];
  await Promise.all([...ways.map((way) => way.close()), open.redis?.close()]);
  open.idempotency.close();
  await open.storage.close();
  open.telemetry.flush();
}

function logFailure({ log }: Telemetry, event: string): (error: unknown) => void {
  return (error) => log.error(event, { error });
}

/** Until it is back, or the service is restarted, nothing is written. */
function logFileState({ log }: Telemetry, state: string, file: string): void {
  if (state === 'whole') log.info('storage.file.back', { file });
  else
    log.error('storage.file.lost', {
      file,
      state,
      advice: 'writes are refused: put the file back where it was, or restart on what stands there now',
    });
}

async function recordUsage(storage: Storage, usage: readonly Usage[]): Promise<void> {
  await storage.write(async (_trx, _notify, audit) => {
    for (const { developerId, userId, keyId, connectionId, provider, calls } of usage)
      await audit({
        developerId,
        userId,
        actor: keyActor({ keyId }),
        action: 'connection.use',
        subject: connectionId,
        facts: { provider, calls },
      });
  });
}
