import { createParser } from 'eventsource-parser';
import { UpstreamFailure } from '../mcp-model.ts';
import { notMcp, type RpcMessage, readMessages } from '../messages/rpc-message.ts';

/** A server may ask to be asked again so late at most. */
const maxRetryMs = 5_000;

export type SseEvents = {
  feed(chunk: Buffer): void;
  /** Of the last event that had one: where a new stream goes on. */
  lastId(): string | undefined;
  retryMs(): number;
};

/**
 * Server-sent events as messages. A priming event (empty data) only tells its id; what is no message (`ping`, a
 * heartbeat's object) is not for us and is skipped.
 */
export function createSseEvents(
  onMessage: (message: RpcMessage) => void,
  onOtherEvent: (event: string, data: string) => void = () => undefined,
): SseEvents {
  const wholeLines = createWholeLines();
  let lastId: string | undefined;
  let retryMs = 0;
  const parser = createParser({
    onId: (id) => {
      if (/^[\x20-\x7e]{1,1000}$/.test(id)) lastId = id;
    },
    onRetry: (ms) => {
      retryMs = Math.min(ms, maxRetryMs);
    },
    onEvent: ({ event, data }) => {
      if (event !== undefined && event !== 'message') onOtherEvent(event, data);
      else if (data !== '') for (const message of messagesIn(data)) onMessage(message);
    },
  });
  return {
    feed: (chunk) => parser.feed(wholeLines(chunk)),
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

/** The messages in an event's data; none where it is something else. */
export function messagesIn(data: string): readonly RpcMessage[] {
  try {
    return readMessages(Buffer.from(data)).filter(isRpc);
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

/**
 * Bytes of an event stream as text, whole lines at a time. A parser that is fed pieces looks through all of an unfinished
 * line again with each: an event of 8 MB would cost it a second.
 */
export function createWholeLines(): (chunk: Buffer) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let unfinished: Buffer[] = [];
  return (chunk) => {
    const end = Math.max(chunk.lastIndexOf(lineFeed), chunk.lastIndexOf(carriageReturn)) + 1;
    if (end === 0) {
      unfinished.push(chunk);
      return '';
    }
    const lines = Buffer.concat([...unfinished, chunk.subarray(0, end)]);
    unfinished = end === chunk.length ? [] : [chunk.subarray(end)];
    try {
      return decoder.decode(lines, { stream: true });
    } catch (cause) {
      throw notMcp('what it sent is not UTF-8', cause);
    }
  };
}
