/**
 * The catalog: which MCP servers there are, their tools, how much they are used, and where each came from.
 *
 * Promises: what was acknowledged is durable; a removed server stays known as gone (410), never as unknown;
 * every change has a revision, and revisions only grow, so that a reader can ask for what is new to it.
 * Whatever is read from outside (files, registries) is bounded, cleaned and scrubbed of secrets; a bad row is
 * reported and skipped. Who wrote what: a sync owns the rows it made (source 'registry'), refreshes only the
 * facts (URL, version, launch) of starter and imported rows, and never touches what the operator put or removed
 * by hand or in a file (sources 'admin', 'apply' and 'config').
 * When the store below fails, the caller gets the store's Problem and nothing is half-written; when the registry
 * fails, the sync stops after its last whole page and goes on from there next time.
 */
import type { Clock } from '../base/clock.ts';
import { JsonText } from '../base/json-text.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import type {
  CatalogChange,
  ImportOptions,
  ImportReport,
  NewInvocation,
  ParsedServer,
  PutReport,
  ServerInput,
  ServerRecord,
} from './catalog-model.ts';
import { type CatalogTables, createCatalogStore, type Facets } from './catalog-store.ts';
import { writeCredentials } from './credential-store.ts';
import { type Credential, createCredentials } from './credentials.ts';
import { createHealth, type ServerHealth } from './health/health.ts';
import { parseEntry } from './ingest/entry.ts';
import { importPath } from './ingest/import.ts';
import { parseRow } from './ingest/row-value.ts';
import { createSync, type SyncOnce } from './ingest/sync.ts';
import { createInvocations, type Invocations } from './invocations/invocations.ts';
import { createOrderStore } from './order-store.ts';
import { createServerCache } from './server-cache.ts';
import {
  type ListQuery,
  type PublicServer,
  readChanges,
  readList,
  readPublicServer,
  readPublicServers,
} from './server-pages.ts';
import { type ServerChange, type Written, writeServers } from './write-store.ts';

export type {
  AuthType,
  CatalogChange,
  CatalogServer,
  CatalogTool,
  ImportProgress,
  MachineLogin,
  ServerInput,
  ServerRecord,
  Transport,
} from './catalog-model.ts';
export { callersFaults } from './catalog-model.ts';
export { type Credential, credentialColumns } from './credentials.ts';
export type { ProbeServer } from './health/health.ts';
export type { Health, ProbeResult } from './health/health-model.ts';
export { scrubText } from './ingest/scrub.ts';
export type { PublicServer } from './server-pages.ts';
export { type KnownTool, toolNamed } from './tool-definition.ts';

