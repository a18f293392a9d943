/**
 * Runs `act` on every item, at most `limit` of them at once, in their order. After an abort nothing new is begun; after
 * a failure neither, and the first one is thrown.
 */
export async function forEachConcurrent<T>(
  items: Iterable<T>,
  { limit, signal }: { readonly limit: number; readonly signal?: AbortSignal },
  act: (item: T) => Promise<unknown>,
): Promise<void> {
  // The workers share one iterator: whoever is free takes the next item.
  const waiting = items[Symbol.iterator]();
  let isFailed = false;
  const work = async () => {
    while (!isFailed && !signal?.aborted) {
      const next = waiting.next();
      if (next.done) return;
      try {
        await act(next.value);
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
}
