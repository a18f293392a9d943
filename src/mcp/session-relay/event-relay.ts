import { createParser } from 'eventsource-parser';
import { changeMembers, type JsonParts, joinJson, onOneLine } from '../../base/json-splice.ts';
import { isLarge, joinLarge } from '../../base/large-json.ts';
import type { ByteSink, ByteSource } from '../../outbound/outbound.ts';
import { UpstreamFailure } from '../mcp-model.ts';
import {
  type RpcMessage,
  readLargeMessages,
  readMessages,
  withoutReservedMeta,
} from '../messages/rpc-message.ts';
import { toFailure } from '../transports/reply-checks.ts';
import { createWholeLines, messagesIn } from '../transports/sse-events.ts';

/** Looks at what passes by on its way to a client, and holds back what must not pass. */
export type StreamFilter = {
  /** False: this message goes no further. */
  pass(message: RpcMessage): boolean;
  /** Whether what the client asked for has passed. */
  isSettled(): boolean;
  /** An event's id as the client is to know it. */
  eventId(id: string): string;
  /** The server's stream is over, well (null) or not; what is still to be said, if anything. */
  end(failure: unknown): Buffer | null;
};

type RelayOptions = {
  readonly maxEventBytes: number;
  /** The client takes its answer as JSON, too. */
  readonly takesJson: boolean;
};

/** After so long without a word the stream begins: proxies end a request of which they hear nothing. */
const silentMs = 15_000;
/** Read ahead of whoever reads. */
const heldBytes = 65_536;

/** A server's event stream as its client gets it: message by message, as it comes and as fast as it is read. */
export class EventRelay implements ByteSource {
  /** The answer, where it is the first thing that there is to tell and may be JSON; null: the stream has it. */
  readonly answer: Promise<Buffer | null>;
  readonly #source: ByteSource;
  readonly #filter: StreamFilter;
  readonly #events: EventReader;
  #settleAnswer: ((answer: Buffer | null) => void) | undefined;
  #held = '';
  #sink: ByteSink | undefined;
  #isOver = false;

  constructor(source: ByteSource, filter: StreamFilter, { maxEventBytes, takesJson }: RelayOptions) {
    this.#source = source;
    this.#filter = filter;
    this.#events = createEventReader(filter, maxEventBytes);
    this.answer = takesJson ? this.#awaitFirst() : Promise.resolve(null);
    source.flow({
      data: (chunk) => this.#take(chunk),
      end: (failure) => this.#end(failure === null ? null : toFailure(failure)),
    });
  }

