import type { Clock } from '../base/clock.ts';
import type { Config } from '../config.ts';
import { createJobs, type Job } from '../jobs/jobs.ts';
import { createFailureReport } from './failure-report.ts';
import type { Services } from './services.ts';

const dayMs = 86_400_000;
const factsEveryMs = 30_000;
const keyUseEveryMs = 10_000;
/** Well within what a process counts for after it said so. */
const presenceEveryMs = 10_000;

/** What goes on behind the requests: index, learning, jobs. Answers with how to end it. */
export function startBackground(config: Config, services: Services, clock: Clock): () => Promise<void> {
  const { access, catalog, mcp, search, storage, telemetry } = services;
  measure(services);
  catalog.onChange(search.refresh);
  services.learning.start();
  search
    .start()
    .then(() => updateFacts(services))
    .catch((error: unknown) => telemetry.log.error('search.index.first_build_failed', { error }));
  const announce = createAnnouncement(config, services);
  const onError = createFailureReport(telemetry, clock);
  const every = (ms: number, name: string, act: () => Promise<void>) =>
    setInterval(() => act().catch((error: unknown) => onError(name, error)), ms).unref();
  announce().catch((error: unknown) => onError('presence', error));
  const timers = [
    every(factsEveryMs, 'ranking signals', () => updateFacts(services)),
    every(keyUseEveryMs, 'use of keys', () => access.flush()),
    every(presenceEveryMs, 'presence', announce),
  ];
  const jobs = createJobs({ leases: storage.leases, onError });
  mcp
    .registerLocalServers()
    .catch((error: unknown) => telemetry.log.error('mcp.configuration.failed', { error }));
  for (const job of jobsOf(config, services, clock)) jobs.schedule(job);
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await jobs.stop();
    await storage.presence.withdraw().catch(() => undefined);
  };
}

/** Says that this process serves, and in the log what that means beside others: once, and again when their number changes. */
function createAnnouncement(config: Config, { storage, telemetry, vault }: Services): () => Promise<void> {
  let told = 1;
  return async () => {
    await storage.presence.announce(vault.kids);
    const { length: processes } = await storage.presence.serving();
    if (config.redisUrl !== null || processes === told) return;
    told = processes;
    if (processes > 1)
      telemetry.log.warn('access.limits.not_shared', {
        processes,
        advice: 'each process on this store counts for itself: set REDIS_URL, or divide the tiers',
      });
  };
}

function jobsOf(config: Config, services: Services, clock: Clock): Job[] {
  const { approvals, budgets, callLog, catalog, connections, idempotency, identity } = services;
  const { mcp, queryLog, signIn, telemetry, webhooks } = services;
  const jobs: Job[] = [
    {
      name: 'prune logs',
      everyMs: dayMs,
      run: async () => {
        await catalog.pruneInvocations();
        await catalog.health.prune();
        await queryLog.prune(clock.now());
        await callLog.prune();
        await budgets.prune();
        return undefined;
      },
    },
  ];
  jobs.push({
    name: 'identity',
    everyMs: 3_600_000,
    run: async () => {
      await identity.runMaintenance();
      await signIn.runMaintenance();
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
    name: 'idempotency',
    everyMs: 60_000,
    run: async () => {
      await idempotency.prune();
      return undefined;
    },
  });
  jobs.push({
    name: 'approvals',
    everyMs: 60_000,
    run: async () => {
      await approvals.prune();
      return undefined;
    },
  });
  jobs.push({
    name: 'connections',
    everyMs: 15_000,
    run: async (signal) => {
      await connections.runMaintenance(signal);
      return undefined;
    },
  });
  if (config.probe)
    jobs.push({
      name: 'probe servers',
      everyMs: 60_000,
      run: (signal) => catalog.health.probeDue(mcp.probe, signal),
    });
  if (config.sync)
    jobs.push({
      name: 'registry sync',
      everyMs: 3_600_000,
      run: async (signal) => {
        const report = await services.storage.longWork.track('registry sync', (tell) =>
          catalog.syncOnce(signal, (done) => tell({ done, total: null, unit: 'pages' })),
        );
        telemetry.log.info('catalog.sync.done', { ...report });
        return undefined;
      },
    });
  return jobs;
}

async function updateFacts({ catalog, search }: Services): Promise<void> {
  search.setSignals(await catalog.rankingSignals());
}

function measure({ callLog, connections, search, mcp, queryLog, telemetry }: Services): void {
  telemetry.gauge('providers_misconfigured', 'Providers that refuse us as their client', () =>
    connections.admin.countMisconfigured(),
  );
  telemetry.gauge('search_servers', 'Servers in the index', () => search.stats().servers);
  telemetry.gauge('search_tools', 'Tools in the index', () => search.stats().tools);
  telemetry.gauge('search_snapshot_bytes', 'Size of the index in memory', () => search.stats().snapshotBytes);
  telemetry.gauge('mcp_upstreams', 'MCP servers that are connected, by caller', () => mcp.stats().upstreams);
  telemetry.gauge(
    'mcp_program_noise_lines',
    'Lines of programs that were no messages, since the start',
    () => mcp.stats().noiseLines,
  );
  telemetry.gauge('query_log_dropped', 'Query log entries given up since the start', () =>
    queryLog.dropped(),
  );
  telemetry.gauge('call_log_dropped', 'Entries of the call log given up since the start', () =>
    callLog.dropped(),
  );
}
