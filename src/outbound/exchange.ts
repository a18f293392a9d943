import { Readable } from 'node:stream';
import type { Connection, Job } from './http/connection.ts';
import type { Connections, Origin } from './http/connections.ts';
import { headText } from './http/request.ts';
import { BodyFault } from './http/upload.ts';
import {
  type FailureReason,
  OutboundFailure,
  type OutboundRequest,
  type Receiver,
  type ReplyHeaders,
} from './model.ts';

const defaultTimeoutMs = 30_000;
const defaultMaxBytes = 8_000_000;
/** After the receiver has enough, the rest of a reply is worth this much: the connection can then be used again. */
const drainBytes = 65_536;
const drainMs = 200;

/** What ended it, for the breaker beside the promise: an upstream that answered is alive, whatever it said. */
export type Ended = (answered: boolean, reason: FailureReason | null) => void;

/** A checked URL, in the pieces that are needed for each exchange. */
export type Destination = Origin & { readonly host: string; readonly path: string };

/** An exchange under way. */
export type Exchange = {
  cancel(): void;
  /** Reads no further, so that the upstream is slowed down, until `resume`. */
  pause(): void;
  resume(): void;
  /** Another so many milliseconds from now for the whole of it. */
  extend(timeoutMs: number): void;
  /** For one beside the receiver who wants to know when it is over, well or not. */
  onOver(act: () => void): void;
};

/**
 * One exchange, as soon as it has its turn. Nothing is decompressed and no redirect is followed. Throws `invalid_request`
 * for what would not be one request; that takes no turn.
 */
export function exchange(
  connections: Connections,
  destination: Destination,
  request: OutboundRequest,
  receiver: Receiver,
  gate: { readonly enter: () => undefined | Promise<void>; readonly ended: Ended },
): Exchange {
  const underWay = new UnderWay(destination, request, receiver, gate.ended);
  const turn = gate.enter();
  if (turn === undefined) underWay.start(connections);
  else
    turn.then(
      () => underWay.start(connections),
      (failure: OutboundFailure) => underWay.finish(failure),
    );
  underWay.watchTime();
  return underWay;
}

/** What its owner holds and what the connection tells, in one object: there is one for every call that goes out. */
class UnderWay implements Exchange, Job {
  isDone = false;
  readonly headText: string;
  readonly #destination: Destination;
  readonly #request: OutboundRequest;
  readonly #receiver: Receiver;
  readonly #ended: Ended;
  /** Holds a place among the calls to its origin, and gives it back at the end. */
  #hasTurn = false;
  /** The one that carries it, for as long as it does. */
  #connection: Connection | undefined;
  #over: (() => void) | undefined;
  #answered = false;
  #isPaused = false;
  #leftBytes: number;
  /** One for all that may take too long: the whole of it, and silence. It is set anew only where it would come too late. */
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #until = Number.POSITIVE_INFINITY;
  #silentSince = 0;
  #silenceMs = 0;

  constructor(destination: Destination, request: OutboundRequest, receiver: Receiver, ended: Ended) {
    const { body, signal, timeoutMs = defaultTimeoutMs, maxBytes = defaultMaxBytes } = request;
    const { method, target = destination.path, headers = {} } = request;
    this.headText = headText({ method, target, host: destination.host, headers });
    this.#destination = destination;
    this.#request = request;
    this.#receiver = receiver;
    this.#ended = ended;
    this.#leftBytes = maxBytes;
    if (timeoutMs > 0) this.#until = performance.now() + timeoutMs;
    signal?.addEventListener('abort', this);
    if (signal?.aborted) this.cancel();
    // A body that breaks off is the caller's doing: it says nothing about the upstream.
    if (body instanceof Readable) body.once('error', (error) => this.cancel(error));
  }

  get method(): string {
    return this.#request.method;
  }

  get body(): OutboundRequest['body'] {
    return this.#request.body;
  }

  get sizeBytes(): number | null {
    return this.#request.sizeBytes ?? null;
  }

