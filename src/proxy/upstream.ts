import { Problem } from '../base/problem.ts';
import { backoffMs, parseRetryAfter } from '../base/retry.ts';
import type { FreshToken } from '../connections/connections.ts';
import { type OpenReply, type Outbound, OutboundFailure } from '../outbound/outbound.ts';
import type { RequestBody } from './model.ts';
import type { Destination } from './target.ts';

export type UpstreamLimits = {
  readonly firstByteMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
  /** Request bodies. */
  readonly bodyBytes: number;
};

export const defaultUpstreamLimits: UpstreamLimits = {
  firstByteMs: 30_000,
  idleMs: 60_000,
  totalMs: 600_000,
  bodyBytes: 33_554_432,
};

/** One call as it is sent, perhaps more than once. */
export type Sending = {
  readonly method: string;
  readonly destination: Destination;
  /** Without the credential. */
  readonly headers: readonly string[];
  readonly body: Payload;
  /** To send it again does no harm: it changes nothing, or the caller vouches for it with an Idempotency-Key. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal;
};

/** Bytes that can be sent again, a body that can be sent once, or none. */
export type Payload = Buffer | RequestBody | null;

/** A body up to this size is read before it is sent, so that it can be sent again (J9). */
export const replayableBytes = 65_536;
/** A wait that a caller does not notice; what takes longer is the caller's decision. */
const longestWaitMs = 2_000;
const maxRepeats = 2;
const backoff = { firstMs: 100, maxMs: longestWaitMs, jitter: 0.5 };
/** More than this of a reply that nobody wants costs more to read than a new connection. */
const discardBytes = 65_536;

export type Upstream = {
  /** The reply, and the token that it was given for. Throws what `freshToken` throws, and OutboundFailure. */
  send(
    sending: Sending,
    token: FreshToken,
    renew: (refused: number) => Promise<FreshToken>,
  ): Promise<{ readonly reply: OpenReply; readonly token: FreshToken }>;
};

export function createUpstream(deps: {
  readonly outbound: Pick<Outbound, 'open'>;
  readonly wait: (ms: number) => Promise<void>;
  readonly limits: UpstreamLimits;
}): Upstream {
  const { outbound, wait, limits } = deps;

  const sendOnce = (sending: Sending, token: FreshToken): Promise<OpenReply> => {
    const { body, destination, headers, method, signal } = sending;
    const streamed = body === null || Buffer.isBuffer(body) ? null : body;
    return outbound.open({
      method,
      url: destination.origin,
      target: destination.target,
      // Last, and the caller's own fields of that name are gone: nobody else can say who calls (B2).
      headers: headers.concat('authorization', `Bearer ${token.accessToken}`),
      ...(body === null ? {} : { body: streamed?.stream(limits.bodyBytes) ?? (body as Buffer) }),
      sizeBytes: streamed?.sizeBytes ?? null,
      firstByteMs: limits.firstByteMs,
      idleMs: limits.idleMs,
      timeoutMs: limits.totalMs,
      signal,
    });
  };

  return {
    async send(sending, first, renew) {
      let token = first;
      let renewed = false;
      for (let repeats = 0; ; ) {
        const outcome = await sendOnce(sending, token).catch((error: unknown) => failureOf(error));
        if ('status' in outcome && outcome.status === 401 && !renewed) {
          renewed = true;
          const next = await renew(token.version).catch((error: unknown) => unlessOutage(error));
          const same = next === null || next.version === token.version;
          if (same || isStreamed(sending.body)) return { reply: outcome, token };
          discard(outcome);
          token = next;
          continue;
        }
        const waitMs = repeats < maxRepeats ? waitBefore(sending, outcome, repeats) : null;
        if (waitMs === null) {
          if (outcome instanceof Error) throw outcome;
          return { reply: outcome, token };
        }
        repeats++;
        if ('status' in outcome) discard(outcome);
        await wait(waitMs);
      }
    },
  };
}

/** How long to wait before the same call is sent again, or null: it is not sent again. */
function waitBefore(sending: Sending, outcome: OpenReply | OutboundFailure, repeats: number): number | null {
  if (!sending.repeatable || isStreamed(sending.body)) return null;
  const reads = sending.method === 'GET' || sending.method === 'HEAD';
  const ownWaitMs = backoffMs(backoff, repeats + 1);
  if (outcome instanceof OutboundFailure) {
    // Broken off before an answer: it may have been done, which only matters for what changes something.
    if (outcome.reason === 'broken') return reads ? ownWaitMs : null;
    if (outcome.reason !== 'refused') return null;
    return outcome.retryAfterMs === undefined ? ownWaitMs : short(outcome.retryAfterMs);
  }
  const { status, headers } = outcome;
  if (status === 429 || status === 503) {
    const askedMs = parseRetryAfter(headers['retry-after']);
    if (askedMs !== undefined) return short(askedMs);
    return status === 503 && reads ? ownWaitMs : null;
  }
  return (status === 502 || status === 504) && reads ? ownWaitMs : null;
}

function short(ms: number): number | null {
  return ms <= longestWaitMs ? ms : null;
}

function isStreamed(body: Payload): boolean {
  return body !== null && !Buffer.isBuffer(body);
}

/** A reply that nobody will read: to its end when that is near, so that the connection can be used again. */
function discard({ body }: OpenReply): void {
  let leftBytes = discardBytes;
  body.flow({
    data(chunk) {
      leftBytes -= chunk.length;
      if (leftBytes < 0) body.cancel();
      return true;
    },
    end: () => undefined,
  });
}

function failureOf(error: unknown): OutboundFailure {
  if (!(error instanceof OutboundFailure)) throw error;
  // The caller's own body was at fault: that is what the caller is told.
  if (error.reason === 'cancelled' && error.cause instanceof Problem) throw error.cause;
  return error;
}

/** The token cannot be renewed now: the provider's own 401 says more than our trouble. What the user must do is thrown. */
function unlessOutage(error: unknown): null {
  if (error instanceof Problem && error.kind !== 'upstream_error' && error.kind !== 'unavailable')
    throw error;
  return null;
}
