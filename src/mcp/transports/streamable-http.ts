import { createParser, type EventSourceParser } from 'eventsource-parser';
import {
  type Outbound,
  type OutboundCall,
  OutboundFailure,
  type Receiver,
  type ReplyHeaders,
} from '../../outbound/outbound.ts';
import {
  type Credential,
  type Limits,
  type Notice,
  type RpcReply,
  type Step,
  UpstreamFailure,
} from '../mcp-model.ts';
import { notMcp, parseMessages, type RpcMessage, replyIn } from '../messages/rpc-message.ts';
import { askIn, askStep } from '../messages/server-request.ts';
import { Mailbox } from './async-queue.ts';

/** What came back for one POST. `step` is null when the body held no answer to our request. */
export type Posted = {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly step: Step | null;
};

export type Post = {
  readonly text: string;
  /** null: a notification or a response, which is not answered. */
  readonly id: number | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Sends the answer to a server's question, on servers that may ask. */
  readonly respond?: (text: string) => Promise<void>;
  readonly notice?: Notice | undefined;
  /** Lets questions in that come beside this exchange, until the answer is called. */
  readonly join?: ((hear: (message: RpcMessage) => void) => () => void) | undefined;
  /** Nobody waits for the answer any more. */
  readonly giveUp?: () => void;
};

export type Poster = (post: Post) => Promise<Posted>;

/** Of a failed reply this much is worth reading: enough for a JSON-RPC error. */
const failedBytes = 65_536;
/** A server that ends its stream early and wants to be asked again (2025-11-25 polling) is asked so often. */
const maxResumptions = 50;
const maxRetryMs = 5_000;
/** Failures after which the server may still be at it. */
const stillRunning: ReadonlySet<string> = new Set(['cancelled', 'timeout']);

type Wire = {
  readonly outbound: Outbound;
  readonly url: string;
  readonly credential: Credential;
  readonly limits: Limits;
};

/** POSTs of Streamable HTTP: answers as JSON or as an event stream, with the server's questions among the events. */
export function createPoster(wire: Wire): Poster {
  const { outbound, url, limits, credential } = wire;
  let last: { readonly own: object; readonly fields: object; readonly headers: Post['headers'] } | undefined;
  /** All requests of a session have the same fields: they are put together once. */
  const headersFor = (own: Post['headers']): Post['headers'] => {
    const fields = credential.fields('POST', url);
    if (last?.own === own && last.fields === fields) return last.headers;
    // Frozen, so that the head that is made of it can be kept, too.
    const headers = Object.freeze({
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...own,
      ...fields,
    });
    last = { own, fields, headers };
    return headers;
  };
  return async (post) => {
    for (let again = false; ; again = true) {
      const hearing = new Hearing(post, wire);
      hearing.exchange = outbound.stream(
        {
          method: 'POST',
          url,
          headers: headersFor(post.headers),
          body: post.text,
          firstByteMs: limits.firstByteMs,
          // While the caller is asked, the stream is silent for as long as that takes; the whole is bounded all the same.
          idleMs: post.respond === undefined ? limits.idleMs : 0,
          timeoutMs: limits.totalMs,
          maxBytes: limits.maxBytes,
          signal: post.signal,
        },
        hearing,
      );
      const step = await hearing.next();
      const { status, headers } = hearing;
      // Refused before anything ran: to send it again is safe for any call.
      if (again || !credential.heard(status, headers)) return { status, headers, step };
    }
  };
}

/** What is heard of one request: steps in order, then the end (null) or a failure. */
class Hearing implements Receiver {
  status = 0;
  headers: ReplyHeaders = {};
  exchange: OutboundCall | undefined;
  readonly #post: Post;
  readonly #wire: Wire;
  readonly #steps = new Mailbox<Step | null>();
  readonly #chunks: Buffer[] = [];
  readonly #leave: (() => void) | undefined;
  #events: Events | undefined;
  #replied = false;
  #resumptions = 0;

  constructor(post: Post, wire: Wire) {
    this.#post = post;
    this.#wire = wire;
    this.#leave = post.join?.((message) => this.#hear(message));
  }

  next(signal?: AbortSignal): Promise<Step | null> {
    const step = this.#steps.take();
    if (signal === undefined) return step;
    const cancel = () => this.exchange?.cancel();
    signal.addEventListener('abort', cancel);
    return step.finally(() => signal.removeEventListener('abort', cancel));
  }

