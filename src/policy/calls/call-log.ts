import type { Clock } from '../../base/clock.ts';
import { newLogId } from '../../base/id.ts';
import { type Storage, WriteBehind } from '../../storage/storage.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { type CallQuery, type CallRow, createCallLogStore } from './call-log-store.ts';

export type CallEntry = Omit<CallRow, 'id' | 'at'>;

/** Who called what, by which rule, with what end: written behind the reply, never changed, bounded in age and number. */
export type CallLog = {
  /** Never waits and never throws. */
  record(entry: CallEntry): void;
  /** Entries given up because the store was too slow or failed. */
  dropped(): number;
  /** The newest first. */
  read(query: CallQuery): Promise<readonly CallRow[]>;
  /** Cuts the link between a user and their calls; answers how many there were. */
  forgetUser(developerId: string, userId: string): Promise<number>;
  prune(): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
};

/** About 30 MB of entries: several seconds of full load while the store is away. */
const maxQueued = 50_000;
const batchRows = 1_000;
const flushMs = 200;
const retryMs = 1_000;
const keptMs = 90 * 86_400_000;
/** About a gigabyte. */
const keptRows = 2_000_000;

export function createCallLog(deps: {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
}): CallLog {
  const { storage, clock, log } = deps;
  const store = createCallLogStore(storage);
  const queue = new WriteBehind<CallRow>({
    write: store.append,
    maxQueued,
    batchSize: batchRows,
    gatherMs: flushMs,
    retryMs,
    onFailure: (error, { kept, dropped }) => log.warn('policy.calls.write_failed', { error, kept, dropped }),
  });
  return {
    record(entry) {
      const at = clock.now();
      queue.enqueue({ ...entry, id: newLogId('call', at), at });
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
    prune: () => store.prune(clock.now() - keptMs, keptRows),
    flush: () => queue.flush(),
    close: () => queue.close(),
  };
}