  flow(sink: ByteSink): void {
    this.#sink = sink;
    const isReady = this.#held === '' || sink.data(Buffer.from(this.#held));
    if (this.#isOver) sink.end(null);
    else if (isReady) this.#source.resume();
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(): void {
    this.#source.cancel();
  }

  finish(): void {
    this.#source.finish();
  }

  #awaitFirst(): Promise<Buffer | null> {
    const { promise, resolve } = Promise.withResolvers<Buffer | null>();
    const silence = setTimeout(() => this.#settleAnswer?.(null), silentMs).unref();
    this.#settleAnswer = (answer) => {
      this.#settleAnswer = undefined;
      clearTimeout(silence);
      resolve(answer);
    };
    return promise;
  }

  #take(chunk: Buffer): boolean {
    if (this.#isOver) return true;
    try {
      const events = this.#events.take(chunk);
      const [first] = events;
      if (first === undefined) return true;
      const settle = this.#settleAnswer;
      if (
        settle === undefined ||
        events.length > 1 ||
        !Buffer.isBuffer(first.data) ||
        !this.#filter.isSettled()
      )
        return this.#tell(events);
      this.#isOver = true;
      settle(first.data);
      this.#source.finish();
      return true;
    } catch (error) {
      this.#end(toFailure(error));
      this.#source.cancel();
      return true;
    }
  }

  #tell(events: readonly RelayedEvent[]): boolean {
    const text = events.map(writeEvent).join('');
    if (this.#sink !== undefined) return this.#sink.data(Buffer.from(text));
    this.#held += text;
    this.#settleAnswer?.(null);
    return this.#held.length < heldBytes;
  }

  #end(failure: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const last = this.#filter.end(failure);
    if (this.#settleAnswer !== undefined) this.#settleAnswer(last);
    else if (last !== null) this.#tell([{ data: last }]);
    this.#sink?.end(null);
  }
}

type RelayedEvent = {
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  readonly retry?: number | undefined;
  /** Messages, or what is said beside them. */
  readonly data: Buffer | string;
};
type EventReader = { take(chunk: Buffer): readonly RelayedEvent[] };

/** Events as they come in, without what must not pass. */
function createEventReader(filter: StreamFilter, maxEventBytes: number): EventReader {
  const wholeLines = createWholeLines();
  let unfinishedBytes = 0;
  let ready: RelayedEvent[] = [];
  let retry: number | undefined;
  const parser = createParser({
    maxBufferSize: maxEventBytes,
    onError({ type }) {
      if (type === 'max-buffer-size-exceeded') throw tooLarge(maxEventBytes);
    },
    onRetry: (ms) => {
      retry = ms;
    },
    onEvent({ id, event, data }) {
      // A priming event is empty.
      const isMessage = data !== '' && (event === undefined || event === 'message');
      const pieces = wholeLines.large(data);
      const text = pieces === undefined ? data : Buffer.concat(pieces);
      const passed = isMessage ? filterMessages(messagesIn(text), filter) : text;
      if (passed === null) return;
      ready.push({ event, id: id === undefined ? undefined : filter.eventId(id), retry, data: passed });
      retry = undefined;
    },
  });
  return {
    take(chunk) {
      const lines = wholeLines.take(chunk);
      unfinishedBytes = lines === '' ? unfinishedBytes + chunk.length : 0;
      if (unfinishedBytes > maxEventBytes) throw tooLarge(maxEventBytes);
      parser.feed(lines);
      const taken = ready;
      ready = [];
      return taken;
    },
  };
}

function tooLarge(maxBytes: number): UpstreamFailure {
  return new UpstreamFailure('too_large', `The server's message is larger than ${maxBytes} bytes`);
}

/** A JSON body as it goes on; null when nothing of it does. */
export async function filterBody(bytes: Buffer, filter: StreamFilter): Promise<Buffer | null> {
  return filterMessages(isLarge(bytes) ? await readLargeMessages(bytes) : readMessages(bytes), filter);
}

function filterMessages(messages: readonly RpcMessage[], filter: StreamFilter): Buffer | null {
  const passed = messages.filter((message) => filter.pass(message)).map(stripReservedMeta);
  if (passed.length === 0) return null;
  if (passed.length === 1) return joinJson(passed[0] ?? []);
  return joinJson(['[', ...passed.flatMap((parts, i) => (i === 0 ? parts : [',', ...parts])), ']']);
}

/** A message without what the protocol itself says in the `_meta` of its params or result. */
export function stripReservedMeta({ view, params, result, error }: RpcMessage): JsonParts {
  const changes: Record<string, JsonParts | null> = {};
  // A null beside a result or an error says nothing, and clients refuse it.
  if (result !== undefined && view.get('error')?.kind === 'null') changes.error = null;
  if (error !== undefined && view.get('result')?.kind === 'null') changes.result = null;
  if (params?.kind === 'object' && params.get('_meta') !== undefined)
    changes.params = withoutReservedMeta(params);
  if (result?.kind === 'object' && result.get('_meta') !== undefined)
    changes.result = withoutReservedMeta(result);
  return Object.keys(changes).length === 0 ? [view.span()] : changeMembers(view, changes);
}

/** A reply's body, all of it. */
export function readAll(source: ByteSource, maxBytes: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  source.flow({
    data(chunk) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) source.cancel();
      return true;
    },
    end(failure) {
      if (failure !== null) reject(toFailure(failure));
      else resolve(isLarge({ length: sizeBytes }) ? joinLarge(chunks, sizeBytes) : Buffer.concat(chunks));
    },
  });
  return promise;
}

function writeEvent({ event, id, retry, data }: RelayedEvent): string {
  const all = [
    ...(event === undefined ? [] : [`event: ${event}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(retry === undefined ? [] : [`retry: ${retry}`]),
    ...lines(data).map((line) => `data: ${line}`),
  ];
  return `${all.join('\n')}\n\n`;
}

function lines(data: Buffer | string): readonly string[] {
  return typeof data === 'string' ? data.split('\n') : [onOneLine(data).toString()];
}
