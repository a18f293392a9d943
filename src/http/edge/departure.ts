import type { ServerResponse } from 'node:http';
import type { Gone } from '../../outbound/outbound.ts';
import type { Leaving, Line } from './lines.ts';

type Listener = Parameters<Gone['addEventListener']>[1];

/**
 * Tells when a caller goes away before the reply to it is sent. An AbortSignal would do, and costs a tenth of a whole call
 * (measured: 7 of 77 µs).
 */
export class Departure implements Gone, Leaving {
  readonly #line: Line;
  readonly #reply: ServerResponse;
  readonly #listeners: Listener[] = [];

  constructor(line: Line, reply: ServerResponse) {
    this.#line = line;
    this.#reply = reply;
  }

  get aborted(): boolean {
    return !this.#line.isOpen && !this.isOver;
  }

  get isOver(): boolean {
    return this.#reply.writableFinished;
  }

  addEventListener(_type: 'abort', listener: Listener): void {
    if (this.#listeners.push(listener) === 1) this.#line.add(this);
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
    if (at >= 0 && this.#listeners.length === 0) this.#line.remove(this);
  }

  left(): void {
    for (const listener of [...this.#listeners])
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
