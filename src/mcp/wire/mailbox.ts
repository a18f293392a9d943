/** Hands things over between who hears them and who waits for them, in order; after `fail` only the failure. */
export type Mailbox<T> = {
  put(item: T): void;
  fail(error: unknown): void;
  take(): Promise<T>;
};

export function createMailbox<T>(): Mailbox<T> {
  const items: T[] = [];
  const waiting: { resolve: (item: T) => void; reject: (error: unknown) => void }[] = [];
  let failure: { readonly error: unknown } | undefined;
  return {
    put(item) {
      const next = waiting.shift();
      if (next === undefined) items.push(item);
      else next.resolve(item);
    },
    fail(error) {
      failure ??= { error };
      for (const each of waiting.splice(0)) each.reject(error);
    },
    take() {
      const item = items.shift();
      if (item !== undefined) return Promise.resolve(item);
      if (failure !== undefined) return Promise.reject(failure.error);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
  };
}
