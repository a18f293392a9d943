import type { Clock } from '../base/clock.ts';
import { coalesced } from '../base/coalesced-run.ts';
import { type ActiveSnapshot, createActiveSnapshot } from './active-snapshot.ts';
import type { Embedder } from './embedding/embedder.ts';
import { type ChangesSince, createBuilderClient } from './index/builder-client.ts';
import type { RankWeights } from './ranking/rank.ts';
import type { RankingSignals } from './search-model.ts';

/** The index of one embedder: the running snapshot, and the rebuilds that bring it up to date. */
export type EmbedderIndex = {
  readonly embedder: Embedder;
  /** undefined until the first one is built. */
  snapshot(): ActiveSnapshot | undefined;
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
  /** A new snapshot was swapped in. */
  readonly onBuilt: () => void;
};

export function createEmbedderIndex(embedder: Embedder, deps: EmbedderIndexDeps): EmbedderIndex {
  const { clock } = deps;
  const builder = createBuilderClient(deps.changesSince, embedder);
  let snapshot: ActiveSnapshot | undefined;
  let builtInMs = 0;

  async function build(): Promise<void> {
    const startedAt = clock.monotonic();
    const built = await builder.rebuild();
    if (built === null) return;
    builtInMs = clock.monotonic() - startedAt;
    snapshot = createActiveSnapshot(
      built,
      { weights: deps.weights, builtIn: deps.embedder, isConfigured: deps.isConfigured },
      deps.signals(),
    );
    deps.onBuilt();
  }

  return {
    embedder,
    snapshot: () => snapshot,
    rebuild: coalesced(build),
    builtInMs: () => builtInMs,
    async close() {
      await builder.close();
      await embedder.close?.();
    },
  };
}
