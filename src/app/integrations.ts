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
  const { promise, resolve } = Promise.withResolvers<void>();
  let tell: ((texts: number) => void) | undefined;
  let isWhole = false;
  return {
    tell(texts: number): void {
      if (isWhole) return;
      if (tell === undefined)
        void track('embedding', (say) => {
          tell = (done) => say({ done, total: null, unit: 'texts' });
          return promise;
        });
      tell?.(texts);
    },
    end(): void {
      isWhole = true;
      resolve();
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
  /** Told how many texts have their vectors. */
  onProgress: (texts: number) => void,
) {
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
    const embedder = await connect();
    const store = createEmbeddingStore(storage, clock);
    await store.prune(embedder.id);
    let saidAt = clock.monotonic();
    return createCachedEmbedder(embedder, store, (now) => {
      progress = now;
      onProgress(now.cached + now.embedded);
      if (clock.monotonic() - saidAt < embeddingSayMs) return;
      saidAt = clock.monotonic();
      telemetry.log.info('search.embedding.progress', { by: embedder.id, ...now });
    });
  };
}
