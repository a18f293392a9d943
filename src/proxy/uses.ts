/** Calls made with one grant by one key since the last line of the audit trail about them. */
export type Use = {
  readonly developerId: string;
  readonly userId: string;
  readonly keyId: string;
  readonly connectionId: string;
  readonly provider: string;
  calls: number;
};

export type Uses = {
  add(use: Omit<Use, 'calls'>): void;
  /** Writes what is counted so far. */
  flush(): Promise<void>;
};

/** A line of the trail covers so long: one for each call would cost more than the call. */
const gatherMs = 1_000;

/**
 * Every use of a credential comes into the audit trail (threats O2), gathered by second. When the store is away the
 * counts are kept and written later; no call waits for them.
 */
export function createUses(
  record: (uses: readonly Use[]) => Promise<void>,
  onError: (error: unknown) => void,
): Uses {
  let counted = new Map<string, Use>();
  let timer: NodeJS.Timeout | undefined;

  const add = (use: Omit<Use, 'calls'>, calls: number) => {
    const id = `${use.connectionId}\n${use.keyId}`;
    const known = counted.get(id);
    if (known === undefined) counted.set(id, { ...use, calls });
    else known.calls += calls;
    timer ??= setTimeout(() => void flush(), gatherMs).unref();
  };
  const flush = async () => {
    clearTimeout(timer);
    timer = undefined;
    if (counted.size === 0) return;
    const uses = [...counted.values()];
    counted = new Map();
    try {
      await record(uses);
    } catch (error) {
      onError(error);
      for (const { calls, ...use } of uses) add(use, calls);
    }
  };
  return { add: (use) => add(use, 1), flush };
}
