import { createParser } from 'eventsource-parser';
import { JsonFault } from '../../base/json-scanner.ts';
import { isLarge, joinLarge } from '../../base/large-json.ts';
import { UpstreamFailure } from '../mcp-model.ts';
import { notMcp, type RpcMessage, readLargeMessages, readMessages } from '../messages/rpc-message.ts';

/** A server may ask to be asked again so late at most. */
const maxRetryMs = 5_000;

export type SseEvents = {
  feed(chunk: Buffer): void;
  /** While a large message is read: settles with its last word, rejects with what was wrong with it. */
  reading(): Promise<void> | undefined;
  /** Of the last event that had one: where a new stream goes on. */
  lastId(): string | undefined;
  retryMs(): number;
};

/** Where the bytes come from: nothing more comes while a large message is read. */
export type Source = { pause(): void; resume(): void };

/**
 * Server-sent events as messages, in their order. A priming event (empty data) only tells its id; what is no message
 * (`ping`, a heartbeat's object) is not for us and is skipped. Large ones are read in a thread (`base/large-json.ts`).
 */
export function createSseEvents(
  source: Source,
  onMessage: (message: RpcMessage) => void,
  onOtherEvent: (event: string, data: string) => void = () => undefined,
): SseEvents {
  const lines = createWholeLines();
  let lastId: string | undefined;
  let retryMs = 0;
  let reading: Promise<void> | undefined;
  /** Events that came behind one that is being read. */
  const behind: (() => void)[] = [];

  const give = (event: string | undefined, data: string): void => {
    const isOther = event !== undefined && event !== 'message';
    const pieces = lines.large(data) ?? (isLarge(data) ? [Buffer.from(data)] : undefined);
    if (pieces !== undefined && !isOther) read(pieces);
    else if (isOther) onOtherEvent(event, data);
    else if (data !== '') for (const message of messagesIn(data)) onMessage(message);
  };
  const read = (pieces: readonly Buffer[]): void => {
    const now = readLarge(pieces).then((messages) => {
      for (const message of messages) onMessage(message);
      goOn();
    });
    reading = now;
    // It stays what is being read, for whoever asks.
    now.catch(() => {
      reading = now;
    });
    source.pause();
  };
  const goOn = (): void => {
    reading = undefined;
    for (const each of behind.splice(0)) inTurn(each);
    if (reading === undefined) source.resume();
  };
  const inTurn = (act: () => void): void => {
    if (reading === undefined) act();
    else behind.push(act);
  };
  const parser = createParser({
    onId: (id) => {
      if (/^[\x20-\x7e]{1,1000}$/.test(id)) lastId = id;
    },
    onRetry: (ms) => {
      retryMs = Math.min(ms, maxRetryMs);
    },
    onEvent: ({ event, data }) => inTurn(() => give(event, data)),
  });
  return {
    feed: (chunk) => parser.feed(lines.take(chunk)),
    reading: () => reading,
    lastId: () => lastId,
    retryMs: () => retryMs,
  };
}

/** Of a stream without end: reads each chunk and answers whether there have been more bytes than that since an event ended. */
export function createEventBound(maxBytes: number): (chunk: Buffer) => boolean {
  let sinceEventBytes = 0;
  return (chunk) => {
    const isEnd = blankLines.some((blank) => chunk.includes(blank));
    sinceEventBytes = isEnd ? 0 : sinceEventBytes + chunk.length;
    return sinceEventBytes > maxBytes;
  };
}

/** What ends an event, by all three line ends (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
const blankLines = ['\n\n', '\r\n\r\n', '\r\r'] as const;

async function readLarge(pieces: readonly Buffer[]): Promise<readonly RpcMessage[]> {
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  return readLargeMessages(await joinLarge(pieces, size)).then(
    (messages) => messages.filter(isRpc),
    (error: unknown) => {
      if (error instanceof UpstreamFailure && !isNotUtf8(error.cause)) return [];
      throw error;
    },
  );
}

function isNotUtf8(cause: unknown): boolean {
  return cause instanceof JsonFault && cause.reason === 'utf8';
}

/** The messages in an event's data; none where it is something else. */
export function messagesIn(data: string | Buffer): readonly RpcMessage[] {
  try {
    return readMessages(typeof data === 'string' ? Buffer.from(data) : data).filter(isRpc);
  } catch (error) {
    if (error instanceof UpstreamFailure) return [];
    throw error;
  }
}

