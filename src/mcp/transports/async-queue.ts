/** An async queue for one reader: items in order, and after `fail` only the failure. */
export class AsyncQueue<T> {
  readonly #items: T[] = [];
  #reader: PromiseWithResolvers<T> | undefined;
  #failure: { readonly error: unknown } | undefined;

  put(item: T): void {
    if (this.#reader === undefined) this.#items.push(item);
    else this.#reader.resolve(item);
    this.#reader = undefined;
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#reader?.reject(error);
    this.#reader = undefined;
  }

  take(): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    this.#reader = Promise.withResolvers<T>();
    return this.#reader.promise;
  }
}
