/** A wake-up signal per id (a condition variable): whoever waits reads the state itself again, from the store. */
export class ChangeSignal {
  readonly #waiters = new Map<string, Set<() => void>>();

  notify(id: string): void {
    for (const wake of [...(this.#waiters.get(id) ?? [])]) wake();
  }

  /** Settles at the next notification, after `ms`, or when the caller goes away. */
  wait(id: string, ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const waiting = this.#waiters.get(id) ?? new Set();
    this.#waiters.set(id, waiting.add(wake));
    const timer = setTimeout(wake, ms);
    if (signal?.aborted) wake();
    else signal?.addEventListener('abort', wake);
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', wake);
      waiting.delete(wake);
      if (waiting.size === 0 && this.#waiters.get(id) === waiting) this.#waiters.delete(id);
    });
  }
}
