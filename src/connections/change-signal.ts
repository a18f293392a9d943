/** A wake-up signal per id (a condition variable): whoever waits reads the state itself again, from the store. */
export type ChangeSignal = {
  notify(id: string): void;
  /** Settles at the next notification, after `ms`, or when the caller goes away. */
  wait(id: string, ms: number, signal?: AbortSignal): Promise<void>;
};

export function createChangeSignal(): ChangeSignal {
  const waiters = new Map<string, Set<() => void>>();
  return {
    notify(id) {
      for (const wake of [...(waiters.get(id) ?? [])]) wake();
    },
    wait: (id, ms, signal) =>
      new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', wake);
          waiting.delete(wake);
          if (waiting.size === 0 && waiters.get(id) === waiting) waiters.delete(id);
          resolve();
        };
        const waiting = waiters.get(id) ?? new Set();
        waiters.set(id, waiting.add(wake));
        const timer = setTimeout(wake, ms);
        if (signal?.aborted) wake();
        else signal?.addEventListener('abort', wake);
      }),
  };
}
