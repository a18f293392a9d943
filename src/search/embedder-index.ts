import type { Clock } from '../base/clock.ts';
import { coalesced } from '../base/coalesced-run.ts';
import { type ActiveSnapshot, createActiveSnapshot } from './active-snapshot.ts';
import type { Embedder } from './embedding/embedder.ts';
import { type ChangesSince, createBuilderClient } from './index/builder-client.ts';
import { createKeptIndex, type KeptIndexOptions } from './kept-index/kept-index.ts';
import type { RankWeights } from './ranking/rank.ts';
import type { RankingSignals } from './search-model.ts';
import { createIndexUpdates } from './segments/index-updates.ts';
import { type SearchIndex, wholeIndex } from './segments/search-index.ts';

/** The index of one embedder: the running snapshot, and the rebuilds that bring it up to date. */
export type EmbedderIndex = {
  readonly embedder: Embedder;
  /** undefined until the first one is built. */
  snapshot(): ActiveSnapshot | undefined;
  /** The index that was kept, with what changed since built behind it; without one, builds it. */
  start(): Promise<void>;
  /** A rebuild that begins after this call: the one running may have read the catalog already. Calls that wait share one. */
  rebuild(): Promise<void>;
  builtInMs(): number;
  close(): Promise<void>;
};

export type EmbedderIndexDeps = {
  readonly changesSince: ChangesSince;
  readonly clock: Clock;
  readonly weights: RankWeights;
  /** The built-in one. */
  readonly embedder: Embedder;
  /** Whether the operator's configuration names a server. */
  readonly isConfigured?: ((serverId: string) => boolean) | undefined;
  readonly signals: () => RankingSignals;
  /** Where the index of the built-in model outlives the process. */
  readonly kept?: KeptIndexOptions | undefined;
  /** A new snapshot was swapped in. */
  readonly onBuilt: () => void;
  onError(error: unknown): void;
};

export function createEmbedderIndex(embedder: Embedder, deps: EmbedderIndexDeps): EmbedderIndex {
  const { clock } = deps;
  let snapshot: ActiveSnapshot | undefined;
  let builtInMs = 0;

  // Another model's vectors are kept text by text, in the store.
  const kept =
    deps.kept === undefined || embedder.table === undefined ? null : createKeptIndex(embedder, deps.kept);
  const updates = createIndexUpdates({
    changesSince: deps.changesSince,
    embedder,
    builder: createBuilderClient(deps.changesSince, embedder, kept?.builderFile),
    onMerged: (error) => (error === null ? void rebuild().catch(deps.onError) : deps.onError(error)),
  });
  const use = (index: SearchIndex, startedAt: number) => {
    builtInMs = clock.monotonic() - startedAt;
    snapshot = createActiveSnapshot(
      index,
      { weights: deps.weights, builtIn: deps.embedder, isConfigured: deps.isConfigured },
      deps.signals(),
    );
    deps.onBuilt();
  };

  let opening: Promise<void> | undefined;
  /** Whoever comes first: a change may be told before the start is through. */
  const openKept = () => {
    opening ??= (async () => {
      const startedAt = clock.monotonic();
      const built = (await kept?.read()) ?? null;
      if (built === null) return;
      updates.startFrom(built);
      use(wholeIndex(built), startedAt);
    })();
    return opening;
  };
  const rebuild = coalesced(async (): Promise<void> => {
    await openKept();
    const startedAt = clock.monotonic();
    const update = await updates.next();
    if (update === null) return;
    use(update.index, startedAt);
    if (update.whole !== null) kept?.writeLater(update.whole);
  });

  return {
    embedder,
    snapshot: () => snapshot,
    async start() {
      await openKept();
      if (snapshot === undefined) return rebuild();
      rebuild().catch(deps.onError);
    },
    rebuild,
    builtInMs: () => builtInMs,
    async close() {
      await kept?.close();
      await updates.close();
      await embedder.close?.();
    },
  };
}
