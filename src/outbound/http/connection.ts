import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Turn } from '../../base/turn.ts';
import type { ReplyHeaders } from '../model.ts';
import { type ReplyEvents, ReplyReader } from './reply.ts';
import { upload } from './upload.ts';

/** One request on its way, and who hears the reply: bytes that are good for as long as the call takes. It hears `end` or `failed`, once, unless it lets the connection go. */
export type Job = ReplyEvents & {
  readonly method: string;
  /** Request line and fields, but for those of the body. */
  readonly headText: string;
  readonly body: string | Buffer | Readable | undefined;
  /** Of a body that is a stream, where that is known; null: it goes in chunks. */
  readonly sizeBytes: number | null;
  /** Nobody waits for it any more: it need not be begun. */
  readonly isDone: boolean;
  /** It goes out on this connection: from here on the server may have heard of it. */
  begun(connection: Connection): void;
  /** A piece of its body went out. */
  progressed(): void;
  /** From time to time, while it is on a connection: by `performance.now()`. */
  look(now: number): void;
  failed(error: Error): void;
};

/** An open socket, and who hears what comes: bytes that are good for as long as the call takes. */
export type Line = { readonly socket: Socket; hear: (bytes: Buffer) => void };

/** Who keeps connections for later. */
export type Keeper = {
  /** The end of this turn, where it is worth waiting for. */
  turn(): Turn | undefined;
  /** It can carry another job. */
  free(connection: Connection): void;
  /** It is closed. */
  gone(connection: Connection): void;
};

/** Methods that are expected to have a body say so when they have none (RFC 9110 section 8.6). */
const withBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const beyondAscii = /[\x80-\xff]/;

/**
 * One connection to one origin. It carries one exchange at a time: no request goes out before the last reply is whole,
 * and none ever after one that was broken off, on either side (threats D6).
 */
export class Connection implements ReplyEvents {
  /** When it became free. */
  freeSince = 0;
  readonly #socket: Socket;
  readonly #keeper: Keeper;
  readonly #reader = new ReplyReader(this);
  #isOpen = true;
  #job: Job | undefined;
  #stopUpload: (() => void) | undefined;

  constructor(line: Line, keeper: Keeper) {
    const { socket } = line;
    this.#socket = socket;
    this.#keeper = keeper;
    line.hear = (bytes) => this.#take(bytes);
    socket.on('end', () => this.#closed());
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the connection was closed')));
  }

  /** How long the server said that it keeps the connection; undefined: it did not say. */
  get keepAliveMs(): number | undefined {
    return this.#reader.keepAliveMs;
  }

  run(job: Job): void {
    this.#job = job;
    this.#reader.expect(job.method);
    job.begun(this);
    const turn = this.#keeper.turn();
    if (turn === undefined) this.#write(job);
    else
      turn.atEnd(() => {
        if (this.#job === job) this.#write(job);
      });
  }

  look(now: number): void {
    this.#job?.look(now);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes it, whatever is on its way; its job hears nothing more. */
  destroy(): void {
    this.#job = undefined;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stopUpload?.();
    this.#reader.stop();
    this.#socket.destroy();
    this.#keeper.gone(this);
  }

  /** The same; its job hears why. */
  fail(error: Error): void {
    const job = this.#job;
    this.destroy();
    job?.failed(error);
  }

  head(status: number, headers: ReplyHeaders): void {
    this.#job?.head(status, headers);
  }

  data(chunk: Buffer): void {
    this.#job?.data(chunk);
  }

  end(reusable: boolean): void {
    const job = this.#job;
    this.#job = undefined;
    if (reusable && this.#stopUpload === undefined) {
      // Whoever slowed the last reply down does not slow the next one.
      if (this.#socket.isPaused()) this.#socket.resume();
      this.#keeper.free(this);
    } else this.destroy();
    job?.end(reusable);
  }

  #write(job: Job): void {
    const { method, headText, body } = job;
    if (body instanceof Readable) this.#pour(job, body);
    else if (body !== undefined) this.#send(headText, body);
    else
      this.#socket.write(`${headText}${withBody.has(method) ? 'content-length: 0\r\n' : ''}\r\n`, 'latin1');
  }

  #send(headText: string, body: string | Buffer): void {
    const socket = this.#socket;
    const head = `${headText}content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    if (typeof body === 'string' && !beyondAscii.test(head)) {
      socket.write(head + body);
      return;
    }
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body);
    socket.uncork();
  }

  #pour(job: Job, body: Readable): void {
    const { headText, sizeBytes } = job;
    const framing = sizeBytes === null ? 'transfer-encoding: chunked' : `content-length: ${sizeBytes}`;
    this.#socket.write(`${headText}${framing}\r\n\r\n`, 'latin1');
    this.#stopUpload = upload(body, this.#socket, sizeBytes, {
      progressed: () => job.progressed(),
      done: () => {
        this.#stopUpload = undefined;
      },
      failed: (fault) => this.fail(fault),
    });
  }

  #take(bytes: Buffer): void {
    try {
      // Nobody asked for anything.
      if (this.#job === undefined) this.destroy();
      else this.#reader.feed(bytes);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  #closed(): void {
    try {
      this.#reader.close();
    } catch (error) {
      this.fail(error as Error);
    }
    this.destroy();
  }
}
