import type { Clock } from '../base/clock.ts';
import type { Secret } from '../base/secret.ts';
import type { Config } from '../config.ts';
import type { Outbound } from '../outbound/outbound.ts';
import { createCachedEmbedder, type EmbeddingProgress } from '../search/embedding/cached-embedder.ts';
import { parseEmbeddingProvider } from '../search/embedding/embedding-provider.ts';
import { createEmbeddingStore } from '../search/embedding/embedding-store.ts';
import type { LongWork, Storage } from '../storage/storage.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

const embeddingSayMs = 5_000;

/** Shared limits are worth having, not worth waiting for: it connects in the background and comes back by itself. */
export async function connectRedis(url: Secret, { log, gauge, counter }: Telemetry) {
  const { openRedis } = await import('../storage/coordination/redis.ts');
  const redis = openRedis(url, (up, reason) => {
    if (up) log.info('redis.connection.up');
    else log.warn('redis.connection.down', { reason });
  });
  gauge('redis_up', 'Whether the shared limits can be reached', () => (redis.isUp() ? 1 : 0));
  const fallbacks = counter('limits_local', 'Decisions made without the shared limits while they were away');
  return { ...redis, onFallback: () => fallbacks.inc() };
}

/** The first embedding of a catalogue takes minutes to hours: it is told of until its index answers. */
export function createEmbeddingWork({ track }: LongWork) {
  let run: { readonly ended: PromiseWithResolvers<void>; tell(texts: number): void } | undefined;
  let isWhole = false;
  const begin = () => {
    const begun = { ended: Promise.withResolvers<void>(), tell: (_texts: number) => {} };
    track('embedding', (say) => {
      begun.tell = (done) => say({ done, total: null, unit: 'texts' });
      return begun.ended.promise;
      // Whoever failed says so itself.
    }).catch(() => undefined);
    return begun;
  };
  return {
    tell(texts: number): void {
      if (isWhole) return;
      run ??= begin();
      run.tell(texts);
    },
    /** It is tried again; that is a run of its own. */
    fail(error: unknown): void {
      if (isWhole) return;
      run ??= begin();
      run.ended.reject(error);
      run = undefined;
    },
    end(): void {
      isWhole = true;
      run?.ended.resolve();
    },
  };
}

/** Vectors by a service or a local model; what they cost and how far they are is told. */
export function embeddingsProvider(
  config: Config,
  {
    storage,
    clock,
    outbound,
    telemetry,
  }: {
    readonly storage: Storage;
    readonly outbound: Outbound;
    readonly telemetry: Telemetry;
    readonly clock: Clock;
  },
  work: Pick<ReturnType<typeof createEmbeddingWork>, 'tell' | 'fail'>,
) {
  const failing = async <T>(act: () => T | Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      work.fail(error);
      throw error;
    }
  };
  const tokens = telemetry.counter('embedding_tokens', 'Tokens that the embeddings service counted');
  let progress: EmbeddingProgress = { cached: 0, embedded: 0 };
  const connect = parseEmbeddingProvider(config.embeddings, {
    apiKey: config.embeddingsKey,
    post: outbound.request,
    onTokens: (count) => tokens.inc(count),
  });
  if (connect === null) return null;
  telemetry.gauge(
    'embedded_texts',
    'Texts whose vectors the provider made since the start',
    () => progress.embedded,
  );
  telemetry.gauge('remembered_texts', 'Texts whose vectors were in the store', () => progress.cached);
  return async () => {
    const embedder = await failing(connect);
    const store = createEmbeddingStore(storage, clock);
    await store.prune(embedder.id);
    let saidAt = clock.monotonic();
    const cached = createCachedEmbedder(embedder, store, (now) => {
      progress = now;
      work.tell(now.cached + now.embedded);
      if (clock.monotonic() - saidAt < embeddingSayMs) return;
      saidAt = clock.monotonic();
      telemetry.log.info('search.embedding.progress', { by: embedder.id, ...now });
    });
    return {
      ...cached,
      embed: (texts: readonly string[], kind: 'query' | 'document') =>
        kind === 'query' ? cached.embed(texts, kind) : failing(() => cached.embed(texts, kind)),
    };
  };
}