/** A heartbeat's object has none of a message's members. */
function isRpc({ method, result, error, view }: RpcMessage): boolean {
  return (
    method !== undefined || result !== undefined || error !== undefined || view.get('jsonrpc') !== undefined
  );
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Bytes of an event stream as text, whole lines at a time. */
export type WholeLines = {
  take(chunk: Buffer): string;
  /** The bytes of an event's data, in pieces, where one of its lines is large; they are forgotten with that. */
  large(data: string): readonly Buffer[] | undefined;
};

/**
 * A parser that is fed pieces looks through all of an unfinished line again with each: an event of 8 MB would cost it a
 * second. So it is fed whole lines; and of a large one of data it is given a name, of which no text that is UTF-8 has the
 * first letter (half a surrogate pair). Other large lines are comments, or fields that nobody reads, and are left out.
 */
export function createWholeLines(): WholeLines {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let unfinished: Buffer[] = [];
  let unfinishedBytes = 0;
  const kept = new Map<string, readonly Buffer[]>();

  const decode = (bytes: Buffer): string => {
    try {
      return decoder.decode(bytes, { stream: true });
    } catch (cause) {
      throw notMcp('what it sent is not UTF-8', cause);
    }
  };
  const nameLarge = (line: readonly Buffer[]): string => {
    const [first, ...rest] = line;
    const start =
      first === undefined ? null : /^\ufeff?data: ?/.exec(first.toString('utf8', 0, firstWordBytes));
    if (first === undefined || start === null) return '';
    const name = `${loneSurrogate}${kept.size}`;
    kept.set(name, [first.subarray(Buffer.byteLength(start[0])), ...rest]);
    return `data:${name}`;
  };
  const keep = (chunk: Buffer): void => {
    // Its first word is looked at, however small the pieces.
    const isShort = unfinishedBytes < firstWordBytes;
    if (isShort) unfinished = [Buffer.concat([...unfinished, chunk])];
    else unfinished.push(chunk);
    unfinishedBytes += chunk.length;
  };
  return {
    take(chunk) {
      const end = Math.max(chunk.lastIndexOf(lineFeed), chunk.lastIndexOf(carriageReturn)) + 1;
      if (end === 0) {
        keep(chunk);
        return '';
      }
      const firstEnd = firstLineEnd(chunk);
      const isFirstLarge = isLarge({ length: unfinishedBytes + firstEnd });
      const named = isFirstLarge ? nameLarge([...unfinished, chunk.subarray(0, firstEnd)]) : '';
      const whole = isFirstLarge
        ? chunk.subarray(firstEnd, end)
        : Buffer.concat([...unfinished, chunk.subarray(0, end)]);
      unfinished = end === chunk.length ? [] : [chunk.subarray(end)];
      unfinishedBytes = chunk.length - end;
      return named + decode(whole);
    },
    large(data) {
      if (kept.size === 0) return undefined;
      const pieces = data
        .split('\n')
        .flatMap((line, i) => [
          ...(i === 0 ? [] : [Buffer.of(lineFeed)]),
          ...(kept.get(line) ?? [Buffer.from(line)]),
        ]);
      kept.clear();
      return pieces;
    },
  };
}

const loneSurrogate = '\ud800';
/** A byte-order mark, `data`, colon, blank. */
const firstWordBytes = 9;

function firstLineEnd(chunk: Buffer): number {
  const ends = [chunk.indexOf(lineFeed), chunk.indexOf(carriageReturn)].filter((end) => end >= 0);
  return Math.min(...ends);
}
