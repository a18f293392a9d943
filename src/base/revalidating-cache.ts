import { type BoundedCache, createBoundedCache } from './bounded-cache.ts';

type Entry<V> = { readonly value: V; readonly readAt: number; readonly tags: readonly string[] };

/**
 * A bounded cache of what was read from a store that others change, least recently used out first.
 *
 * Stale-read guard: a value whose reading began before the last invalidation may be older than the change that was
 * announced; it is good for the call that read it, and is not kept. Every value is read again after `maxAgeMs`, so that
 * an announcement that was missed (the machine slept) does no harm for longer than that. Calls that miss together share
 * one reading (single flight), unless something was invalidated in between.
 */
export class RevalidatingCache<V> {
  readonly #entries: BoundedCache<Entry<V>>;
  readonly #keysByTag = new Map<string, Set<string>>();
  readonly #flights = new Map<string, Promise<V>>();
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  readonly #tagsOf: (value: V) => readonly string[];
  #invalidations = 0;

  constructor(options: {
    readonly max: number;
    readonly maxAgeMs: number;
    readonly now: () => number;
    /** What `invalidate` finds a value by, beside its key. */
    readonly tagsOf?: (value: V) => readonly string[];
  }) {
    this.#entries = createBoundedCache(options.max, { dispose: (entry, key) => this.#unlink(key, entry) });
    this.#maxAgeMs = options.maxAgeMs;
    this.#now = options.now;
    this.#tagsOf = options.tagsOf ?? (() => []);
  }

  /** What is kept and need not be read again. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#now() - entry.readAt < this.#maxAgeMs ? entry.value : undefined;
  }

  /** The same however old: for when the store is away. */
  getStale(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Reads, and keeps what was read. Whatever `read` throws is thrown to all who wait, and nothing is kept of it. */
  load(key: string, read: () => Promise<V>): Promise<V> {
    const running = this.#flights.get(key);
    if (running !== undefined) return running;
    const mark = this.mark();
    const flight = read()
      .then((value) => {
        this.keep(key, value, mark);
        return value;
      })
      .finally(() => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      });
    this.#flights.set(key, flight);
    return flight;
  }

  /** To be taken before a reading whose value is given to `keep`. */
  mark(): number {
    return this.#invalidations;
  }

  keep(key: string, value: V, mark: number): void {
    if (mark !== this.#invalidations) return;
    const tags = this.#tagsOf(value);
    this.#entries.set(key, { value, readAt: this.#now(), tags });
    for (const tag of tags) {
      const keys = this.#keysByTag.get(tag);
      if (keys === undefined) this.#keysByTag.set(tag, new Set([key]));
      else keys.add(key);
    }
  }

  /** Something changed: forgets the value of this key, and those that have it for a tag. */
  invalidate(keyOrTag: string): void {
    this.#invalidations++;
    this.#flights.clear();
    this.#entries.delete(keyOrTag);
    for (const key of [...(this.#keysByTag.get(keyOrTag) ?? [])]) this.#entries.delete(key);
  }

  #unlink(key: string, { tags }: Entry<V>): void {
    for (const tag of tags) {
      const keys = this.#keysByTag.get(tag);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysByTag.delete(tag);
    }
  }
}
