import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { Exchange, Outbound, ReplyHeaders } from '../../outbound/outbound.ts';
import {
  type Credential,
  type Limits,
  type Notice,
  type RpcReply,
  type Step,
  UpstreamFailure,
} from '../model.ts';
import { askIn, askStep } from './asks.ts';
import { createMailbox } from './mailbox.ts';
import { notMcp, parseMessages, type RpcMessage, replyIn } from './message.ts';

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
  readonly join?: (hear: (message: RpcMessage) => void) => () => void;
};

export type Poster = (post: Post) => Promise<Posted>;

/** Of a failed reply this much is worth reading: enough for a JSON-RPC error. */
const failedBytes = 65_536;
/** A server that ends its stream early and wants to be asked again (2025-11-25 polling) is asked so often. */
const maxResumptions = 50;
const maxRetryMs = 5_000;

type HeadersToResume = () => Readonly<Record<string, string>>;
type Wire = { readonly outbound: Outbound; readonly url: string; readonly limits: Limits };

/** POSTs of Streamable HTTP: answers as JSON or as an event stream, with the server's questions among the events. */
export function createPoster(wire: Wire & { readonly credential: Credential }): Poster {
  const { outbound, url, limits, credential } = wire;
  const once: Poster = async (post) => {
    const hearing = createHearing(post, wire);
    const exchange = outbound.stream(
      {
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...post.headers,
          ...credential.fields('POST', url),
        },
        body: post.text,
        firstByteMs: limits.firstByteMs,
        // While the caller is asked, the stream is silent for as long as that takes; the whole is bounded all the same.
        idleMs: post.respond === undefined ? limits.idleMs : 0,
        timeoutMs: limits.totalMs,
        maxBytes: limits.maxBytes,
        ...(post.signal === undefined ? {} : { signal: post.signal }),
      },
      hearing,
    );
    hearing.follow(exchange, () => ({ ...post.headers, ...credential.fields('GET', url) }));
    const step = await hearing.next();
    return { status: hearing.status(), headers: hearing.headers(), step };
  };
  return async (post) => {
    const posted = await once(post);
    // Refused before anything ran: to send it again is safe for any call.
    return credential.heard(posted.status, posted.headers) ? once(post) : posted;
  };
}

/** What is heard of one request: steps in order, then the end (null) or a failure. */
function createHearing(post: Post, { outbound, url, limits }: Wire) {
  const steps = createMailbox<Step | null>();
  const chunks: Buffer[] = [];
  let status = 0;
  let fields: ReplyHeaders = {};
  let events: Events | undefined;
  let exchange: Exchange | undefined;
  let replied = false;
  let resumptions = 0;

  const hear = (message: RpcMessage) => {
    if (replied) return;
    const reply = answerTo(post.id, message, status);
    if (reply !== null) {
      replied = true;
      leave();
      steps.put({ kind: 'reply', reply });
      return;
    }
    const { respond, notice } = post;
    if (message.method !== undefined && message.id === undefined)
      notice?.({ method: message.method, params: message.params });
    if (respond === undefined) return;
    const ask = askIn(message, (text) => void respond(text).catch(() => undefined));
    if (ask === null) return;
    exchange?.extend(limits.askMs);
    steps.put(askStep(ask, { respond, next: resume, abandon: () => exchange?.cancel() }));
  };
  const leave = post.join?.(hear) ?? (() => undefined);
  const end = () => {
    leave();
    steps.put(null);
  };
  const fail = (error: unknown) => {
    leave();
    steps.fail(error);
  };
  const next = async (signal?: AbortSignal): Promise<Step | null> => {
    const cancel = () => exchange?.cancel();
    signal?.addEventListener('abort', cancel);
    try {
      return await steps.take();
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  };
  const resume = async (signal: AbortSignal | undefined): Promise<Step> => {
    exchange?.extend(limits.totalMs);
    const step = await next(signal);
    if (step === null) throw cutOff();
    return step;
  };
  const receiver = {
    head(code: number, headers: ReplyHeaders) {
      status = code;
      fields = headers;
      refuseEncoding(headers);
      const stream = code < 300 && isStream(headers);
      events = stream ? createEvents(hear) : undefined;
      if (post.id !== null) return;
      // Nothing more is wanted, and a stream in answer to a notification might stay open for ever.
      steps.put(null);
      if (stream) exchange?.cancel();
    },
    data(chunk: Buffer) {
      if (events !== undefined) {
        events.feed(chunk);
        return replied;
      }
      chunks.push(chunk);
      return status >= 300 && chunks.reduce((sum, each) => sum + each.length, 0) > failedBytes;
    },
  };
  const readWhole = () => {
    if (post.id === null) return;
    const type = String(fields['content-type'] ?? '');
    const json = /\bjson\b/i.test(type);
    if (chunks.length === 0 || (!json && status >= 300)) return;
    if (!json) throw notMcp(`it answers with ${type.slice(0, 50) || 'no content type'}`);
    const text = chunks.length === 1 ? String(chunks[0]) : Buffer.concat(chunks).toString();
    try {
      for (const message of parseMessages(text)) hear(message);
    } catch (error) {
      // A failed status says enough by itself.
      if (status < 300) throw error;
    }
  };
  const follow = (started: Exchange, headers: HeadersToResume): void => {
    exchange = started;
    started.done.then(
      () => {
        try {
          if (events === undefined) readWhole();
          if (replied || !resumeStream(headers)) end();
        } catch (error) {
          fail(error);
        }
      },
      (error: unknown) => fail(asFailure(error)),
    );
  };
  /** 2025-11-25: a stream that ends before its answer goes on with a GET from the last event. */
  const resumeStream = (headers: HeadersToResume): boolean => {
    const lastId = events?.lastId();
    if (post.respond === undefined || lastId === undefined || ++resumptions > maxResumptions) return false;
    setTimeout(() => {
      if (post.signal?.aborted) return fail(new UpstreamFailure('cancelled', 'The caller went away'));
      try {
        const request = {
          method: 'GET',
          url,
          headers: { accept: 'text/event-stream', ...headers(), 'last-event-id': lastId },
          firstByteMs: limits.firstByteMs,
          idleMs: 0,
          timeoutMs: limits.totalMs,
          maxBytes: limits.maxBytes,
          ...(post.signal === undefined ? {} : { signal: post.signal }),
        };
        follow(outbound.stream(request, receiver), headers);
      } catch (error) {
        fail(asFailure(error));
      }
    }, events?.retryMs() ?? 0);
    return true;
  };
  return { ...receiver, follow, next, status: () => status, headers: () => fields };
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
export function asFailure(error: unknown): unknown {
  if (error instanceof UpstreamFailure || !(error instanceof Error)) return error;
  const { reason, cause, retryAfterMs } = error as Error & {
    reason?: UpstreamFailure['reason'];
    retryAfterMs?: number;
  };
  if (reason === undefined) return error;
  if (cause instanceof UpstreamFailure) return cause;
  return new UpstreamFailure(reason, error.message, {
    cause: cause ?? error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

export function unauthorised(status: number, headers: ReplyHeaders): UpstreamFailure {
  return new UpstreamFailure('auth', `The server wants other credentials (${status})`, {
    status,
    challenge: [headers['www-authenticate'] ?? ''].flat().join(', '),
  });
}
