import { Problem } from '../base/problem.ts';

export type WriteBehindOptions<T, R> = {
  /** Writes a batch as one transaction: all of it or nothing. Answers one result an item, in their order. */
  readonly write: (batch: readonly T[]) => Promise<[R] extends [null] ? void : readonly R[]>;
  /** Items that may wait; beyond it they are refused, so that a slow store costs entries and no memory. */
  readonly maxQueued: number;
  readonly batchSize: number;
  /** How long items gather before a write; 0: to the end of this turn of the event loop. */
  readonly gatherMs: number;
  /** When a write failed: null gives its items up, a number keeps them for the next try after so long. */
  readonly retryMs: number | null;
  /** Of each failed write: how many of its items are still queued, and how many were given up. */
  readonly onFailure?: (error: unknown, items: { readonly kept: number; readonly dropped: number }) => void;
  /** Items with the same key that wait together become one. Without it, or where it answers null, each stays its own. */
  readonly keyOf?: (item: T) => string | null;
  /** What two with one key become; what it throws, `enqueue` and `commit` throw. The first one, unless given. */
  readonly merge?: (waiting: T, item: T) => T;
};

type Waiter<R> = { readonly resolve: (result: R) => void; readonly reject: (error: unknown) => void };
type Entry<T, R> = { item: T; readonly key: string | null; readonly waiters: Waiter<R>[] };

/**
 * Write-behind queue and group commit: what arrives together, or while a write is under way, goes into the next batch.
 *
 * - `enqueue` is for what nobody waits for. It never waits and never fails; a full queue refuses (false, and counted).
 * - `commit` is for callers that need to know: it resolves once the batch is written, with the item's own result, and
 *   rejects when the write failed or the queue is full. Such an item is not tried again: its caller may.
 * - One write at a time, and between two of them other work of the process gets its turn.
 * - `flush` writes everything that waits, at once, and rejects when the store failed and items had to stay.
 * - `close` refuses whatever comes later, flushes, and never rejects; what could not be written has gone to `onFailure`.
 */
export class WriteBehind<T, R = null> {
  readonly #options: WriteBehindOptions<T, R>;
  #queue: Entry<T, R>[] = [];
  readonly #byKey = new Map<string, Entry<T, R>>();
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Of the last write, if it failed and its items were kept. */
  #failure: { readonly error: unknown } | undefined;
  #dropped = 0;
  #isClosed = false;

  constructor(options: WriteBehindOptions<T, R>) {
    this.#options = options;
  }

  /** How many items wait. */
  get size(): number {
    return this.#queue.length;
  }

  /** The items that wait; none of the batch that is being written. */
  waiting(): readonly T[] {
    return this.#queue.map(({ item }) => item);
  }

  get isFull(): boolean {
    return this.#isClosed || this.#queue.length >= this.#options.maxQueued;
  }

  /** Items refused or given up since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  enqueue(item: T): boolean {
    if (this.#add(item) === null) {
      this.#dropped++;
      return false;
    }
    this.#startLater();
    return true;
  }

  async commit(item: T): Promise<R> {
    const entry = this.#add(item);
    if (entry === null) {
      const detail = this.#isClosed ? 'Shutting down' : 'Too much is waiting to be written';
      throw new Problem('unavailable', detail, { retryAfterMs: 1_000 });
    }
    const { promise, ...waiter } = Promise.withResolvers<R>();
    entry.waiters.push(waiter);
    this.#start();
    return promise;
  }

  async flush(): Promise<void> {
    while (this.#queue.length > 0 || this.#writing !== undefined) {
      this.#start();
      await this.#writing;
      if (this.#failure !== undefined) throw this.#failure.error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush().catch(() => undefined);
    clearTimeout(this.#timer);
  }

  /** The entry it went into; null: there is no room. */
  #add(item: T): Entry<T, R> | null {
    const key = this.#options.keyOf?.(item) ?? null;
    const waiting = key === null ? undefined : this.#byKey.get(key);
    if (waiting !== undefined && !this.#isClosed) {
      waiting.item = this.#options.merge?.(waiting.item, item) ?? waiting.item;
      return waiting;
    }
    if (this.isFull) return null;
    const entry = { item, key, waiters: [] };
    this.#queue.push(entry);
    if (key !== null) this.#byKey.set(key, entry);
    return entry;
  }

  #startLater(): void {
    // After a failure the next try is under way already: the store is not asked again with every item.
    if (this.#writing !== undefined || this.#timer !== undefined) return;
    if (this.#options.gatherMs === 0) this.#start();
    else this.#startIn(this.#options.gatherMs);
  }

  #startIn(ms: number): void {
    this.#timer = setTimeout(() => this.#start(), ms).unref();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
      if (this.#queue.length === 0) return;
      if (this.#failure !== undefined) this.#startIn(this.#options.retryMs ?? 0);
      else this.#start();
    });
  }

  async #drain(): Promise<void> {
    this.#failure = undefined;
    while (this.#queue.length > 0 && this.#failure === undefined) {
      await new Promise((resume) => setImmediate(resume));
      const batch = this.#takeBatch();
      try {
        const results = (await this.#options.write(batch.map(({ item }) => item))) as
          | readonly R[]
          | undefined;
        for (const [i, { waiters }] of batch.entries())
          for (const waiter of waiters) waiter.resolve(results?.[i] as R);
      } catch (error) {
        this.#handleFailure(batch, error);
      }
    }
  }

  #takeBatch(): Entry<T, R>[] {
    const batch = this.#queue.splice(0, this.#options.batchSize);
    for (const { key } of batch) if (key !== null) this.#byKey.delete(key);
    return batch;
  }

  /** Callers that wait get the error; the others' items are kept for the next try, or given up. */
  #handleFailure(batch: readonly Entry<T, R>[], error: unknown): void {
    for (const { waiters } of batch) for (const waiter of waiters) waiter.reject(error);
    const unawaited = batch.filter(({ waiters }) => waiters.length === 0);
    if (unawaited.length === 0) return;
    if (this.#options.retryMs === null) {
      this.#dropped += unawaited.length;
      this.#options.onFailure?.(error, { kept: 0, dropped: unawaited.length });
      return;
    }
    this.#failure = { error };
    this.#putBack(unawaited);
    this.#options.onFailure?.(error, { kept: unawaited.length, dropped: 0 });
  }

  /** Both were accepted already: where they do not go together, the first one stays. */
  #mergeOrFirst(first: T, second: T): T {
    try {
      return this.#options.merge?.(first, second) ?? second;
    } catch {
      return first;
    }
  }

  #putBack(entries: readonly Entry<T, R>[]): void {
    const first = entries.filter(({ key, item }) => {
      const waiting = key === null ? undefined : this.#byKey.get(key);
      if (waiting === undefined) return true;
      waiting.item = this.#mergeOrFirst(item, waiting.item);
      return false;
    });
    this.#queue = first.concat(this.#queue);
    for (const entry of first) if (entry.key !== null) this.#byKey.set(entry.key, entry);
  }
}
