import type { Clock } from '../base/clock.ts';
import type { CatalogChange } from '../catalog/catalog.ts';
import type { Embedder } from './embedder.ts';
import { createFeed } from './feed.ts';
import type { RankWeights } from './ranking/rank.ts';
import { createView, type ServerFacts, type View } from './view.ts';

/** The index of one embedder: the running snapshot, and the passes that bring it up to date. */
export type Engine = {
  readonly embedder: Embedder;
  /** undefined until the first snapshot is built. */
  view(): View | undefined;
  /** A pass that begins after this call: the one running may have read the catalogue already. */
  pass(): Promise<void>;
  builtInMs(): number;
  close(): Promise<void>;
};

export function createEngine(deps: {
  readonly changesSince: (revision: number) => AsyncIterable<readonly CatalogChange[]>;
  readonly embedder: Embedder;
  readonly clock: Clock;
  readonly weights: RankWeights;
  readonly facts: () => ServerFacts;
  readonly onBuilt: () => void;
}): Engine {
  const { clock, embedder } = deps;
  const feed = createFeed(deps.changesSince, embedder);
  let view: View | undefined;
  let builtInMs = 0;
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;

  async function build(): Promise<void> {
    const began = clock.monotonic();
    const built = await feed.pass();
    if (built === null) return;
    builtInMs = clock.monotonic() - began;
    view = createView(built, deps.weights, deps.facts());
    deps.onBuilt();
  }

  function pass(): Promise<void> {
    if (running === undefined) {
      running = build().finally(() => {
        running = undefined;
      });
      return running;
    }
    queued ??= running
      .catch(() => {})
      .then(() => {
        queued = undefined;
        return pass();
      });
    return queued;
  }

  return { embedder, view: () => view, pass, builtInMs: () => builtInMs, close: feed.close };
}
