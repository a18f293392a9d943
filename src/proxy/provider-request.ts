import { Problem } from '../base/problem.ts';
import { backoffMs, parseRetryAfter } from '../base/retry.ts';
import type { FreshToken } from '../connections/connections.ts';
import { type OpenReply, type Outbound, OutboundFailure } from '../outbound/outbound.ts';
import type { Destination } from './policy/target.ts';
import type { RequestBody } from './proxy-model.ts';

export type RequestLimits = {
  readonly firstByteMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
  /** Request bodies. */
  readonly bodyBytes: number;
};

export const defaultRequestLimits: RequestLimits = {
  firstByteMs: 30_000,
  idleMs: 60_000,
  totalMs: 600_000,
  bodyBytes: 33_554_432,
};

/** One call as it is sent, perhaps more than once. */
export type ProviderRequest = {
  readonly method: string;
  readonly destination: Destination;
  /** Without the credential. */
  readonly headers: readonly string[];
  readonly body: Payload;
  /** To send it again does no harm: it changes nothing, or the caller vouches for it with an Idempotency-Key. */
  readonly isRepeatable: boolean;
  readonly signal?: AbortSignal;
};

/** Bytes that can be sent again, a body that can be sent once, or none. */
export type Payload = Buffer | RequestBody | null;

/** The token to begin with, and how to come by a newer one than the provider refused. */
export type CallToken = {
  readonly token: FreshToken;
  readonly renew: (refused: number) => Promise<FreshToken>;
};

export type RequestDeps = {
  readonly outbound: Pick<Outbound, 'open'>;
  readonly wait: (ms: number) => Promise<void>;
  readonly limits: RequestLimits;
};

/** A body up to this size is read before it is sent, so that it can be sent again (J9). */
export const replayableBytes = 65_536;
/** A wait that a caller does not notice; what takes longer is the caller's decision. */
const longestWaitMs = 2_000;
const maxRetries = 2;
const backoff = { firstMs: 100, maxMs: longestWaitMs, jitter: 0.5 };
/** More than this of a reply that nobody wants costs more to read than a new connection. */
const discardBytes = 65_536;

/**
 * Sends a call: once more with a newer token after a 401, and again after a short wait where that does no harm. Answers the
 * reply and the token that it was given for. Throws what `renew` throws, and OutboundFailure.
 */
export async function sendToProvider(
  deps: RequestDeps,
  request: ProviderRequest,
  { token: first, renew }: CallToken,
): Promise<{ readonly reply: OpenReply; readonly token: FreshToken }> {
  let token = first;
  let isRenewed = false;
  for (let retries = 0; ; ) {
    const outcome = await sendOnce(deps, request, token).catch(toFailure);
    if (!isRenewed && isUnauthorized(outcome)) {
      isRenewed = true;
      const newer = await renewed(renew, token);
      if (newer === null || isStreamed(request.body)) return { reply: outcome, token };
      discard(outcome);
      token = newer;
    } else {
      const waitMs = retryDelayMs(request, outcome, ++retries);
      if (waitMs === null) return { reply: requireReply(outcome), token };
      discard(outcome);
      await deps.wait(waitMs);
    }
  }
}

function requireReply(outcome: OpenReply | OutboundFailure): OpenReply {
  if (outcome instanceof OutboundFailure) throw outcome;
  return outcome;
}

function sendOnce(
  { outbound, limits }: RequestDeps,
  { body, destination, headers, method, signal }: ProviderRequest,
  token: FreshToken,
): Promise<OpenReply> {
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
}

function isUnauthorized(outcome: OpenReply | OutboundFailure): outcome is OpenReply {
  return !(outcome instanceof OutboundFailure) && outcome.status === 401;
}

/** null when there is no newer one. What the user must do is thrown; else the provider's own 401 says more than our trouble. */
async function renewed(renew: CallToken['renew'], { version }: FreshToken): Promise<FreshToken | null> {
  try {
    const token = await renew(version);
    return token.version === version ? null : token;
  } catch (error) {
    const isForUser =
      error instanceof Problem && error.kind !== 'upstream_error' && error.kind !== 'unavailable';
    if (isForUser) throw error;
    return null;
  }
}

/** How long to wait before the same call is sent again, or null: it is not sent again. */
function retryDelayMs(
  request: ProviderRequest,
  outcome: OpenReply | OutboundFailure,
  retries: number,
): number | null {
  if (retries > maxRetries || !request.isRepeatable || isStreamed(request.body)) return null;
  const reads = request.method === 'GET' || request.method === 'HEAD';
  const ownMs = backoffMs(backoff, retries);
  return outcome instanceof OutboundFailure
    ? delayAfterFailure(outcome, reads, ownMs)
    : delayAfterStatus(outcome, reads, ownMs);
}

function delayAfterFailure(failure: OutboundFailure, reads: boolean, ownMs: number): number | null {
  // Broken off before an answer: it may have been done, which only matters for what changes something.
  if (failure.reason === 'broken') return reads ? ownMs : null;
  if (failure.reason !== 'refused') return null;
  return failure.retryAfterMs === undefined ? ownMs : ifShort(failure.retryAfterMs);
}

function delayAfterStatus({ status, headers }: OpenReply, reads: boolean, ownMs: number): number | null {
  if (status === 429 || status === 503) {
    const askedMs = parseRetryAfter(headers['retry-after']);
    if (askedMs !== undefined) return ifShort(askedMs);
    return status === 503 && reads ? ownMs : null;
  }
  return (status === 502 || status === 504) && reads ? ownMs : null;
}

function ifShort(ms: number): number | null {
  return ms <= longestWaitMs ? ms : null;
}

function isStreamed(body: Payload): boolean {
  return body !== null && !Buffer.isBuffer(body);
}

/** A reply that nobody will read: to its end when that is near, so that the connection can be used again. */
function discard(outcome: OpenReply | OutboundFailure): void {
  if (outcome instanceof OutboundFailure) return;
  const { body } = outcome;
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

function toFailure(error: unknown): OutboundFailure {
  if (!(error instanceof OutboundFailure)) throw error;
  // The caller's own body was at fault: that is what the caller is told.
  if (error.reason === 'cancelled' && error.cause instanceof Problem) throw error.cause;
  return error;
}
