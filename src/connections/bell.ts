/** Waits for news of one id; the news itself is read from the store. */
export type Bell = {
  ring(id: string): void;
  /** Settles at the next ring, after `ms`, or when the caller goes away. */
  wait(id: string, ms: number, signal?: AbortSignal): Promise<void>;
};

export function createBell(): Bell {
  const waiting = new Map<string, Set<() => void>>();
  return {
    ring(id) {
      for (const wake of [...(waiting.get(id) ?? [])]) wake();
    },
    wait: (id, ms, signal) =>
      new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', wake);
          ears.delete(wake);
          if (ears.size === 0 && waiting.get(id) === ears) waiting.delete(id);
          resolve();
        };
        const ears = waiting.get(id) ?? new Set();
        waiting.set(id, ears.add(wake));
        const timer = setTimeout(wake, ms);
        if (signal?.aborted) wake();
        else signal?.addEventListener('abort', wake);
      }),
  };
}
