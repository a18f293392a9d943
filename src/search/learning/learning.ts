/**
 * Learning from outcomes: what recorded invocations, and the searches they followed, say of servers.
 *
 * Promises: the state is a pure function of the log and the day, so a replay, a restart and another process rank
 * alike; an outcome shows in rankings within about two seconds of its commit, without a rebuild; what one developer
 * alone reports changes that developer's own rankings and nobody else's; a search never waits for the log.
 * When the store fails, the last state stays, the error goes to `onError`, and the next second tries again.
 *
 * There is no catalogue of one developer's own yet: once there is, its servers are left out of `common` here.
 */
import type { Clock } from '../../base/clock.ts';
import { createByteCache } from '../cache.ts';
import type { Embedder } from '../embedder.ts';
import { createLayer, type Layer } from './layer.ts';
import { createLedger } from './ledger.ts';
import type { Learned, Outcome } from './model.ts';
import type { OutcomeStore } from './outcome-store.ts';
import { fairShares, profileOf, type Shares } from './profile.ts';
import { createReader, pagesOf } from './reader.ts';
import { type UsageFit, usageFit, usageOf } from './usage.ts';

export type Learning = {
  /** Reads the log once and then every second. */
  start(): void;
  /** Reads what is new now; one reading at a time. */
  update(): Promise<void>;
  /** The whole log, oldest first, a page at a time. */
  log(): AsyncIterable<readonly Outcome[]>;
  /** What this developer's searches may use. */
  seenBy(developerId: string): Learned;
  stop(): Promise<void>;
};

export type LearningDeps = {
  readonly store: OutcomeStore;
  readonly embedder: Pick<Embedder, 'embed' | 'dims'>;
  readonly clock: Clock;
  onError(error: unknown): void;
  /** Other weights, for the evaluation. */
  readonly fit?: UsageFit;
};

const everyMs = 1_000;
const dayMs = 86_400_000;
/** Servers weighed before requests get their turn. */
const serversPerTurn = 100;
/** Own layers kept, by the successes they hold (a few kilobytes each). */
const ownSuccessesKept = 20_000;

export function createLearning(deps: LearningDeps): Learning {
  const { store, embedder, clock, onError, fit = usageFit } = deps;
  const ledger = createLedger();
  const readNew = createReader(store);
  const common = createLayer();
  const ownLayers = createByteCache<{ layer: Layer; version: number }>(ownSuccessesKept);
  const ownVersions = new Map<string, number>();
  /** Servers with outcomes that were taken and not weighed yet. */
  const touched = new Set<string>();
  let today = dayOf(clock.now());
  let version = 0;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function vectorsOf(outcomes: readonly Outcome[]): Promise<readonly (Float32Array | null)[]> {
    const texts = outcomes.map(({ success, query }) => (success ? query : null));
    const present = texts.filter((text) => text !== null);
    const made = await embedder.embed(present, 'query');
    let at = 0;
    return texts.map((text) =>
      text === null ? null : made.subarray(at++ * embedder.dims, at * embedder.dims),
    );
  }

  async function weigh(servers: Iterable<string>): Promise<void> {
    let [turn, changed] = [0, false];
    for (const id of servers) {
      const held = ledger.of(id);
      changed = common.put(id, profileOf(held, fairShares(held, today), today)) || changed;
      for (const developer of held.keys()) ownVersions.set(developer, (ownVersions.get(developer) ?? 0) + 1);
      if (++turn % serversPerTurn === 0) await new Promise((resume) => setImmediate(resume));
    }
    if (changed) version++;
  }

  async function read(): Promise<void> {
    const now = clock.now();
    for await (const page of readNew()) {
      const vectors = await vectorsOf(page);
      for (const [i, outcome] of page.entries())
        if (ledger.take(outcome, vectors[i] ?? null)) touched.add(outcome.serverId);
    }
    const day = dayOf(now);
    if (day !== today) {
      today = day;
      await weigh(ledger.servers());
    } else await weigh(touched);
    touched.clear();
  }

  function update(): Promise<void> {
    running ??= read().finally(() => {
      running = undefined;
    });
    return running;
  }

  /** What the common layer leaves out of a developer's own evidence: all of it, or what the fair share took. */
  function ownLayer(developerId: string): { layer: Layer; version: number } | null {
    const at = ownVersions.get(developerId);
    if (at === undefined) return null;
    const kept = ownLayers.get(developerId);
    if (kept?.version === at) return kept;
    const layer = createLayer();
    let size = 1;
    for (const id of ledger.serversOf(developerId)) {
      const held = ledger.of(id);
      const own = held.get(developerId);
      if (own === undefined) continue;
      const profile = profileOf(new Map([[developerId, own]]), rest(fairShares(held, today)), today);
      layer.put(id, profile);
      size += profile?.examples.length ?? 0;
    }
    const made = { layer, version: at };
    ownLayers.set(developerId, made, size);
    return made;
  }

  return {
    start() {
      const tick = () => {
        timer = undefined;
        update()
          .catch(onError)
          .finally(() => {
            if (!stopped) timer = setTimeout(tick, everyMs).unref();
          });
      };
      tick();
    },
    update,
    log: () => pagesOf(store),
    seenBy(developerId) {
      const own = ownLayer(developerId);
      const layers = own === null ? [common] : [common, own.layer];
      return {
        blank: layers.every(({ profiles }) => profiles.size === 0),
        wordless: layers.every((layer) => layer.mostSuccesses() === 0),
        commonVersion: version,
        version: own === null ? `${version}` : `${version}.${own.version}.${developerId}`,
        usage: (asked, top) => usageOf(asked, top, layers, fit),
        trials(id) {
          let [good, bad] = [0, 0];
          for (const { profiles } of layers) {
            good += profiles.get(id)?.trials.good ?? 0;
            bad += profiles.get(id)?.trials.bad ?? 0;
          }
          return { good, bad };
        },
        *common() {
          for (const [id, { trials }] of common.profiles) yield [id, trials] as const;
        },
      };
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running?.catch(() => undefined);
    },
  };
}

function rest(shares: Shares): Shares {
  return {
    wins: (developer) => 1 - shares.wins(developer),
    trials: (developer) => 1 - shares.trials(developer),
  };
}

function dayOf(ms: number): number {
  return Math.floor(ms / dayMs);
}
