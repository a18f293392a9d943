import type { Readable } from 'node:stream';
import { Problem } from '../base/problem.ts';

/** The room's vocabulary; outside it is imported from `outbound.ts`. */

export type OutboundRequest = {
  readonly method: string;
  readonly url: string;
  /** Sent byte for byte in place of the URL's own path and query: no parser may rewrite what was checked. */
  readonly target?: string;
  /** By name; or name, value, name, value … when order and repetition matter. */
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
  /** A stream that fails ends the call as `cancelled`, with its error as the cause. */
  readonly body?: string | Buffer | Readable;
  /** Of a body that is a stream, where that is known; unknown, it goes in chunks. */
  readonly sizeBytes?: number | null;
  /** The whole call, default 30 s; 0: no limit (a stream that stays open). */
  readonly timeoutMs?: number;
  /** Until the reply begins, default 30 s. */
  readonly firstByteMs?: number;
  /** Between two pieces of the reply, default 30 s; 0: no limit. */
  readonly idleMs?: number;
  /** Reply body, default 8 MB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
  /** To an MCP server: the context of the trace goes with it, where there is one. */
  readonly carriesTrace?: true;
  /** Nobody waits for it: it has sockets and look-ups of its own, and takes none of those of calls. */
  readonly priority?: 'background';
};

/** A request under way. */
export type OutboundCall = {
  cancel(): void;
  /** Whoever reads has enough; the call is done, whatever is still to come. */
  finish(): void;
  /** Reads no further, so that the upstream is slowed down, until `resume`. */
  pause(): void;
  resume(): void;
  /** Another so many milliseconds from now for the whole of it; 0: no limit. */
  extend(timeoutMs: number): void;
  /** For one beside the receiver who wants to know when it is over, well or not. */
  onEnd(listener: () => void): void;
};

export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Is given a reply as it arrives: its head, its pieces, and, once in any case, its end. */
export type Receiver = {
  head(status: number, headers: ReplyHeaders): void;
  /** True: enough has been read; the call is done, whatever is still to come. */
  data(chunk: Buffer): boolean;
  /** It is whole or enough was read (null), or it failed, perhaps before anything was sent. */
  end(failure: OutboundFailure | null): void;
};

/** Bytes as they come, for one reader. */
export type ByteSource = {
  /** Hands over what came so far, and from then on each piece as it comes. */
  flow(sink: ByteSink): void;
  /** After `data` answered false: the reader is ready again. */
  resume(): void;
  cancel(): void;
  /** The reader has enough: a little of what is left is read past, so that the connection can be used again. */
  finish(): void;
};

export type ByteSink = {
  /** False: no more until `resume`. */
  data(chunk: Buffer): boolean;
  end(failure: Error | null): void;
};

/** A reply whose body is still to come. */
export type OpenReply = {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly body: ByteSource;
};

/**
 * Why there is no usable reply:
 * refused    nothing was sent: no connection, a blocked address, too many calls waiting, or the breaker is open
 * timeout    it was sent, and the answer did not come in time
 * broken     it was sent, and the connection broke or what came was not HTTP
 * too_large  the reply is larger than allowed
 * cancelled  the caller went away
 */
export type FailureReason = 'refused' | 'timeout' | 'broken' | 'too_large' | 'cancelled';

export class OutboundFailure extends Problem {
  readonly reason: FailureReason;

  constructor(reason: FailureReason, detail: string, cause?: unknown, retryAfterMs?: number) {
    super('upstream_error', detail, { cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
    this.name = 'OutboundFailure';
    this.reason = reason;
  }
}
