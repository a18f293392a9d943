import { OutboundFailure } from './outbound-model.ts';

/** What a caller is told, in words that are the same for a blocked, a dead and a silent host (no port scanning through us, threats E8). */
export function unreachable(host: string, cause?: unknown, retryAfterMs?: number): OutboundFailure {
  return new OutboundFailure('refused', `${host} cannot be reached`, cause, retryAfterMs);
}

export function tooLate(host: string): OutboundFailure {
  return new OutboundFailure('timeout', `${host} did not answer in time`);
}

export function broken(host: string, cause: unknown): OutboundFailure {
  return new OutboundFailure('broken', `${host} broke the connection or did not speak HTTP`, cause);
}

/** Somebody found fault with a reply; who said so in these words already is believed. */
export function unusable(host: string, cause: unknown): OutboundFailure {
  if (cause instanceof OutboundFailure) return cause;
  return new OutboundFailure('broken', `${host} sent something unusable`, cause);
}

export function tooLarge(maxBytes: number): OutboundFailure {
  return new OutboundFailure('too_large', `The reply is larger than ${maxBytes} bytes`);
}

export function cancelled(cause?: unknown): OutboundFailure {
  return new OutboundFailure('cancelled', 'The caller went away', cause);
}

/** undici's codes for a body that broke off, or had not the size that was announced. */
const bodyFaults: ReadonlySet<unknown> = new Set(['UND_ERR_ABORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH']);

export function isBodyFault(error: Error): boolean {
  return 'code' in error && bodyFaults.has(error.code);
}
