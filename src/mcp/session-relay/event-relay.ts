import { createParser } from 'eventsource-parser';
import { changeMembers, type JsonParts, joinJson, onOneLine } from '../../base/json-splice.ts';
import type { ByteSource } from '../../outbound/outbound.ts';
import { UpstreamFailure } from '../mcp-model.ts';
import { type RpcMessage, readMessages, withoutReservedMeta } from '../messages/rpc-message.ts';
import { toFailure } from '../transports/reply-checks.ts';
import { createWholeLines, messagesIn } from '../transports/sse-events.ts';

/** Looks at what passes by on its way to a client, and holds back what must not pass. */
export type StreamFilter = {
  /** False: this message goes no further. */
  pass(message: RpcMessage): boolean;
  /** An event's id as the client is to know it. */
  eventId(id: string): string;
  /** The server's stream is over; what is still to be said, if anything. A failure that is not thrown ends the client's stream well. */
  end(failure: unknown): Buffer | null;
};

/** A server's event stream as its client gets it: message by message, as it comes and as fast as it is read. */
export function relayEvents(source: ByteSource, filter: StreamFilter, maxEventBytes: number): ByteSource {
  return {
    flow(sink) {
      const events = createEventWriter(filter, maxEventBytes);
      let isOver = false;
      const end = (failure: unknown) => {
        if (isOver) return;
        isOver = true;
        try {
          const last = filter.end(failure);
          if (last !== null) sink.data(Buffer.from(writeEvent({ data: onOneLine(last).toString() })));
          sink.end(null);
        } catch (error) {
          sink.end(error as Error);
        }
      };
      source.flow({
        data(chunk) {
          if (isOver) return true;
          try {
            const ready = events.take(chunk);
            return ready === '' || sink.data(Buffer.from(ready));
          } catch (error) {
            end(toFailure(error));
            source.cancel();
            return true;
          }
        },
        end: (failure) => end(failure === null ? null : toFailure(failure)),
      });
    },
    resume: () => source.resume(),
    cancel: () => source.cancel(),
  };
}

/** Events as they come in, as text that goes out. */
function createEventWriter(filter: StreamFilter, maxEventBytes: number): { take(chunk: Buffer): string } {
  const wholeLines = createWholeLines();
  let unfinishedBytes = 0;
  let out = '';
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
      const passed = event === undefined || event === 'message' ? filterData(data, filter) : data;
      if (passed === null) return;
      out += writeEvent({
        event,
        id: id === undefined ? undefined : filter.eventId(id),
        retry,
        data: passed,
      });
      retry = undefined;
    },
  });
  return {
    take(chunk) {
      const lines = wholeLines(chunk);
      unfinishedBytes = lines === '' ? unfinishedBytes + chunk.length : 0;
      if (unfinishedBytes > maxEventBytes) throw tooLarge(maxEventBytes);
      parser.feed(lines);
      const ready = out;
      out = '';
      return ready;
    },
  };
}

function tooLarge(maxBytes: number): UpstreamFailure {
  return new UpstreamFailure('too_large', `The server's message is larger than ${maxBytes} bytes`);
}

/** An event's data as it goes on; null when nothing of it does. A priming event is empty and passes. */
function filterData(data: string, filter: StreamFilter): string | null {
  if (data === '') return data;
  const passed = filterMessages(messagesIn(data), filter);
  return passed === null ? null : onOneLine(passed).toString();
}

/** A JSON body as it goes on; null when nothing of it does. */
export function filterBody(bytes: Buffer, filter: StreamFilter): Buffer | null {
  return filterMessages(readMessages(bytes), filter);
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
    end: (failure) => (failure === null ? resolve(Buffer.concat(chunks)) : reject(toFailure(failure))),
  });
  return promise;
}

function writeEvent(fields: {
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  readonly retry?: number | undefined;
  readonly data: string;
}): string {
  const { event, id, retry, data } = fields;
  const lines = [
    ...(event === undefined ? [] : [`event: ${event}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(retry === undefined ? [] : [`retry: ${retry}`]),
    ...data.split('\n').map((line) => `data: ${line}`),
  ];
  return `${lines.join('\n')}\n\n`;
}
