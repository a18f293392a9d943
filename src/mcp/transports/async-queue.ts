/** Hands things over between who hears them and the one who waits for them, in order; after `fail` only the failure. */
export class Mailbox<T> {
  readonly #items: T[] = [];
  #waiting: PromiseWithResolvers<T> | undefined;
  #failure: { readonly error: unknown } | undefined;

  put(item: T): void {
    if (this.#waiting === undefined) this.#items.push(item);
    else this.#waiting.resolve(item);
    this.#waiting = undefined;
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  take(): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    this.#waiting = Promise.withResolvers<T>();
    return this.#waiting.promise;
  }
}
