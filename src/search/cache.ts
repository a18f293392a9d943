/** Least recently used first out, bounded in bytes. */
export type ByteCache<V> = {
  get(key: string): V | undefined;
  set(key: string, value: V, bytes: number): void;
  clear(): void;
  stats(): { entries: number; bytes: number };
};

/** Made free at once when there is no room: a Map finds its oldest entry by passing all that were deleted before it. */
const slackShare = 1 / 256;

export function createByteCache<V>(maxBytes: number): ByteCache<V> {
  const entries = new Map<string, { value: V; bytes: number }>();
  const slackBytes = Math.floor(maxBytes * slackShare);
  let total = 0;
  const drop = (key: string) => {
    total -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };
  const makeRoom = () => {
    for (const oldest of entries.keys()) {
      drop(oldest);
      if (total <= maxBytes - slackBytes) return;
    }
  };
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      // A Map keeps insertion order: put back last, the entry is the youngest.
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, bytes) {
      drop(key);
      if (bytes > maxBytes) return;
      entries.set(key, { value, bytes });
      total += bytes;
      if (total > maxBytes) makeRoom();
    },
    clear() {
      entries.clear();
      total = 0;
    },
    stats: () => ({ entries: entries.size, bytes: total }),
  };
}
