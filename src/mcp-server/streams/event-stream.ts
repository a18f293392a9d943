import { Readable } from 'node:stream';
import { type JsonParts, joinJson, onOneLine } from '../../base/json-splice.ts';
import type { ByteSource } from '../../outbound/outbound.ts';

/** So often something is sent on a silent stream: proxies keep it, and a client that is gone is found out. */
export const heartbeatMs = 15_000;
const heartbeat = Buffer.from(': \n\n');
/** A client that reads nothing while so much waits for it is cut off (threats C4). */
const maxUnreadBytes = 8_500_000;
const relayedBytes = 65_536;

export const streamHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};
export const streamType = 'text/event-stream';

/** Messages to a client as server-sent events, one message an event. */
export class EventStream {
  readonly body = new Readable({ highWaterMark: relayedBytes, read: () => undefined });
  readonly #beating: NodeJS.Timeout;
  #isEnded = false;

  constructor(onClose: () => void = () => undefined) {
    this.#beating = setInterval(() => this.body.push(heartbeat), heartbeatMs).unref();
    this.body.once('close', () => {
      clearInterval(this.#beating);
      onClose();
    });
  }

  send(message: JsonParts, eventId?: string): void {
    if (this.body.destroyed || this.#isEnded) return;
    const id = eventId === undefined ? '' : `id: ${eventId}\n`;
    this.body.push(Buffer.concat([Buffer.from(`${id}data: `), onOneLine(joinJson(message)), eventEnd]));
    if (this.body.readableLength > maxUnreadBytes) this.body.destroy();
  }

  /** The head goes out with the first byte, and the first message may be far away. */
  open(): void {
    this.body.push(heartbeat);
  }

  end(): void {
    clearInterval(this.#beating);
    if (!this.body.destroyed && !this.#isEnded) this.body.push(null);
    this.#isEnded = true;
  }
}

const eventEnd = Buffer.from('\n\n');

/** A server's own event stream, as fast as the client reads. One that takes nothing from one heartbeat to the next is cut off (threats C4). */
export function relayStream(source: ByteSource): Readable {
  let isFull = false;
  let wasFull = false;
  const body = new Readable({
    highWaterMark: relayedBytes,
    read() {
      isFull = wasFull = false;
      source.resume();
    },
    destroy(error, done) {
      clearInterval(beating);
      source.cancel();
      done(error);
    },
  });
  const beating = setInterval(() => {
    if (!isFull) body.push(heartbeat);
    else if (wasFull) body.destroy();
    wasFull = isFull;
  }, heartbeatMs).unref();
  body.on('error', () => undefined);
  body.push(heartbeat);
  source.flow({
    data(chunk) {
      isFull = !body.push(chunk);
      return !isFull;
    },
    end(failure) {
      clearInterval(beating);
      if (failure === null) body.push(null);
      else body.destroy(failure);
    },
  });
  return body;
}
