import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Admission } from './admission/admission.ts';
import type { Waiter } from './admission/concurrency-limit.ts';
import { checkReply } from './checks/reply-headers.ts';
import type { Destination } from './checks/upstream-url.ts';
import { waitForTurn, workInTurn } from './connect/read-turns.ts';
import type { Deadlines, Timed } from './deadlines.ts';
import type { DispatchOptions, Handler } from './dispatcher.ts';
import {
  broken,
  cancelled,
  isBodyFault,
  tooLarge,
  tooLate,
  unreachable,
  unusable,
} from './outbound-failures.ts';
import type {
  FailureReason,
  OutboundCall,
  OutboundFailure,
  OutboundRequest,
  Receiver,
  ReplyHeaders,
} from './outbound-model.ts';

type Controller = Dispatcher.DispatchController;

const defaultTimeoutMs = 30_000;
const defaultMaxBytes = 8_000_000;
/** A call that is not on a connection by then is refused; a look-up and a handshake may take five seconds each. */
const startTimeoutMs = 10_000;
/** After the receiver has enough, the rest of a reply is worth this much: the connection can then be used again. */
const drainBytes = 65_536;
const drainMs = 200;
/** What is read of a reply without waiting for a turn: most are no larger. */
const atOnceBytes = 262_144;
/** Informational replies (1xx) before the final one. */
const maxInformational = 16;

/** What calls of one kind have in common. */
export type CallLane = {
  readonly admission: Admission;
  readonly deadlines: Deadlines;
  readonly dispatch: (destination: Destination, options: DispatchOptions, handler: Handler) => void;
};

/**
 * One request under way: what its owner holds, and undici's handler. Queued, then sent, then replying, then done; what
 * comes after that is drained. There is one for every call that goes out, so it is one object and makes few others.
 */
export class HttpCall implements OutboundCall, Handler, Timed {
  slot = -1;
  readonly #destination: Destination;
  readonly #request: OutboundRequest;
  readonly #receiver: Receiver;
  readonly #lane: CallLane;
  #phase: 'queued' | 'sent' | 'replying' | 'done' = 'queued';
  /** Of the places among the calls to its origin. */
  #place: 'none' | 'waiting' | 'held' = 'none';
  #waiter: Waiter | undefined;
  #isDispatched = false;
  #controller: Controller | undefined;
  #onEnd: (() => void) | undefined;
  #isPaused = false;
  #leftBytes: number;
  #readBytes = 0;
  #informational = 0;
  readonly #startBy: number;
  #endBy = Number.POSITIVE_INFINITY;
  #silenceMs = 0;
  #lastProgress = 0;

  constructor(destination: Destination, request: OutboundRequest, receiver: Receiver, lane: CallLane) {
    const { timeoutMs = defaultTimeoutMs, maxBytes = defaultMaxBytes } = request;
    this.#destination = destination;
    this.#request = request;
    this.#receiver = receiver;
    this.#lane = lane;
    this.#leftBytes = maxBytes;
    this.#startBy = performance.now() + startTimeoutMs;
    this.extend(timeoutMs);
  }