  start(connections: Connections): void {
    if (this.isDone) {
      // The caller had gone before the place came: the next one shall have it.
      this.#ended(false, 'cancelled');
      return;
    }
    this.#hasTurn = true;
    connections.send(this.#destination, this);
  }

  /** The signal's call. */
  handleEvent(): void {
    this.cancel();
  }

  cancel(cause?: unknown): void {
    this.#stop(new OutboundFailure('cancelled', 'The caller went away', cause));
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#silentSince = performance.now();
    this.#connection?.resume();
  }

  extend(timeoutMs: number): void {
    this.#until = timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
    this.watchTime();
  }

  onOver(act: () => void): void {
    if (this.isDone) act();
    else this.#over = act;
  }

  finish(failure: OutboundFailure | null): void {
    if (this.isDone) return;
    this.isDone = true;
    clearTimeout(this.#timer);
    const { signal, body } = this.#request;
    signal?.removeEventListener('abort', this);
    // Nobody takes the rest of it.
    if (body instanceof Readable && !body.readableEnded) body.destroy();
    if (this.#hasTurn) this.#ended(this.#answered, failure?.reason ?? null);
    this.#receiver.end(failure);
    this.#over?.();
  }

  begun(connection: Connection): void {
    this.#connection = connection;
    this.#listenFor(this.#request.firstByteMs);
  }

  progressed(): void {
    this.#silentSince = performance.now();
  }

  head(status: number, headers: ReplyHeaders): void {
    if (this.isDone) return;
    this.#answered = true;
    this.#listenFor(this.#request.idleMs);
    try {
      this.#receiver.head(status, headers);
    } catch (error) {
      this.#stop(this.#unusable(error));
    }
  }

  data(chunk: Buffer): void {
    this.#leftBytes -= chunk.length;
    if (this.isDone) {
      if (this.#leftBytes < 0) this.#connection?.destroy();
      return;
    }
    this.#silentSince = performance.now();
    if (this.#leftBytes < 0) {
      const maxBytes = this.#request.maxBytes ?? defaultMaxBytes;
      this.#stop(new OutboundFailure('too_large', `The reply is larger than ${maxBytes} bytes`));
      return;
    }
    try {
      // The receiver may keep it; the next reading overwrites what it came in.
      if (!this.#receiver.data(Buffer.from(chunk)) || this.isDone) return;
    } catch (error) {
      this.#stop(this.#unusable(error));
      return;
    }
    this.finish(null);
    this.#leftBytes = drainBytes;
    this.#timer = setTimeout(() => this.#connection?.destroy(), drainMs).unref();
  }

  end(): void {
    this.#connection = undefined;
    clearTimeout(this.#timer);
    this.finish(null);
  }

  failed(error: Error): void {
    const failure = this.#failureOf(error);
    this.#connection = undefined;
    clearTimeout(this.#timer);
    this.finish(failure);
  }

  /** Sets the timer where none would come in time. */
  watchTime(): void {
    const listens = this.#silenceMs > 0 && !this.#isPaused;
    const at = Math.min(this.#until, listens ? this.#silentSince + this.#silenceMs : this.#until);
    if (this.isDone || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(lookAt, Math.ceil(at - performance.now()), this);
  }

  /** The timer came: time may have been given meanwhile. */
  look(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    const isSilent = this.#silenceMs > 0 && !this.#isPaused && now - this.#silentSince >= this.#silenceMs;
    if (isSilent || now >= this.#until) this.#stop(this.#late());
    else this.watchTime();
  }

  #listenFor(silenceMs = defaultTimeoutMs): void {
    this.#silenceMs = silenceMs;
    this.#silentSince = performance.now();
    if (this.#timer !== undefined) this.watchTime();
  }

  #stop(failure: OutboundFailure): void {
    if (this.isDone) return;
    this.finish(failure);
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  #late(): OutboundFailure {
    const { host } = this.#destination;
    // Before the request went out, slowness is unreachability: it may be tried again without harm.
    return this.#connection === undefined
      ? new OutboundFailure('refused', `${host} cannot be reached`)
      : new OutboundFailure('timeout', `${host} did not answer in time`);
  }

  #unusable(error: unknown): OutboundFailure {
    if (error instanceof OutboundFailure) return error;
    return new OutboundFailure('broken', `${this.#destination.host} sent something unusable`, error);
  }

  #failureOf(error: Error): OutboundFailure {
    const { host } = this.#destination;
    if (error instanceof BodyFault) return new OutboundFailure('cancelled', 'The caller went away', error);
    if (this.#connection === undefined)
      return new OutboundFailure('refused', `${host} cannot be reached`, error);
    return new OutboundFailure('broken', `${host} broke the connection or did not speak HTTP`, error);
  }
}

function lookAt(underWay: UnderWay): void {
  underWay.look();
}
