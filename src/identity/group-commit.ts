type Waiting<T, R> = {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
};

/** Enough to share the disk's flush, few enough that nobody waits for the others. */
const itemsPerCommit = 64;

/**
 * Group commit: what arrives in one turn of the event loop, or while a write is under way, goes into the next write
 * together; each caller is answered after it, with the result of its own item. A write that fails fails for all of its
 * callers: nothing of it is there.
 */
export function groupCommit<T, R>(
  write: (items: readonly T[]) => Promise<readonly R[]>,
): (item: T) => Promise<R> {
  const queue: Waiting<T, R>[] = [];
  let writing = false;

  const drain = async () => {
    while (queue.length > 0) {
      await new Promise((resume) => setImmediate(resume));
      const batch = queue.splice(0, itemsPerCommit);
      try {
        const results = await write(batch.map(({ item }) => item));
        for (const [i, { resolve }] of batch.entries()) resolve(results[i] as R);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    writing = false;
  };

  return (item) =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject });
      if (writing) return;
      writing = true;
      void drain();
    });
}
