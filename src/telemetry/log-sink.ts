import { constants, fstatSync, openSync, type Stats, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

export type LogSinkLimits = {
  /** What waits for a reader that has stopped reading. */
  readonly maxWaitingBytes: number;
  /** For how long the last words of a process wait for it. */
  readonly flushMs: number;
};

/** Some thousands of lines. */
const defaultLimits: LogSinkLimits = { maxWaitingBytes: 1_048_576, flushMs: 1_000 };
/** Written at once when the reader is back: a pipe holds as much. */
const chunkBytes = 65_536;
const lookAgainMs = 50;
const standardError = 2;

/**
 * Lines to a file descriptor whose reader may stop reading. A line goes out at once where there is room, so that nothing of
 * a crash is missing; where there is none, it waits, and beyond a bound it is dropped and counted. Nothing ever waits for it.
 */
export class LogSink {
  readonly #fd: number;
  readonly #limits: LogSinkLimits;
  /** Lines in order; of the first one the beginning may be out. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #untold = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Called when everything that waited is out, with how many lines were not kept. */
  readonly #onDropped: (lines: number) => void;

  constructor(fd: number, onDropped: (lines: number) => void, limits: LogSinkLimits = defaultLimits) {
    this.#fd = fd;
    this.#onDropped = onDropped;
    this.#limits = limits;
  }

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    const written = this.#waitingBytes > 0 ? 0 : this.#tryWrite(bytes);
    if (written === bytes.length) return;
    // What was begun is brought to its end.
    if (written === 0 && this.#waitingBytes + bytes.length > this.#limits.maxWaitingBytes) {
      this.#drop(1);
      return;
    }
    this.#waiting.push(bytes.subarray(written));
    this.#waitingBytes += bytes.length - written;
    this.#timer ??= setInterval(() => this.#drain(), lookAgainMs).unref();
  }

  /** Waits for the reader, but not for ever: for the end of the process. */
  flush(): void {
    const until = performance.now() + this.#limits.flushMs;
    const sleeping = new Int32Array(new SharedArrayBuffer(4));
    while (!this.#drain() && performance.now() < until) Atomics.wait(sleeping, 0, 0, lookAgainMs / 5);
  }

  /** Whether everything is out. */
  #drain(): boolean {
    while (this.#waitingBytes > 0) {
      const chunk = this.#nextChunk();
      const written = this.#tryWrite(chunk);
      this.#waitingBytes -= written;
      if (written < chunk.length) {
        this.#waiting.unshift(chunk.subarray(written));
        return false;
      }
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
    const untold = this.#untold;
    this.#untold = 0;
    if (untold > 0) this.#onDropped(untold);
    return this.#waitingBytes === 0;
  }

  #nextChunk(): Buffer {
    let bytes = 0;
    let lines = 0;
    while (lines < this.#waiting.length && bytes < chunkBytes) bytes += this.#waiting[lines++]?.length ?? 0;
    return Buffer.concat(this.#waiting.splice(0, lines));
  }

  /** How much of it is out; 0 where there is no room. */
  #tryWrite(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN' || code === 'EINTR') return 0;
      // Nobody will ever read it: no reason to stop, and nowhere to say so.
      this.#drop(bytes.toString('latin1').split('\n').length - 1);
      return bytes.length;
    }
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#untold += lines;
  }
}

let descriptor: number | undefined;

/** A sink to standard error, whose reader gets what is left when the process ends. */
export function standardErrorSink(onDropped: (lines: number) => void): LogSink {
  descriptor ??= openStandardError();
  const sink = new LogSink(descriptor, onDropped);
  process.once('exit', () => sink.flush());
  return sink;
}

/** Standard error so that writing to it never waits, where the system can do that: pipes, sockets, terminals. */
function openStandardError(): number {
  const stats = fstatSync(standardError);
  if (stats.isFile()) return standardError;
  return reopened(stats) ?? unblocked(stats);
}

/** An opening of our own: what else writes there goes on as it did. Sockets cannot be opened again. */
function reopened(stats: Stats): number | undefined {
  if (!stats.isFIFO() && !isatty(standardError)) return undefined;
  try {
    return openSync('/dev/fd/2', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}

/** Node's own stream for a pipe or a socket makes the descriptor non-blocking when it is first looked at. */
function unblocked(stats: Stats): number {
  if (stats.isFIFO() || stats.isSocket()) process.stderr.on('error', () => undefined);
  return standardError;
}
