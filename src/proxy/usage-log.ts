import { WriteBehind } from '../storage/storage.ts';

/** Calls made with one grant by one key since the last line of the audit trail about them. */
export type Usage = {
  readonly developerId: string;
  readonly userId: string;
  readonly keyId: string;
  readonly connectionId: string;
  readonly provider: string;
  readonly calls: number;
};

/** A line of the trail covers so long: one for each call would cost more than the call. */
const gatherMs = 1_000;
/** Grants in use within one second; beyond it the trail is short of lines rather than the process of memory. */
const maxQueued = 100_000;

/**
 * Every use of a credential comes into the audit trail (threats O2), summed up by second, grant and key. When the store
 * is away the counts are kept and written later; no call waits for them.
 */
export function createUsageLog(
  record: (usage: readonly Usage[]) => Promise<void>,
  onError: (error: unknown) => void,
): WriteBehind<Usage> {
  return new WriteBehind<Usage>({
    write: record,
    gatherMs,
    retryMs: gatherMs,
    maxQueued,
    batchSize: 1_000,
    onFailure: onError,
    keyOf: ({ connectionId, keyId }) => `${connectionId}\n${keyId}`,
    merge: (waiting, { calls }) => ({ ...waiting, calls: waiting.calls + calls }),
  });
}
