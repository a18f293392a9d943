import { isLarge, joinLarge } from '../../base/large-json.ts';
import type { OutboundCall, OutboundFailure, Receiver, ReplyHeaders } from '../../outbound/outbound.ts';
import { type CallResult, type RpcReply, UpstreamFailure } from '../mcp-model.ts';
import {
  isSameId,
  notMcp,
  type RpcMessage,
  readLargeMessages,
  readMessages,
  replyIn,
} from '../messages/rpc-message.ts';
import { questionIn, toQuestionResult } from '../messages/server-request.ts';
import { AsyncQueue } from './async-queue.ts';
import type { Endpoint, Post } from './post.ts';
import { cutOff, fromOutbound, isEventStream, refuseEncoding } from './reply-checks.ts';
import { createSseEvents, type SseEvents } from './sse-events.ts';

/** Of a failed reply this much is worth reading: enough for a JSON-RPC error. */
const failedBytes = 65_536;
/** A server that ends its stream early and wants to be asked again (2025-11-25 polling) is asked so often. */
const maxResumptions = 50;
/** Failures after which the server may still be at it. */
const stillRunning: ReadonlySet<string> = new Set(['cancelled', 'timeout']);

/** Reads the reply to one POST: results in order, then the end (null) or a failure. */
export class ResponseReader implements Receiver {
  status = 0;
  headers: ReplyHeaders = {};
  readonly #post: Post;
  readonly #endpoint: Endpoint;
  readonly #results = new AsyncQueue<CallResult | null>();
  readonly #chunks: Buffer[] = [];
  readonly #unsubscribe: (() => void) | undefined;
  #call: OutboundCall | undefined;
  #events: SseEvents | undefined;
  #sizeBytes = 0;
  #replied = false;
  #resumptions = 0;
  #messages = 0;
  #lastMessageAt = performance.now();

  constructor(post: Post, endpoint: Endpoint) {
    this.#post = post;
    this.#endpoint = endpoint;
    this.#unsubscribe = post.subscribe?.((message) => this.#take(message));
  }

  start(call: OutboundCall): void {
    this.#call = call;
  }

  next(signal?: AbortSignal): Promise<CallResult | null> {
    const result = this.#results.take();
    if (signal === undefined) return result;
    const cancel = () => this.#call?.cancel();
    signal.addEventListener('abort', cancel);
    return result.finally(() => signal.removeEventListener('abort', cancel));
  }

  head(status: number, headers: ReplyHeaders): void {
    this.status = status;
    this.headers = headers;
    refuseEncoding(headers);
    const isStream = status < 300 && isEventStream(headers);
    this.#events = isStream ? createSseEvents(this, (message) => this.#take(message)) : undefined;
    if (this.#post.id !== null) return;
    // Nothing more is wanted, and a stream in answer to a notification might stay open for ever.
    this.#results.put(null);
    if (isStream) this.#call?.cancel();
  }

  data(chunk: Buffer): boolean {
    if (this.#events !== undefined) {
      const before = this.#messages;
      this.#events.feed(chunk);
      if (this.#messages === before) this.#expectMessage();
      else this.#lastMessageAt = performance.now();
      return this.#replied;
    }
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length;
    return this.status >= 300 && this.#sizeBytes > failedBytes;
  }

  /** While a large event is read. */
  pause(): void {
    this.#call?.pause();
    this.#events?.reading()?.catch((error: unknown) => {
      this.#fail(error);
      this.#call?.finish();
    });
  }

