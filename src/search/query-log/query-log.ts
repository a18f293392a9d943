import type { Storage } from '../../storage/storage.ts';
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
  let queue: QueryLogEntry[] = [];
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue.slice(0, batchRows);
      queue = queue.slice(batchRows);
      try {
        await store.append(batch);
      } catch (error) {
        dropped += batch.length;
        deps.onError(error);
      }
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing ??= drain().finally(() => {
      writing = undefined;
    });
    return writing;
  };

  return {
    record(entry) {
      if (queue.length >= maxQueued) {
        dropped++;
        return;
      }
      queue.push(entry);
      timer ??= setTimeout(flush, flushMs);
    },
    dropped: () => dropped,
    summary: store.summary,
    searchesByDay: store.searchesByDay,
    prune: (now) => store.prune(now - keptMs, keptRows),
    flush,
    close: flush,
  };
}