export type Catalog = {
  /** Batches in revision order; a removed server comes as `server: null`. Holds no connection between batches. */
  changesSince(revision: number): AsyncIterable<readonly CatalogChange[]>;
  revision(): Promise<number>;
  /** Of every server's last change, those that are gone too. */
  revisions(): Promise<
    ReadonlyMap<string, { readonly revision: number; readonly changedAt: number; readonly gone: boolean }>
  >;
  /** Throws `not_found` or, for a removed server, `server_gone`. Served from memory where it is cached. */
  get(id: string): Promise<ServerRecord>;
  /** What `get` and `credential` answer, where memory has both; the same objects until something changes. */
  peek(id: string): { readonly record: ServerRecord; readonly credential: Credential | null } | undefined;
  /** Active servers in the order of their ids. */
  list(
    query: ListQuery,
  ): Promise<{ readonly servers: readonly ServerRecord[]; readonly nextCursor?: string }>;
  /** Servers whose facts are public, in the order of their ids; with `since` what changed from then on, removed ones too. */
  publicServers(query: {
    readonly cursor: string | undefined;
    readonly limit: number;
    readonly since: number | undefined;
    readonly search: string | undefined;
  }): Promise<{ readonly servers: readonly PublicServer[]; readonly nextCursor?: string }>;
  /** Throws `not_found` also for a server that is nobody's business. */
  publicServer(id: string): Promise<PublicServer>;
  /** Adds or replaces servers by id, in one transaction; a removed one is revived, an unchanged one keeps its revision. */
  /** `unchanged`: the record that a change was made from. Throws `conflict` where that is not what is there any more. */
  put(
    inputs: readonly ServerInput[],
    source: string,
    by?: By,
    unchanged?: Pick<ServerRecord, 'id' | 'revision'>,
  ): Promise<PutReport>;
  remove(id: string, by?: By): Promise<void>;
  importFile(path: string, options: ImportOptions): Promise<ImportReport>;
  /** One server in the catalog format or as a registry entry, refused unless all of it is right; given as JsonText, schemas keep their text. */
  parse(value: unknown): ParsedServer;
  /** Loads the starter into an empty store; null when the store is not empty. */
  loadStarter(): Promise<ImportReport | null>;
  /** Reads what is new in the registry. Throws `upstream_error` with `retryAfterMs` when it breaks; the next call goes on from there. */
  syncOnce: SyncOnce;
  /** Durable: answers after the commit. Otherwise answers at once and writes behind. */
  recordInvocation(
    invocation: NewInvocation,
    options: { readonly durable: boolean },
  ): Promise<{ readonly invocationId: string }>;
  /** Many at once that nobody waits for. */
  enqueueInvocations: Invocations['enqueue'];
  /** The popularity of every active server, 0..1, and the factor on the score of those that are not well. */
  rankingSignals(): Promise<{
    readonly popularity: ReadonlyMap<string, number>;
    readonly liveness: ReadonlyMap<string, number>;
    readonly unavailable: ReadonlySet<string>;
  }>;
  /** Calls back after each change of the catalog, by whichever process. */
  onChange(listener: () => void): void;
  /** What the operator sends along to a server; null when there is nothing. Never part of a record. */
  credential(serverId: string): Promise<Credential | null>;
  /** Active servers of one source. */
  idsOf(source: string): Promise<readonly string[]>;
  /** Servers that the operator sends something along to; memory until the catalog changes. */
  credentialed(): Promise<ReadonlySet<string>>;
  /** Whether servers are alive, how they change, and what about them is suspicious. */
  readonly health: ServerHealth;
  /** By server and tool the SHA-256 of what is said of it, as the store has it now. */
  definitionsOf(serverIds: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>>;
  /** What was called, for whoever watches. */
  readonly use: Invocations['use'];
  /** Deletes invocations older than 400 days, and the oldest beyond five million. */
  pruneInvocations(): Promise<void>;
  /** Returns when every invocation accepted so far is written. */
  flush(): Promise<void>;
  close(): Promise<void>;
  facets(asker?: string): Promise<Facets>;
  stats(
    asker?: string,
  ): Promise<{ readonly servers: number; readonly tools: number; readonly removed: number }>;
};

/** Who changes the catalog by hand, for the audit trail. */
export type By = { readonly actor: string; readonly developerId: string };

export type CatalogDeps = {
  readonly storage: Storage;
  readonly vault: Vault;
  readonly outbound: Pick<Outbound, 'request'>;
  readonly clock: Clock;
  readonly config: { readonly registryUrl: string; readonly starterFile: string };
  readonly log: Log;
};

/** At the machine itself, by a command. */
const operator: By = { actor: 'system', developerId: 'system' };

export function createCatalog(deps: CatalogDeps): Catalog {
  const { storage, clock, log } = deps;
  const store = createCatalogStore(storage);
  const serverCache = createServerCache(store, clock);
  const credentials = createCredentials(deps);
  const invocations = createInvocations({ storage, clock, log, check: serverCache.check });
  const health = createHealth({ storage, clock, log, onWrite: serverCache.refresh });
  const sync = createSync({ ...deps, onPage: serverCache.refresh });
  storage.subscribe('catalog', () => {
    serverCache.refresh().catch((error: unknown) => log.warn('catalog.refresh.failed', { error }));
  });

  const write = createWriter({ storage, clock, credentials, onWrite: serverCache.refresh });
  const readers = { store, orders: createOrderStore(storage), serverCache };
  const importFile = (path: string, options: ImportOptions) =>
    importPath(path, options, { write, idsOf: store.idsOf });

  return {
    changesSince: (revision) => readChanges(readers, revision),
    revision: store.revision,
    revisions: store.revisions,
    get: serverCache.get,
    peek(id) {
      const [record, credential] = [serverCache.peek(id), credentials.peek(id)];
      return record === undefined || credential === undefined ? undefined : { record, credential };
    },
    idsOf: store.idsOf,
    list: (query) => readList(readers, query),
    publicServers: (query) => readPublicServers(readers, query),
    publicServer: (id) => readPublicServer(serverCache, id),
    put: (inputs, source, by, unchanged) => write(inputs, source, { by, unchanged }),
    async remove(id, by) {
      await serverCache.get(id);
      await write([], 'admin', { remove: [id], by });
    },
    importFile,
    parse: parseServer,
    async loadStarter() {
      if (!(await store.isEmpty())) return null;
      return importFile(deps.config.starterFile, { source: 'starter' });
    },
    syncOnce: sync,
    recordInvocation: invocations.record,
    enqueueInvocations: invocations.enqueue,
    rankingSignals: async () => ({
      popularity: await serverCache.refreshPopularity(),
      liveness: await health.liveness(),
      unavailable: await health.dead(),
    }),
    onChange: (listener) => storage.subscribe('catalog', () => listener()),
    credential: credentials.find,
    credentialed: credentials.ids,
    health,
    definitionsOf: store.definitionsOf,
    use: invocations.use,
    pruneInvocations: invocations.prune,
    flush: invocations.flush,
    close: invocations.close,
    facets: store.facets,
    stats: store.stats,
  };
}

type Write = (
  inputs: readonly ServerInput[],
  source: string,
  options?: {
    readonly remove?: readonly string[];
    readonly by?: By | undefined;
    readonly unchanged?: ServerChange['unchanged'];
  },
) => Promise<Written>;

/** One transaction: the audit entries, what is sent along to the servers, and the servers. */
function createWriter(deps: {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly credentials: ReturnType<typeof createCredentials>;
  readonly onWrite: () => Promise<void>;
}): Write {
  const { storage, clock, credentials, onWrite } = deps;
  return async (inputs, source, { remove = [], by = operator, unchanged } = {}) => {
    const sealed = await credentials.seal(inputs);
    const touched = new Set(sealed.map(({ serverId }) => serverId));
    const change = { inputs, remove, source, by: 'owner', now: clock.now(), touched, unchanged } as const;
    const written = await storage.write<CatalogTables, Written>(async (trx, notify, audit) => {
      if (source === 'admin' || source === 'apply') {
        for (const { id } of inputs) await audit({ ...by, action: 'server.put', subject: id });
        for (const id of remove) await audit({ ...by, action: 'server.remove', subject: id });
      }
      await writeCredentials(trx, sealed);
      return writeServers(trx, notify, change);
    });
    await onWrite();
    return written;
  };
}

function parseServer(value: unknown): ParsedServer {
  const parsed = parseEntry(value instanceof JsonText ? parseRow(value.text) : value, 'strict');
  if (parsed.kind === 'server') return { ok: true, input: parsed.input, notes: parsed.notes };
  if (parsed.kind === 'bad') return { ok: false, reason: parsed.reason };
  return { ok: false, reason: `status: expected an active, latest version of ${parsed.id}` };
}
