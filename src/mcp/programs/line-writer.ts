import type { Writable } from 'node:stream';
import { onOneLine } from '../../base/json-splice.ts';
import { UpstreamFailure } from '../mcp-model.ts';

/** A program that does not read what it is sent holds so much of our memory, and no more. */
const maxUnsentBytes = 8_000_000;
/** A burst of large calls is more than that for a moment; a program that takes nothing of it for so long is broken. */
const stalledMs = 3_000;
const newline = Buffer.from('\n');

/**
 * A program's input, one message a line. Lines of one tick of the event loop go out together: a write costs more than all
 * else that a message takes. While too much waits for the program, it is given no more; while it reads nothing at all, it
 * is broken.
 */
export class LineWriter {
  readonly #stream: Writable;
  readonly #onStalled: (failure: UpstreamFailure) => void;
  #lines: Buffer[] = [];
  #gatheredBytes = 0;
  /** Of all that was written to it, what the system has not taken yet. */
  #unsentBytes = 0;
  #stalling: NodeJS.Timeout | undefined;

  constructor(stream: Writable, onStalled: (failure: UpstreamFailure) => void) {
    this.#stream = stream;
    this.#onStalled = onStalled;
  }

  /** Throws where too much waits; one message alone may be larger. */
  write(message: Buffer): undefined {
    if (this.#unsentBytes > 0 && this.#unsentBytes + message.length > maxUnsentBytes) {
      this.#watch();
      throw new UpstreamFailure('refused', 'The program does not read what it is sent', {
        retryAfterMs: stalledMs,
      });
    }
    if (this.#lines.length === 0) setImmediate(() => this.#flush());
    this.#lines.push(onOneLine(message), newline);
    this.#gatheredBytes += message.length;
    this.#unsentBytes += message.length;
  }

  #flush(): void {
    const all = Buffer.concat(this.#lines);
    const sizeBytes = this.#gatheredBytes;
    this.#lines = [];
    this.#gatheredBytes = 0;
    this.#stream.write(all, () => {
      this.#unsentBytes -= sizeBytes;
      clearTimeout(this.#stalling);
      this.#stalling = undefined;
    });
  }

  /** From the first message that it was not given, until it takes something. */
  #watch(): void {
    this.#stalling ??= setTimeout(
      () => this.#onStalled(new UpstreamFailure('broken', 'The program stopped reading what it was sent')),
      stalledMs,
    ).unref();
  }
}