  resume(): void {
    if (this.#replied) this.#call?.finish();
    else this.#call?.resume();
  }

  end(failure: OutboundFailure | null): void {
    const reading = failure === null ? this.#readLarge() : undefined;
    if (reading === undefined) this.#end(failure);
    else
      reading.then(
        () => this.end(null),
        (error: unknown) => this.#fail(error),
      );
  }

  #readLarge(): Promise<void> | undefined {
    if (this.#events !== undefined) return this.#events.reading();
    return isLarge({ length: this.#sizeBytes }) ? this.#readWholeLarge() : undefined;
  }

  #end(failure: OutboundFailure | null): void {
    try {
      if (failure !== null) throw fromOutbound(failure);
      if (this.#events === undefined && !this.#replied) this.#readWhole();
      if (this.#replied || this.#resumeStream()) return;
      this.#unsubscribe?.();
      this.#results.put(null);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Comments and heartbeats keep a connection open and are no progress of the call. */
  #expectMessage(): void {
    const { idleMs } = this.#endpoint.limits;
    if (this.#post.respond !== undefined || performance.now() - this.#lastMessageAt < idleMs) return;
    throw new UpstreamFailure('timeout', 'The server did not answer in time');
  }

  #fail(error: unknown): void {
    this.#unsubscribe?.();
    if (error instanceof UpstreamFailure && stillRunning.has(error.reason)) this.#post.onAbandoned?.();
    this.#results.fail(error);
  }

  #take(message: RpcMessage): void {
    this.#messages++;
    if (this.#replied) return;
    const reply = replyTo(this.#post.id, message, this.status);
    if (reply !== null) {
      this.#replied = true;
      this.#unsubscribe?.();
      this.#results.put({ kind: 'reply', reply });
      return;
    }
    const { method, id, params } = message;
    if (method === undefined) return;
    if (id === undefined) this.#post.onNotification?.({ method, params: params && [params.span()] });
    else this.#ask(message);
  }

  #ask(message: RpcMessage): void {
    const { respond } = this.#post;
    if (respond === undefined) return;
    const question = questionIn(message, (answer) => void respond(answer).catch(() => undefined));
    if (question === null) return;
    this.#call?.extend(this.#endpoint.limits.questionMs);
    this.#results.put(
      toQuestionResult(question, {
        respond,
        next: (signal) => this.#goOn(signal),
        abandon: () => this.#call?.cancel(),
      }),
    );
  }

  async #goOn(signal: AbortSignal | undefined): Promise<CallResult> {
    this.#call?.extend(this.#endpoint.limits.totalMs);
    const result = await this.next(signal);
    if (result === null) throw cutOff();
    return result;
  }

  #readWhole(): void {
    const [first] = this.#chunks;
    if (this.#post.id === null || first === undefined) return;
    try {
      // JSON is JSON whatever it calls itself; what is not is named by its type.
      for (const message of readMessages(this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)))
        this.#take(message);
    } catch (error) {
      // A failed status says enough by itself.
      if (this.status < 300) throw this.#named(error);
    }
  }

  async #readWholeLarge(): Promise<void> {
    const chunks = this.#chunks.splice(0);
    if (this.#post.id === null) return;
    try {
      const size = this.#sizeBytes;
      this.#sizeBytes = 0;
      const messages = await readLargeMessages(await joinLarge(chunks, size));
      for (const message of messages) this.#take(message);
    } catch (error) {
      throw this.#named(error);
    }
  }

  #named(error: unknown): unknown {
    const type = String(this.headers['content-type'] ?? '');
    return /\bjson\b/i.test(type)
      ? error
      : notMcp(`it answers with ${type.slice(0, 50) || 'no content type'}`, error);
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
    const { outbound, url, limits, credential } = this.#endpoint;
    const { headers, signal } = this.#post;
    try {
      if (signal?.aborted) throw new UpstreamFailure('cancelled', 'The caller went away');
      this.#call = outbound.stream(
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
function replyTo(id: number | null, message: RpcMessage, status: number): RpcReply | null {
  if (id === null) return null;
  const reply = replyIn(message);
  if (reply === null || isSameId(message.id, id)) return reply;
  if ((status >= 300 || message.id === undefined) && 'error' in reply) return reply;
  throw notMcp('it answered a request that we did not send');
}
