/**
 * Whose vectors answer: a provider's while it is well, the built-in ones before and between (fail-over with a rest), and for
 * a query whose vectors the provider does not have in time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import { type Backoff, backoffMs } from '../base/retry.ts';
import { createEmbedderIndex, type EmbedderIndex, type EmbedderIndexDeps } from './embedder-index.ts';
import { type Embedder, NoVectors } from './embedding/embedder.ts';

/** A provider that failed a query is left alone for so long. */
const restMs = 30_000;
/** Between two tries to reach a provider and to build its index. */
const backoff: Backoff = { firstMs: 2_000, maxMs: 300_000 };

export type Failover = {
  /** The index that answers now. */
  current(): EmbedderIndex;
  /** Searches it; when the provider fails, the built-in one. */
  run<T>(search: (index: EmbedderIndex) => Promise<T>): Promise<T>;
  /** Builds the built-in index, then the provider's beside it for as long as that takes. */
  start(): Promise<void>;
  /** Resolves when the built-in index is up to date: nobody waits for somebody else's service. */
  rebuild(): Promise<void>;
  readonly builtIn: EmbedderIndex;
  all(): readonly EmbedderIndex[];
  /** Queries that fell back to the built-in index. */
  fallbacks(): number;
  close(): Promise<void>;
};

export type FailoverDeps = EmbedderIndexDeps & {
  readonly provider?: (() => Promise<Embedder>) | undefined;
  readonly clock: Clock;
  /** The provider's index is whole, and answers from now on. */
  onSwap(index: EmbedderIndex): void;
};

export function createFailover(deps: FailoverDeps): Failover {
  const { clock, onError, onSwap } = deps;
  const builtIn = createEmbedderIndex(deps.embedder, deps);
  const closing = new AbortController();
  let provided: EmbedderIndex | undefined;
  let restUntil = 0;
  let fallbacks = 0;

  function current(): EmbedderIndex {
    return provided?.snapshot() !== undefined && clock.monotonic() >= restUntil ? provided : builtIn;
  }

  async function runWithFallback<T>(
    index: EmbedderIndex,
    search: (index: EmbedderIndex) => Promise<T>,
  ): Promise<T> {
    try {
      return await search(index);
    } catch (error) {
      if (error instanceof Problem && error.kind === 'invalid_request') throw error;
      fallbacks++;
      // One query without vectors is no reason to leave the provider alone.
      if (!(error instanceof NoVectors)) restUntil = clock.monotonic() + restMs;
      if (!(error instanceof NoVectors) || error.cause !== undefined) onError(error);
      return search(builtIn);
    }
  }

  async function open(connect: () => Promise<Embedder>): Promise<EmbedderIndex> {
    const embedder = await connect();
    if (!closing.signal.aborted) return createEmbedderIndex(embedder, deps);
    await embedder.close?.();
    throw new Error('search is closed');
  }

  async function bringUp(connect: () => Promise<Embedder>): Promise<void> {
    for (let attempt = 1; !closing.signal.aborted; attempt++) {
      try {
        provided ??= await open(connect);
        await provided.start();
        onSwap(provided);
        return;
      } catch (error) {
        if (closing.signal.aborted) return;
        onError(error);
        const options = { signal: closing.signal, ref: false };
        await delay(backoffMs(backoff, attempt), undefined, options).catch(() => undefined);
      }
    }
  }

  return {
    current,
    run(search) {
      const index = current();
      return index === builtIn ? search(builtIn) : runWithFallback(index, search);
    },
    async start() {
      await builtIn.start();
      if (deps.provider !== undefined) void bringUp(deps.provider);
    },
    async rebuild() {
      await builtIn.rebuild();
      provided?.rebuild().catch(onError);
    },
    builtIn,
    all: () => (provided === undefined ? [builtIn] : [builtIn, provided]),
    fallbacks: () => fallbacks,
    async close() {
      closing.abort();
      await Promise.all([builtIn.close(), provided?.close()]);
    },
  };
}
