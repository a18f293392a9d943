import { createParser } from 'eventsource-parser';
import { isObject } from '../../base/json.ts';
import type { ByteSource } from '../../outbound/outbound.ts';
import { UpstreamFailure } from '../mcp-model.ts';
import { parseMessages, type RpcMessage, withoutReserved } from '../messages/rpc-message.ts';
import { asFailure } from '../transports/streamable-http.ts';

/** What passes by on its way to a client. */
export type Watch = {
  /** False: this message goes no further. */
  pass(message: RpcMessage): boolean;
  /** An event's id as the client is to know it. */
  eventId(id: string): string;
  /** The server's stream is over; what is still to be said, if anything. A failure that is not thrown ends the client's stream well. */
  end(failure: unknown): RpcMessage | null;
};

/** A server's event stream as its client gets it: message by message, as it comes and as fast as it is read. */
export function relayEvents(source: ByteSource, watch: Watch, maxEventBytes: number): ByteSource {
  return {
    flow(sink) {
      const decoder = new TextDecoder();
      let out = '';
      let retry: number | undefined;
      let over = false;
      const parser = createParser({
        maxBufferSize: maxEventBytes,
        onError({ type }) {
          if (type === 'max-buffer-size-exceeded')
            throw new UpstreamFailure(
              'too_large',
              `The server's message is larger than ${maxEventBytes} bytes`,
            );
        },
        onRetry: (ms) => {
          retry = ms;
        },
        onEvent({ id, event, data }) {
          const passed = event === undefined || event === 'message' ? passedText(data, watch) : data;
          if (passed === null) return;
          out += eventText({
            event,
            id: id === undefined ? undefined : watch.eventId(id),
            retry,
            data: passed,
          });
          retry = undefined;
        },
      });
      const end = (failure: unknown) => {
        if (over) return;
        over = true;
        try {
          const last = watch.end(failure);
          if (last !== null) sink.data(Buffer.from(eventText({ data: JSON.stringify(last) })));
          sink.end(null);
        } catch (error) {
          sink.end(error as Error);
        }
      };
      source.flow({
        data(chunk) {
          if (over) return true;
          try {
            parser.feed(decoder.decode(chunk, { stream: true }));
          } catch (error) {
            end(asFailure(error));
            source.cancel();
            return true;
          }
          const ready = out;
          out = '';
          return ready === '' || sink.data(Buffer.from(ready));
        },
        end: (failure) => end(failure === null ? null : asFailure(failure)),
      });
    },
    resume: source.resume,
    cancel: source.cancel,
  };
}

/** The messages in a text that may go on, without what is between neighbours; null when none is left. */
export function passedText(text: string, watch: Pick<Watch, 'pass'>): string | null {
  // Priming: an event that tells nothing but its id.
  if (text === '') return text;
  const messages = parseMessages(text)
    .filter((message) => watch.pass(message))
    .map(cleaned);
  if (messages.length === 0) return null;
  return JSON.stringify(messages.length === 1 ? messages[0] : messages);
}

export function cleaned(message: RpcMessage): RpcMessage {
  const { params, result } = message;
  return {
    ...message,
    ...(isObject(params) ? { params: withoutReserved(params) } : {}),
    ...(isObject(result) ? { result: withoutReserved(result) } : {}),
  };
}

/** A reply's body, all of it. */
export function readAll(source: ByteSource, maxBytes: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  source.flow({
    data(chunk) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) source.cancel();
      return true;
    },
    end: (failure) =>
      failure === null ? resolve(Buffer.concat(chunks).toString()) : reject(asFailure(failure)),
  });
  return promise;
}

function eventText(fields: {
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
