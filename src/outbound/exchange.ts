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
  underWay.waitInTime();
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
  /** Before the request goes out; from then on its connection looks at the time. */
  #waiting: NodeJS.Timeout | undefined;
  #until = Number.POSITIVE_INFINITY;
  #silenceMs = 0;
  #silentSince = 0;

  constructor(destination: Destination, request: OutboundRequest, receiver: Receiver, ended: Ended) {
    const { body, signal, timeoutMs = defaultTimeoutMs, maxBytes = defaultMaxBytes } = request;
    const { method, target = destination.path, headers = {} } = request;
    this.headText = headText({ method, target, host: destination.host, headers });
    this.#destination = destination;
    this.#request = request;
    this.#receiver = receiver;
    this.#ended = ended;
    this.#leftBytes = maxBytes;
    this.extend(timeoutMs);
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
    this.progressed();
    this.#connection?.resume();
  }

  extend(timeoutMs: number): void {
    this.#until = timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
    if (this.#waiting !== undefined) this.waitInTime();
  }

  onOver(act: () => void): void {
    if (this.isDone) act();
    else this.#over = act;
  }

  finish(failure: OutboundFailure | null): void {
    if (this.isDone) return;
    this.isDone = true;
    clearTimeout(this.#waiting);
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
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
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
    this.progressed();
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
    this.extend(drainMs);
  }

  end(): void {
    this.#connection = undefined;
    this.finish(null);
  }

  failed(error: Error): void {
    const failure = this.#failureOf(error);
    this.#connection = undefined;
    this.finish(failure);
  }

  look(now: number): void {
    const isSilent = this.#silenceMs > 0 && !this.#isPaused && now - this.#silentSince >= this.#silenceMs;
    if (!isSilent && now < this.#until) return;
    if (this.isDone) this.#connection?.destroy();
    else this.#stop(this.#late());
  }

  /** For who has to wait for a turn or a connection. */
  waitInTime(): void {
    clearTimeout(this.#waiting);
    if (this.isDone || this.#connection !== undefined || this.#until === Number.POSITIVE_INFINITY) return;
    const leftMs = Math.ceil(this.#until - performance.now());
    this.#waiting = setTimeout(() => this.#stop(this.#late()), leftMs);
  }

  #listenFor(silenceMs = defaultTimeoutMs): void {
    this.#silenceMs = silenceMs;
    this.progressed();
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