  head(status: number, headers: ReplyHeaders): void {
    this.status = status;
    this.headers = headers;
    refuseEncoding(headers);
    const stream = status < 300 && isStream(headers);
    this.#events = stream ? createEvents((message) => this.#hear(message)) : undefined;
    if (this.#post.id !== null) return;
    // Nothing more is wanted, and a stream in answer to a notification might stay open for ever.
    this.#steps.put(null);
    if (stream) this.exchange?.cancel();
  }

  data(chunk: Buffer): boolean {
    if (this.#events !== undefined) {
      this.#events.feed(chunk);
      return this.#replied;
    }
    this.#chunks.push(chunk);
    return this.status >= 300 && this.#chunks.reduce((sum, each) => sum + each.length, 0) > failedBytes;
  }

  end(failure: OutboundFailure | null): void {
    try {
      if (failure !== null) throw inOurWords(failure);
      if (this.#events === undefined) this.#readWhole();
      if (this.#replied || this.#resumeStream()) return;
      this.#leave?.();
      this.#steps.put(null);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#leave?.();
    if (error instanceof UpstreamFailure && stillRunning.has(error.reason)) this.#post.giveUp?.();
    this.#steps.fail(error);
  }

  #hear(message: RpcMessage): void {
    if (this.#replied) return;
    const reply = answerTo(this.#post.id, message, this.status);
    if (reply !== null) {
      this.#replied = true;
      this.#leave?.();
      this.#steps.put({ kind: 'reply', reply });
      return;
    }
    const { respond, notice } = this.#post;
    if (message.method !== undefined && message.id === undefined)
      notice?.({ method: message.method, params: message.params });
    if (respond === undefined) return;
    const ask = askIn(message, (text) => void respond(text).catch(() => undefined));
    if (ask === null) return;
    this.exchange?.extend(this.#wire.limits.askMs);
    const next = (signal: AbortSignal | undefined) => this.#goOn(signal);
    this.#steps.put(askStep(ask, { respond, next, abandon: () => this.exchange?.cancel() }));
  }

  async #goOn(signal: AbortSignal | undefined): Promise<Step> {
    this.exchange?.extend(this.#wire.limits.totalMs);
    const step = await this.next(signal);
    if (step === null) throw cutOff();
    return step;
  }

  #readWhole(): void {
    const chunks = this.#chunks;
    if (this.#post.id === null) return;
    const type = String(this.headers['content-type'] ?? '');
    const json = /\bjson\b/i.test(type);
    if (chunks.length === 0 || (!json && this.status >= 300)) return;
    if (!json) throw notMcp(`it answers with ${type.slice(0, 50) || 'no content type'}`);
    const text = chunks.length === 1 ? String(chunks[0]) : Buffer.concat(chunks).toString();
    try {
      for (const message of parseMessages(text)) this.#hear(message);
    } catch (error) {
      // A failed status says enough by itself.
      if (this.status < 300) throw error;
    }
  }

  /** 2025-11-25: a stream that ends before its answer goes on with a GET from the last event. */
  #resumeStream(): boolean {
    const lastId = this.#events?.lastId();
    if (this.#post.respond === undefined || lastId === undefined || ++this.#resumptions > maxResumptions)
      return false;
    setTimeout(() => this.#getFrom(lastId), this.#events?.retryMs() ?? 0);
    return true;
  }

  #getFrom(lastId: string): void {
    const { outbound, url, limits, credential } = this.#wire;
    const { headers, signal } = this.#post;
    try {
      if (signal?.aborted) throw new UpstreamFailure('cancelled', 'The caller went away');
      this.exchange = outbound.stream(
        {
          method: 'GET',
          url,
          headers: {
            accept: 'text/event-stream',
            ...headers,
            ...credential.fields('GET', url),
            'last-event-id': lastId,
          },
          firstByteMs: limits.firstByteMs,
          idleMs: 0,
          timeoutMs: limits.totalMs,
          maxBytes: limits.maxBytes,
          signal,
        },
        this,
      );
    } catch (error) {
      this.#fail(error);
    }
  }
}

/** The reply to our request in a message. A failed status may carry its error under any id or none. */
function answerTo(id: number | null, message: RpcMessage, status: number): RpcReply | null {
  if (id === null) return null;
  const reply = replyIn(message);
  if (reply === null || message.id === id) return reply;
  const unaddressed = status >= 300 || message.id === null || message.id === undefined;
  if (unaddressed && 'error' in reply) return reply;
  throw notMcp('it answered a request that we did not send');
}

type Events = {
  feed(chunk: Buffer): void;
  lastId(): string | undefined;
  retryMs(): number;
};

/** Server-sent events as messages; a priming event (empty data) only tells its id. */
export function createEvents(
  hear: (message: RpcMessage) => void,
  hearOther: (event: string, data: string) => void = () => undefined,
): Events {
  const decoder = new TextDecoder();
  let lastId: string | undefined;
  let retryMs = 0;
  const parser: EventSourceParser = createParser({
    onId: (id) => {
      if (/^[\x20-\x7e]{1,1000}$/.test(id)) lastId = id;
    },
    onRetry: (ms) => {
      retryMs = Math.min(ms, maxRetryMs);
    },
    onEvent: ({ event, data }) => {
      if (event !== undefined && event !== 'message') hearOther(event, data);
      else if (data !== '') for (const message of parseMessages(data)) hear(message);
    },
  });
  return {
    feed: (chunk) => parser.feed(decoder.decode(chunk, { stream: true })),
    lastId: () => lastId,
    retryMs: () => retryMs,
  };
}

export function isStream(headers: ReplyHeaders): boolean {
  return /^text\/event-stream\b/i.test(String(headers['content-type'] ?? ''));
}

/** We ask for none; unpacking what nobody asked for is how a small reply becomes a large one. */
export function refuseEncoding(headers: ReplyHeaders): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity')
    throw notMcp('its reply is compressed although that was not asked for');
}

export function cutOff(): UpstreamFailure {
  return new UpstreamFailure('broken', 'The server ended its reply before the answer');
}

/** Outbound's failures in this room's words. */
export function inOurWords(failure: OutboundFailure): UpstreamFailure {
  const { reason, detail, cause, retryAfterMs } = failure;
  if (cause instanceof UpstreamFailure) return cause;
  return new UpstreamFailure(reason, detail, {
    cause: cause ?? failure,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

export function asFailure(error: unknown): unknown {
  return error instanceof OutboundFailure ? inOurWords(error) : error;
}

export function unauthorised(status: number, headers: ReplyHeaders): UpstreamFailure {
  return new UpstreamFailure('auth', `The server wants other credentials (${status})`, {
    status,
    challenge: [headers['www-authenticate'] ?? ''].flat().join(', '),
  });
}
