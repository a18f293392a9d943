import type { Clock } from '../../base/clock.ts';
import { forEachConcurrent } from '../../base/concurrency.ts';
import { sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { CatalogTool } from '../catalog-model.ts';
import type { CatalogTables } from '../catalog-store.ts';
import { parseTools } from '../ingest/entry.ts';
import { type Discovery, writeDiscovery } from '../write-store.ts';
import { driftBetween } from './drift.ts';
import type { DriftRecord, Health, HealthCheck, ProbedTools, ProbeResult } from './health-model.ts';
import { before, createHealthStore, type DueServer, type HealthRow, writeProbe } from './health-store.ts';
import { isBelievedDead, livenessOf, looksOffline, nextProbeMs } from './schedule.ts';
import { suspicionsOf } from './suspicion.ts';

/** Looks at one server; never throws for anything the server does. */
export type ProbeServer = (serverId: string, signal?: AbortSignal) => Promise<ProbeResult>;

export type ServerHealth = {
  /** Looks at one server now and keeps what it shows. */
  probe(serverId: string, probeServer: ProbeServer, signal?: AbortSignal): Promise<Health>;
  /** One polite round over servers that are due; answers when the next round should be, in milliseconds. */
  probeDue(probeServer: ProbeServer, signal: AbortSignal): Promise<{ readonly nextInMs: number }>;
  find(serverId: string): Promise<Health | null>;
  findAll(serverIds: readonly string[]): Promise<ReadonlyMap<string, Health>>;
  /** The factor on the score of every server for which it is not 1. */
  liveness(): Promise<ReadonlyMap<string, number>>;
  /** Servers that several probes in a row did not find to be MCP servers. */
  dead(): Promise<ReadonlySet<string>>;
  history(serverId: string): Promise<readonly HealthCheck[]>;
  drift(serverId: string): Promise<readonly DriftRecord[]>;
  /** By server, tools that probes found to be others than before, and tools whose words are suspicious. */
  probedTools(): Promise<ProbedTools>;
  prune(): Promise<void>;
};

/** A round: so many servers, so many at once, and of one host so many a round, however many servers it has. */
const perRound = 60;
const atOnce = 4;
const perHost = 2;
const roundMs = 10_000;
const idleMs = 60_000;
const offlineMs = 300_000;
const probesShown = 500;
const driftShown = 200;
const probesKeptMs = 30 * 86_400_000;

type HealthDeps = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  readonly onWrite: () => Promise<void>;
  readonly random?: () => number;
};
type Recorder = HealthDeps & {
  readonly store: ReturnType<typeof createHealthStore>;
  readonly random: () => number;
};

export function createHealth(deps: HealthDeps): ServerHealth {
  const { clock, log } = deps;
  const store = createHealthStore(deps.storage);
  const recorder = { random: Math.random, ...deps, store };

  return {
    probe: async (serverId, probeServer, signal) =>
      recordProbe(recorder, serverId, await probeServer(serverId, signal)),
    async probeDue(probeServer, signal) {
      const chosen = politely(await store.due(clock.now(), perRound * 4));
      if (chosen.length === 0) return { nextInMs: idleMs };
      const found = new Map<string, ProbeResult>();
      await forEachConcurrent(chosen, { limit: atOnce, signal }, async ({ id }) =>
        found.set(id, await probeServer(id, signal)),
      );
      if (signal.aborted) return { nextInMs: 0 };
      if (looksOffline([...found.values()])) {
        log.info('catalog.probe.offline', { servers: found.size });
        await store.postpone([...found.keys()], clock.now() + offlineMs);
        return { nextInMs: offlineMs };
      }
      for (const [id, result] of found)
        await recordProbe(recorder, id, result).catch((error: unknown) => {
          if (!(error instanceof Problem) || error.kind !== 'server_gone') throw error;
        });
      return { nextInMs: roundMs };
    },
    find: store.find,
    findAll: store.findAll,
    async dead() {
      return new Set((await store.unhealthyServers()).filter(isBelievedDead).map(({ id }) => id));
    },
    async liveness() {
      const unhealthyServers = await store.unhealthyServers();
      return new Map(
        unhealthyServers
          .map((each) => [each.id, livenessOf(each)] as const)
          .filter(([, factor]) => factor < 1),
      );
    },
    history: (serverId) => store.history(serverId, probesShown),
    drift: (serverId) => store.drift(serverId, driftShown),
    probedTools: store.probedTools,
    prune: () => store.prune(clock.now() - probesKeptMs),
  };
}

