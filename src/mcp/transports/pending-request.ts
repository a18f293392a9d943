import { type CallResult, type OnNotification, UpstreamFailure } from '../mcp-model.ts';
import { AsyncQueue } from './async-queue.ts';

/** A request in flight on a shared connection, until its answer, its time, its caller or the connection is over. */
export class PendingRequest {
  readonly method: string;
  readonly onNotification: OnNotification | undefined;
  readonly #results = new AsyncQueue<CallResult>();
  readonly #onDone: (isAbandoned: boolean) => void;
  #timer: NodeJS.Timeout | undefined;
  #signal: AbortSignal | undefined;

  constructor(
    method: string,
    onNotification: OnNotification | undefined,
    onDone: (isAbandoned: boolean) => void,
  ) {
    this.method = method;
    this.onNotification = onNotification;
    this.#onDone = onDone;
  }

  /** Another so many milliseconds from now. */
  extend(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(expire, ms, this);
  }

  /** The next result, for a caller who may go away meanwhile. */
  take(signal: AbortSignal | undefined): Promise<CallResult> {
    this.#signal = signal;
    signal?.addEventListener('abort', this);
    if (signal?.aborted) this.handleEvent();
    return this.#results.take();
  }

  /** A question: whoever waited may go, and somebody else may bring the answer. */
  ask(question: CallResult): void {
    this.#stopListening();
    this.#results.put(question);
  }

  settle(result: CallResult): void {
    this.finish(false);
    this.#results.put(result);
  }

  fail(error: unknown, isAbandoned = false): void {
    this.finish(isAbandoned);
    this.#results.fail(error);
  }

  /** No longer waited for; `isAbandoned`: the server is still at it and is told to stop. */
  finish(isAbandoned: boolean): void {
    clearTimeout(this.#timer);
    this.#stopListening();
    this.#onDone(isAbandoned);
  }

  /** The signal's call. */
  handleEvent(): void {
    this.fail(new UpstreamFailure('cancelled', 'The caller went away'), true);
  }

  #stopListening(): void {
    this.#signal?.removeEventListener('abort', this);
    this.#signal = undefined;
  }
}

function expire(entry: PendingRequest): void {
  entry.fail(new UpstreamFailure('timeout', 'The server did not answer in time'), true);
}
