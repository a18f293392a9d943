import { type Storage, WriteBehind } from '../../storage/storage.ts';
import type { QueryLogEntry, QueryLogSummary } from '../search-model.ts';
import { createQueryLogStore } from './query-log-store.ts';

export type QueryLog = {
  /** Takes an entry behind the reply; never blocks, never throws. */
  record(entry: QueryLogEntry): void;
  /** Entries given up because the store was too slow or failed. */
  dropped(): number;
  /** What was searched since a time, by everybody. */
  summary(since: number): Promise<QueryLogSummary>;
  /** One key's searches by day since 1970. */
  searchesByDay(keyId: string, since: number): Promise<ReadonlyMap<number, number>>;
  /** Deletes what is older than 90 days and led to nothing, and the oldest beyond two million. */
  prune(now: number): Promise<number>;
  /** Writes what is queued. */
  flush(): Promise<void>;
  close(): Promise<void>;
};

/** About 10 MB of entries: several seconds of full load while the store is away. */
const maxQueued = 20_000;
const batchRows = 500;
const flushMs = 200;
/** Searches that led to a recorded invocation stay as long as it does: they are what is learned from. */
const keptMs = 90 * 86_400_000;
/** About a gigabyte. */
const keptRows = 2_000_000;

/** The query log is written behind the reply: a slow store may cost log entries (counted), never a search. */
export function createQueryLog(deps: { storage: Storage; onError: (error: unknown) => void }): QueryLog {
  const store = createQueryLogStore(deps.storage);
  const queue = new WriteBehind<QueryLogEntry>({
    write: store.append,
    maxQueued,
    batchSize: batchRows,
    gatherMs: flushMs,
    retryMs: null,
    onFailure: deps.onError,
  });
  return {
    record: (entry) => void queue.enqueue(entry),
    dropped: () => queue.dropped,
    summary: store.summary,
    searchesByDay: store.searchesByDay,
    prune: (now) => store.prune(now - keptMs, keptRows),
    flush: () => queue.flush(),
    close: () => queue.close(),
  };
}
