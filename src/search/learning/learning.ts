/**
 * Learning from outcomes: what recorded invocations, and the searches they followed, say of servers.
 *
 * Promises: the state is a pure function of the log and the day, so a replay, a restart and another process rank
 * alike; an outcome shows in rankings within about two seconds of its commit, without a rebuild; what one developer
 * alone reports changes that developer's own rankings and nobody else's; a search never waits for the log.
 * When the store fails, the last state stays, the error goes to `onError`, and the next second tries again.
 *
 * There is no catalog of one developer's own yet: once there is, its servers are left out of the common profiles here.
 */
import type { Clock } from '../../base/clock.ts';
import type { Embedder } from '../embedding/embedder.ts';
import type { Outcome, OutcomeCounts, UsageModel } from './learning-model.ts';
import { createOutcomeReader, readPages } from './outcome-reader.ts';
import type { OutcomeStore } from './outcome-store.ts';
import { scoreUsage, type UsageWeights, usageWeights } from './usage.ts';
import { createUsageProfiles, type UsageProfiles } from './usage-profiles.ts';

export type Learning = {
  /** Reads the log once and then every second. */
  start(): void;
  /** Reads what is new now; one reading at a time. */
  update(): Promise<void>;
  /** The whole log, oldest first, a page at a time. */
  log(): AsyncIterable<readonly Outcome[]>;
  /** What this developer's searches may use. */
  modelFor(developerId: string): UsageModel;
  stop(): Promise<void>;
};

export type LearningDeps = {
  readonly store: OutcomeStore;
  readonly embedder: Pick<Embedder, 'embed' | 'dims'>;
  readonly clock: Clock;
  onError(error: unknown): void;
  /** Other weights, for the evaluation. */
  readonly weights?: UsageWeights;
};

const pollIntervalMs = 1_000;
const dayMs = 86_400_000;

export function createLearning(deps: LearningDeps): Learning {
  const { store, clock, onError, weights = usageWeights } = deps;
  const readNew = createOutcomeReader(store);
  const profiles = createUsageProfiles(dayOf(clock.now()));
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function readLog(): Promise<void> {
    const now = clock.now();
    for await (const page of readNew()) profiles.add(page, await embedQueries(deps.embedder, page));
    await profiles.rebuild(dayOf(now));
  }

  function update(): Promise<void> {
    running ??= readLog().finally(() => {
      running = undefined;
    });
    return running;
  }

  function poll(): void {
    timer = undefined;
    update()
      .catch(onError)
      .finally(() => {
        if (!isStopped) timer = setTimeout(poll, pollIntervalMs).unref();
      });
  }

  return {
    start: poll,
    update,
    log: () => readPages(store),
    modelFor: (developerId) => toModel(profiles, developerId, weights),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running?.catch(() => undefined);
    },
  };
}

/** What one developer's searches may use: what counts for everybody, and the developer's own. */
function toModel(profiles: UsageProfiles, developerId: string, weights: UsageWeights): UsageModel {
  const common = profiles.common();
  const own = profiles.own(developerId);
  const indexes = own === null ? [common.index] : [common.index, own.index];
  return {
    isEmpty: indexes.every((index) => index.profiles.size === 0),
    hasNoQueries: indexes.every((index) => index.maxSuccesses() === 0),
    commonVersion: common.version,
    version: own === null ? `${common.version}` : `${common.version}.${own.version}.${developerId}`,
    scoreUsage: (query, candidates) => scoreUsage(query, candidates, indexes, weights),
    outcomes(serverId): OutcomeCounts {
      let [good, bad] = [0, 0];
      for (const index of indexes) {
        good += index.profiles.get(serverId)?.outcomes.good ?? 0;
        bad += index.profiles.get(serverId)?.outcomes.bad ?? 0;
      }
      return { good, bad };
    },
    *commonOutcomes() {
      for (const [serverId, { outcomes }] of common.index.profiles) yield [serverId, outcomes] as const;
    },
  };
}

/** The vectors of the queries of successes; null for the other outcomes. */
async function embedQueries(
  embedder: LearningDeps['embedder'],
  outcomes: readonly Outcome[],
): Promise<readonly (Float32Array | null)[]> {
  const { dims } = embedder;
  const queries = outcomes.map(({ success, query }) => (success ? query : null));
  const vectors = await embedder.embed(
    queries.filter((query) => query !== null),
    'query',
  );
  let at = 0;
  return queries.map((query) => (query === null ? null : vectors.subarray(at++ * dims, at * dims)));
}

function dayOf(ms: number): number {
  return Math.floor(ms / dayMs);
}
