import { Problem } from '../base/problem.ts';

/** The room's vocabulary; outside it is imported from `outbound.ts`. */

export type OutboundRequest = {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Whole exchange, default 30 s; 0: no limit (a stream that stays open). */
  readonly timeoutMs?: number;
  /** Until the reply begins, default 30 s. */
  readonly firstByteMs?: number;
  /** Between two pieces of the reply, default 30 s; 0: no limit. */
  readonly idleMs?: number;
  /** Reply body, default 8 MB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
};

export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Hears a reply as it arrives. */
export type Receiver = {
  head(status: number, headers: ReplyHeaders): void;
  /** True: enough has been read; the exchange is done, whatever is still to come. */
  data(chunk: Buffer): boolean;
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
