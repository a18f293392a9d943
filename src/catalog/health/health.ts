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
import type { DriftRecord, Finding, Health, HealthCheck } from './health-model.ts';
import { before, createHealthStore, type DueServer, type HealthRow, writeLook } from './health-store.ts';
import { isBelievedDead, livenessOf, looksOffline, nextLookMs } from './schedule.ts';
import { suspicionsOf } from './suspicion.ts';

/** Looks at one server; never throws for anything the server does. */
export type Inspect = (serverId: string, signal?: AbortSignal) => Promise<Finding>;

export type ServerHealth = {
  /** Looks at one server now and keeps what it shows. */
  probe(serverId: string, inspect: Inspect, signal?: AbortSignal): Promise<Health>;
  /** One polite round over servers that are due; answers when the next round should be, in milliseconds. */
  probeDue(inspect: Inspect, signal: AbortSignal): Promise<{ readonly nextInMs: number }>;
  find(serverId: string): Promise<Health | null>;
  findAll(serverIds: readonly string[]): Promise<ReadonlyMap<string, Health>>;
  /** The factor on the score of every server for which it is not 1. */
  liveness(): Promise<ReadonlyMap<string, number>>;
  /** Servers that look after look did not answer as MCP servers. */
  dead(): Promise<ReadonlySet<string>>;
  history(serverId: string): Promise<readonly HealthCheck[]>;
  drift(serverId: string): Promise<readonly DriftRecord[]>;
  prune(): Promise<void>;
};

/** A round: so many servers, so many at once, and of one host so many a round, however many servers it has. */
const perRound = 60;
const atOnce = 4;
const perHost = 2;
const roundMs = 10_000;
const idleMs = 60_000;
const offlineMs = 300_000;
const looksShown = 500;
const driftShown = 200;
const looksKeptMs = 30 * 86_400_000;

export function createHealth(deps: {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  readonly onWrite: () => Promise<void>;
  readonly random?: () => number;
}): ServerHealth {
  const { storage, clock, log, random = Math.random } = deps;
  const store = createHealthStore(storage);

  const keep = async (serverId: string, finding: Finding): Promise<Health> => {
    await storage.write<CatalogTables, void>(async (trx, notify) => {
      const known = await before(trx, serverId);
      if (known.server === undefined || known.server.deleted_at !== null) return;
      const listing = finding.tools === null ? null : readListing(finding.tools);
      const old = { tools: known.tools, destructive: new Set(namesIn(known.health?.destructive)) };
      // The first listing fills in what was not known; only what a look wrote can drift, and may be overwritten.
      const theirs = known.health?.fingerprint === fingerprintOf(known.tools);
      const drift = listing !== null && theirs ? driftBetween(old, listing) : [];
      const row = rowOf({
        serverId,
        finding,
        listing,
        old: known.health,
        now: clock.now(),
        random: random(),
      });
      await writeLook(trx, row, drift);
      const discovery: Discovery = {
        serverId,
        tools: listing?.tools ?? null,
        auth: finding.auth,
        theirs,
      };
      await writeDiscovery(trx, notify, discovery, clock.now());
      if (drift.length > 0) log.info('catalog.tools_changed', { server_id: serverId, changes: drift.length });
    });
    await deps.onWrite();
    const health = await store.find(serverId);
    if (health === null) throw new Problem('server_gone', 'Server is no longer active');
    return health;
  };

  return {
    probe: async (serverId, inspect, signal) => keep(serverId, await inspect(serverId, signal)),
    async probeDue(inspect, signal) {
      const chosen = politely(await store.due(clock.now(), perRound * 4));
      if (chosen.length === 0) return { nextInMs: idleMs };
      const found = new Map<string, Finding>();
      await forEachConcurrent(chosen, { limit: atOnce, signal }, async ({ id }) =>
        found.set(id, await inspect(id, signal)),
      );
      if (signal.aborted) return { nextInMs: 0 };
      if (looksOffline([...found.values()])) {
        log.info('catalog.round_unreached', { servers: found.size });
        await store.postpone([...found.keys()], clock.now() + offlineMs);
        return { nextInMs: offlineMs };
      }
      for (const [id, finding] of found)
        await keep(id, finding).catch((error: unknown) => {
          if (!(error instanceof Problem) || error.kind !== 'server_gone') throw error;
        });
      return { nextInMs: roundMs };
    },
    find: store.find,
    findAll: store.findAll,
    async dead() {
      return new Set((await store.notable()).filter(isBelievedDead).map(({ id }) => id));
    },
    async liveness() {
      const notable = await store.notable();
      return new Map(
        notable.map((each) => [each.id, livenessOf(each)] as const).filter(([, factor]) => factor < 1),
      );
    },
    history: (serverId) => store.history(serverId, looksShown),
    drift: (serverId) => store.drift(serverId, driftShown),
    prune: () => store.prune(clock.now() - looksKeptMs),
  };
}

type ReadListing = {
  readonly tools: readonly CatalogTool[];
  readonly destructive: ReadonlySet<string>;
  readonly suspicions: string;
};

/** The tools cleaned like any import; flags are raised on the words as they came, before cleaning took anything away. */
function readListing(raw: NonNullable<Finding['tools']>): ReadListing {
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

function rowOf(look: {
  serverId: string;
  finding: Finding;
  listing: ReadListing | null;
  old: HealthRow | undefined;
  now: number;
  random: number;
}): HealthRow {
  const { serverId, finding, listing, old, now, random } = look;
  const { state } = finding;
  const alive = state === 'up' || state === 'auth';
  const failures = alive ? 0 : (old?.failures ?? 0) + 1;
  return {
    server_id: serverId,
    state,
    era: finding.era ?? old?.era ?? null,
    auth: finding.auth ?? (state === 'up' ? null : (old?.auth ?? null)),
    latency_ms: finding.latencyMs,
    reason: finding.reason,
    failures,
    checks: (old?.checks ?? 0) + 1,
    ups: (old?.ups ?? 0) + (alive ? 1 : 0),
    fingerprint: listing === null ? (old?.fingerprint ?? null) : fingerprintOf(listing.tools),
    destructive: listing === null ? (old?.destructive ?? '[]') : JSON.stringify([...listing.destructive]),
    suspicions: listing === null ? (old?.suspicions ?? '[]') : listing.suspicions,
    since: old?.state === state ? old.since : now,
    checked_at: now,
    next_at: now + nextLookMs(state, failures, random),
  };
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
