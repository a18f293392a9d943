import { rmSync } from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { newLogId } from '../../base/id.ts';
import { type Storage, WriteBehind } from '../../storage/storage.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { CallJournal, readLeftBehind } from './call-journal.ts';
import { type CallQuery, type CallRow, createCallLogStore } from './call-log-store.ts';
import { type CallReports, createCallReports } from './call-report-store.ts';

export type CallEntry = Omit<CallRow, 'id' | 'at'>;

/**
 * Who called what, by which rule, with what end: never changed, bounded in age and number. It goes to the store behind the
 * reply, and into a file before it: a process that is killed loses no call that was answered. What is answered in one turn of
 * the event loop goes into the file together.
 */
export type CallLog = {
  /** Never waits and never throws. */
  record(entry: CallEntry): void;
  /** Writes what was recorded into the file: before anything is answered. Never throws. */
  persist(): void;
  /** Takes in what killed processes left in this data folder. */
  recover(): Promise<void>;
  /** Entries given up because the store was too slow or failed. */
  dropped(): number;
  /** The newest first. */
  read(query: CallQuery): Promise<readonly CallRow[]>;
  /** How many ended in which way, and those of the servers called most hour by hour, since a time. */
  readonly reports: CallReports;
  /** Cuts the link between a user and their calls; answers how many there were. */
  forgetUser(developerId: string, userId: string): Promise<number>;
  prune(): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
};

/** About 30 MB of entries (80 with masked arguments): several seconds of full load while the store is away. */
const maxQueued = 50_000;
/** Half a millisecond of SQLite's: everything else has its turn between two. */
const batchRows = 256;
/** Rows that wait longer grow old in V8's eyes, and are collected with all that is. */
const flushMs = 50;
const retryMs = 1_000;
const keptMs = 90 * 86_400_000;
/** About a gigabyte, and as much again with masked arguments. */
const keptRows = 2_000_000;

export function createCallLog(deps: {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  readonly dataDir: string;
}): CallLog {
  const { storage, clock, log, dataDir } = deps;
  const store = createCallLogStore(storage);
  const reports = createCallReports(storage);
  const journal = createSafeJournal(dataDir, log);
  const queue: WriteBehind<CallRow> = new WriteBehind({
    write: async (rows) => {
      await store.append(rows);
      journal.settle(queue.waiting());
    },
    maxQueued,
    batchSize: batchRows,
    gatherMs: flushMs,
    retryMs,
    onFailure: (error, { kept, dropped }) => log.warn('policy.calls.write_failed', { error, kept, dropped }),
  });
  return {
    record(entry) {
      const at = clock.now();
      const row = { ...entry, id: newLogId('call', at), at };
      if (queue.enqueue(row)) journal.add(row);
    },
    persist: journal.persist,
    async recover() {
      for (const { path, rows } of readLeftBehind(dataDir)) {
        await store.restore(rows as readonly CallRow[]);
        rmSync(path, { force: true });
        log.info('policy.calls.recovered', { calls: rows.length });
      }
    },
    dropped: () => queue.dropped,
    async read(query) {
      await queue.flush();
      return store.read(query);
    },
    async forgetUser(developerId, userId) {
      await queue.flush();
      return store.forgetUser(developerId, userId);
    },
    reports: {
      outcomes: (from) => queue.flush().then(() => reports.outcomes(from)),
      byHour: (from) => queue.flush().then(() => reports.byHour(from)),
    },
    prune: () => store.prune(clock.now() - keptMs, keptRows),
    flush: () => queue.flush(),
    async close() {
      await queue.close();
      journal.close(queue.waiting());
    },
  };
}

/** A folder that cannot be written, or a full disk, is said once, and calls go on. */
function createSafeJournal(
  folder: string,
  log: Log,
): Pick<CallJournal<CallRow>, 'persist' | 'settle' | 'close'> & { add(row: CallRow): void } {
  const journal = new CallJournal<CallRow>(folder);
  let isFailing = false;
  const safely =
    <A extends readonly unknown[]>(act: (...args: A) => void) =>
    (...args: A) => {
      try {
        act(...args);
        isFailing = false;
      } catch (error) {
        if (!isFailing) log.warn('policy.calls.journal_failed', { error });
        isFailing = true;
      }
    };
  const persist = safely(() => journal.persist());
  return {
    add(row) {
      // Nobody may be there any more to be answered.
      if (journal.add(row)) setImmediate(persist);
    },
    persist,
    settle: safely((waiting: readonly CallRow[]) => journal.settle(waiting)),
    close: safely((waiting: readonly CallRow[]) => journal.close(waiting)),
  };
}
