import * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import { isObject } from '../../base/json.ts';
import { parseRetryAfter } from '../../base/retry.ts';
import type { Outbound, OutboundReply } from '../../outbound/outbound.ts';
import type { Provider } from '../providers/oauth-provider.ts';

/** What every call through oauth4webapi is given: our way out, and a time limit. */
export type OAuthFetch = (
  provider: Pick<Provider, 'toStandardReply'>,
  options?: { readonly seen?: SeenReply; readonly timeoutMs?: number },
) => CallOptions;

/** Filled in by a call: what oauth4webapi does not hand on. */
export type SeenReply = { status?: number; retryAfterMs?: number };

export type CallOptions = {
  readonly [oauth.customFetch]: (url: string, init: FetchInit) => Promise<Response>;
  readonly [oauth.allowInsecureRequests]: boolean;
};
type FetchInit = {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
};

/** Larger documents than any real one are cut off (threats N9). */
const maxReplyBytes = 65_536;
const maxRetryAfterMs = 3_600_000;

export function createOAuthFetch({ outbound, clock }: { outbound: Outbound; clock: Clock }): OAuthFetch {
  return (provider, { seen = {}, timeoutMs = 30_000 } = {}) => ({
    [oauth.customFetch]: async (url, { method, headers, body }) => {
      const reply = await outbound.request({
        method,
        url,
        headers,
        timeoutMs,
        firstByteMs: timeoutMs,
        maxBytes: maxReplyBytes,
        ...(body === undefined || body === null ? {} : { body: String(body) }),
      });
      seen.status = reply.status;
      const askedMs = parseRetryAfter(reply.headers['retry-after'], clock.now()) ?? 0;
      if (askedMs > 0) seen.retryAfterMs = Math.min(askedMs, maxRetryAfterMs);
      return standardResponse(provider, reply);
    },
    // Plain http is outbound's decision: it refuses every host that the operator did not allow.
    [oauth.allowInsecureRequests]: true,
  });
}

/** As RFC 6749 section 5 wants it: some providers say "no" with status 200, and name the scopes with commas. */
function standardResponse(
  { toStandardReply }: Pick<Provider, 'toStandardReply'>,
  { status, headers, body }: OutboundReply,
): Response {
  const type = headers['content-type'] ?? '';
  const nonce = headers['dpop-nonce'];
  const kept = { 'content-type': type, ...(nonce === undefined ? {} : { 'dpop-nonce': nonce }) };
  const value = /^application\/json/i.test(type) ? parseJson(body) : undefined;
  if (isObject(value)) {
    const reply = toStandardReply?.(value) ?? value;
    if (typeof reply.access_token !== 'string' && typeof reply.error === 'string' && status === 200)
      return Response.json(reply, { status: 400 });
    if (reply !== value) return Response.json(reply, { status });
  }
  // A challenge would hide the error's name in the body; the status tells the rest.
  return new Response(hasBody(status) ? new Uint8Array(body) : null, { status, headers: kept });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function hasBody(status: number): boolean {
  return status !== 204 && status !== 205 && status !== 304;
}