  /** Sends it as soon as it has its place. */
  start(options: DispatchOptions): void {
    const { body, signal } = this.#request;
    if (signal?.aborted) {
      this.cancel();
      return;
    }
    this.#lane.deadlines.add(this);
    signal?.addEventListener('abort', this);
    // A body that breaks off is the caller's doing: it says nothing about the upstream.
    if (body instanceof Readable) body.once('error', (error) => this.cancel(error));
    try {
      this.#waiter = this.#lane.admission.enter(this.#destination.host);
    } catch (error) {
      queueMicrotask(() => this.fail(error as OutboundFailure));
      return;
    }
    if (this.#waiter === undefined) {
      this.#dispatch(options);
      return;
    }
    this.#place = 'waiting';
    this.#waiter.turn.then(
      () => this.#dispatch(options),
      (failure: OutboundFailure) => this.fail(failure),
    );
  }

  get isDone(): boolean {
    return this.#phase === 'done';
  }

  /** The signal's call. */
  handleEvent(): void {
    this.cancel();
  }

  cancel(cause?: unknown): void {
    this.fail(cancelled(cause));
  }

  finish(): void {
    this.#finish(null);
    this.#leftBytes = drainBytes;
    this.extend(drainMs);
    if (this.#isPaused) this.resume();
  }

  fail(failure: OutboundFailure): void {
    if (this.isDone) return;
    this.#finish(failure);
    this.#controller?.abort(failure);
  }

  pause(): void {
    this.#isPaused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#lastProgress = performance.now();
    this.#controller?.resume();
  }

  extend(timeoutMs: number): void {
    this.#endBy = timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  }

  onEnd(listener: () => void): void {
    if (this.isDone) listener();
    else this.#onEnd = listener;
  }

  onRequestStart(controller: Controller): void {
    // Given up meanwhile. Nor is a request ever sent a second time: only who knows what it means may repeat it.
    if (this.#phase !== 'queued') {
      controller.abort(new Error('nobody waits for it'));
      return;
    }
    this.#phase = 'sent';
    this.#controller = controller;
    this.#expectWithin(this.#request.firstByteMs);
    if (this.#isPaused) controller.pause();
  }

  onBodySent(): void {
    this.#lastProgress = performance.now();
  }

  onResponseStart(_controller: Controller, status: number, headers: ReplyHeaders): void {
    if (this.isDone) return;
    try {
      checkReply(status, headers);
      if (status < 200) {
        if (++this.#informational > maxInformational) throw new Error('it announces without end');
        return;
      }
      this.#phase = 'replying';
      this.#expectWithin(this.#request.idleMs);
      this.#receiver.head(status, headers);
    } catch (error) {
      this.fail(unusable(this.#destination.host, error));
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#leftBytes -= chunk.length;
    if (this.isDone) {
      if (this.#leftBytes < 0) controller.abort(new Error('nobody reads the rest'));
      return;
    }
    if (this.#leftBytes < 0) {
      const { maxBytes = defaultMaxBytes } = this.#request;
      this.fail(tooLarge(maxBytes));
      return;
    }
    this.#lastProgress = performance.now();
    try {
      if (!this.#give(chunk) || this.isDone) return void this.#readOnInTurn(controller, chunk);
    } catch (error) {
      this.fail(unusable(this.#destination.host, error));
      return;
    }
    this.finish();
  }

  get #isLarge(): boolean {
    return this.#readBytes > atOnceBytes;
  }

  #give(chunk: Buffer): boolean {
    return this.#isLarge ? workInTurn(() => this.#receiver.data(chunk)) : this.#receiver.data(chunk);
  }

  #readOnInTurn(controller: Controller, { length }: Buffer): void {
    this.#readBytes += length;
    if (!this.#isLarge || this.#isPaused || this.isDone) return;
    controller.pause();
    waitForTurn(() => this.#isPaused || controller.resume());
  }

  onResponseEnd(): void {
    this.#finish(null);
    this.#settle();
  }

  onResponseError(_controller: Controller | null, error: Error): void {
    this.#finish(this.#failureOf(error));
    this.#settle();
  }

  checkTime(now: number): void {
    const isSilent = this.#silenceMs > 0 && !this.#isPaused && now - this.#lastProgress >= this.#silenceMs;
    const isLate = now >= this.#endBy || isSilent || (this.#phase === 'queued' && now >= this.#startBy);
    if (!isLate) return;
    const { host } = this.#destination;
    // Whoever has enough of it has been told already.
    if (this.isDone) this.#controller?.abort(new Error('nobody reads the rest'));
    // Before the request went out, slowness is unreachability: it may be tried again without harm.
    else this.fail(this.#phase === 'queued' ? unreachable(host) : tooLate(host));
  }

  #expectWithin(silenceMs = defaultTimeoutMs): void {
    this.#silenceMs = silenceMs;
    this.#lastProgress = performance.now();
  }

  #dispatch(options: DispatchOptions): void {
    this.#place = 'held';
    // The caller had gone before its turn came: the next one shall have it.
    if (this.isDone) this.#release();
    else {
      this.#isDispatched = true;
      this.#lane.dispatch(this.#destination, options, this);
    }
  }

  #finish(failure: OutboundFailure | null): void {
    if (this.isDone) return;
    const { signal, body } = this.#request;
    const answered = this.#phase === 'replying';
    this.#phase = 'done';
    this.#silenceMs = 0;
    signal?.removeEventListener('abort', this);
    // Nobody takes the rest of it.
    if (body instanceof Readable && !body.readableEnded) body.destroy();
    this.#report(answered, failure?.reason ?? null);
    // Otherwise it keeps its place until undici lets go of it: a place is a socket, or one that is being connected.
    if (!this.#isDispatched) this.#settle();
    if (this.#isLarge) workInTurn(() => this.#receiver.end(failure));
    else this.#receiver.end(failure);
    this.#onEnd?.();
  }

  #report(answered: boolean, reason: FailureReason | null): void {
    if (this.#place === 'none') return;
    const failed = reason === 'refused' || reason === 'timeout' || (reason === 'broken' && !answered);
    const isNeutral = this.#place === 'waiting' || reason === 'cancelled';
    this.#lane.admission.report(this.#destination.host, isNeutral ? 'neutral' : failed ? 'failed' : 'ok');
  }

  /** Nothing more comes. */
  #settle(): void {
    this.#lane.deadlines.delete(this);
    this.#controller = undefined;
    this.#release();
  }

  #release(): void {
    if (this.#place === 'waiting') this.#waiter?.leave();
    else if (this.#place === 'held') this.#lane.admission.leave(this.#destination.host);
    this.#place = 'none';
  }

  #failureOf(error: Error): OutboundFailure {
    const { host } = this.#destination;
    if (this.#phase === 'queued') return unreachable(host, error);
    return isBodyFault(error) && this.#request.body instanceof Readable
      ? cancelled(error)
      : broken(host, error);
  }
}
