import type { ServerResponse } from 'node:http';
import type { Gone } from '../../outbound/outbound.ts';

type Listener = Parameters<Gone['addEventListener']>[1];

/**
 * Tells when a caller goes away before the reply to it is sent. An AbortSignal would do, and costs a tenth of a whole call
 * (measured: 7 of 77 µs).
 */
export class Departure implements Gone {
  readonly #reply: ServerResponse;
  #listeners: Listener[] | undefined;

  constructor(reply: ServerResponse) {
    this.#reply = reply;
  }

  get aborted(): boolean {
    return this.#reply.destroyed && !this.#reply.writableFinished;
  }

  addEventListener(_type: 'abort', listener: Listener): void {
    if (this.#listeners === undefined) this.#reply.on('close', () => this.#closed());
    this.#listeners ??= [];
    this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners = this.#listeners?.filter((each) => each !== listener);
  }

  #closed(): void {
    if (this.#reply.writableFinished) return;
    for (const listener of this.#listeners ?? [])
      if (typeof listener === 'function') listener();
      else listener.handleEvent();
  }
}

/** The same for who wants a real one. */
export function signalOf(gone: Gone): AbortSignal {
  const controller = new AbortController();
  if (gone.aborted) controller.abort();
  gone.addEventListener('abort', () => controller.abort());
  return controller.signal;
}