/** Keeps what a probe showed, and fills in what the catalog did not know. */
async function recordProbe(recorder: Recorder, serverId: string, result: ProbeResult): Promise<Health> {
  const { storage, store, clock, log, random } = recorder;
  await storage.write<CatalogTables, void>(async (trx, notify) => {
    const known = await before(trx, serverId);
    if (known.server === undefined || known.server.deleted_at !== null) return;
    const listing = result.tools === null ? null : readListing(result.tools);
    const old = { tools: known.tools, destructive: new Set(namesIn(known.health?.destructive)) };
    // The first listing fills in what was not known; only what a probe wrote can drift, and may be overwritten.
    const theirs = known.health?.fingerprint === fingerprintOf(known.tools);
    const drift = listing !== null && theirs ? driftBetween(old, listing) : [];
    const row = rowOf({
      serverId,
      result,
      listing,
      old: known.health,
      now: clock.now(),
      random: random(),
    });
    await writeProbe(trx, row, drift);
    const discovery: Discovery = {
      serverId,
      tools: listing?.tools ?? null,
      auth: result.auth,
      theirs,
    };
    await writeDiscovery(trx, notify, discovery, clock.now());
    // Rules look at what is suspicious, too.
    if (row.suspicions !== (known.health?.suspicions ?? '[]')) await notify('catalog', '');
    if (drift.length > 0) log.info('catalog.tools.changed', { server_id: serverId, changes: drift.length });
  });
  await recorder.onWrite();
  const health = await store.find(serverId);
  if (health === null) throw new Problem('server_gone', 'Server is no longer active');
  return health;
}

type ReadListing = {
  readonly tools: readonly CatalogTool[];
  readonly destructive: ReadonlySet<string>;
  readonly suspicions: string;
};

/** The tools cleaned like any import; flags are raised on the words as they came, before cleaning took anything away. */
function readListing(raw: NonNullable<ProbeResult['tools']>): ReadListing {
  const tools = parseTools(raw, 'lenient', []) ?? [];
  const worded = raw.map(({ name, description }) => ({
    name: typeof name === 'string' ? name : '',
    description: typeof description === 'string' ? description : '',
  }));
  const destructive = raw.flatMap(({ name, annotations }) =>
    typeof name === 'string' &&
    (annotations as { destructiveHint?: unknown } | undefined)?.destructiveHint === true
      ? [name]
      : [],
  );
  return {
    tools,
    destructive: new Set(destructive),
    suspicions: JSON.stringify(suspicionsOf(worded).slice(0, 100)),
  };
}

function rowOf(probe: {
  serverId: string;
  result: ProbeResult;
  listing: ReadListing | null;
  old: HealthRow | undefined;
  now: number;
  random: number;
}): HealthRow {
  const { serverId, result, listing, now, random } = probe;
  const { state } = result;
  const old = probe.old ?? { ...neverProbed, since: now };
  const isAlive = state === 'up' || state === 'auth';
  const failures = isAlive ? 0 : old.failures + 1;
  return {
    server_id: serverId,
    state,
    era: result.era ?? old.era,
    auth: result.auth ?? (state === 'up' ? null : old.auth),
    latency_ms: result.latencyMs,
    reason: result.reason,
    failures,
    checks: old.checks + 1,
    ups: old.ups + (isAlive ? 1 : 0),
    ...(listing === null ? listedBefore(old) : listed(listing)),
    since: old.state === state ? old.since : now,
    checked_at: now,
    next_at: now + nextProbeMs(state, failures, random),
  };
}

type Listed = Pick<HealthRow, 'fingerprint' | 'destructive' | 'suspicions'>;

/** What stands in place of the row of a server that was never probed. */
const neverProbed = {
  state: null,
  era: null,
  auth: null,
  failures: 0,
  checks: 0,
  ups: 0,
  fingerprint: null,
  destructive: '[]',
  suspicions: '[]',
};

function listed({ tools, destructive, suspicions }: ReadListing): Listed {
  return { fingerprint: fingerprintOf(tools), destructive: JSON.stringify([...destructive]), suspicions };
}

function listedBefore({ fingerprint, destructive, suspicions }: Listed): Listed {
  return { fingerprint, destructive, suspicions };
}

function namesIn(json: string | undefined): string[] {
  return JSON.parse(json ?? '[]') as string[];
}

function fingerprintOf(tools: readonly CatalogTool[]): string {
  const parts = tools.map(({ name, description, inputSchema }) => [name, description, inputSchema]);
  return sha256Hex(JSON.stringify(parts.sort(([a = ''], [b = '']) => (a < b ? -1 : 1))));
}

/** At most a few servers of one host a round, and a round's worth in all. */
function politely(due: readonly DueServer[]): DueServer[] {
  const ofHost = new Map<string, number>();
  return due
    .filter(({ url }) => {
      const host = URL.parse(url)?.host ?? '';
      const count = (ofHost.get(host) ?? 0) + 1;
      ofHost.set(host, count);
      return count <= perHost;
    })
    .slice(0, perRound);
}
