import * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import { parseRetryAfter } from '../../base/retry.ts';
import type { Outbound, OutboundReply } from '../../outbound/outbound.ts';
import type { Provider } from '../providers/oauth-provider.ts';
import { readTokenReply, type TokenReply } from '../providers/token-reply.ts';

/** What every call through oauth4webapi is given: our way out, and a time limit. */
export type OAuthFetch = (
  provider: Pick<Provider, 'toStandardReply'>,
  options?: {
    readonly timeoutMs?: number;
    /** Of a reply; 64 kB unless said. */
    readonly maxBytes?: number;
    /** The call is one for tokens: its reply is made a standard one, and what it said is told here. */
    readonly seen?: SeenReply;
  },
) => CallOptions;

/** Filled in by a call for tokens: what oauth4webapi does not hand on. */
export type SeenReply = { reply?: TokenReply; retryAfterMs?: number };

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
  return (provider, { seen, timeoutMs = 30_000, maxBytes = maxReplyBytes } = {}) => ({
    [oauth.customFetch]: async (url, { method, headers, body }) => {
      const reply = await outbound.request({
        method,
        url,
        headers,
        timeoutMs,
        firstByteMs: timeoutMs,
        maxBytes,
        ...(body === undefined || body === null ? {} : { body: String(body) }),
      });
      if (seen === undefined) return toResponse(reply);
      const askedMs = parseRetryAfter(reply.headers['retry-after'], clock.now()) ?? 0;
      if (askedMs > 0) seen.retryAfterMs = Math.min(askedMs, maxRetryAfterMs);
      const type = reply.headers['content-type'] ?? '';
      seen.reply = readTokenReply({ status: reply.status, type, body: reply.body }, provider);
      return toStandardResponse(reply, seen.reply);
    },
    // Plain http is outbound's decision: it refuses every host that the operator did not allow.
    [oauth.allowInsecureRequests]: true,
  });
}

/** A challenge would hide the error's name in the body; the status tells the rest. */
function keptHeaders({ headers }: OutboundReply): Record<string, string> {
  const nonce = headers['dpop-nonce'];
  return nonce === undefined ? {} : { 'dpop-nonce': nonce };
}

function toResponse(reply: OutboundReply): Response {
  const { status, body } = reply;
  const headers = { 'content-type': reply.headers['content-type'] ?? '', ...keptHeaders(reply) };
  return new Response(hasBody(status) ? new Uint8Array(body) : null, { status, headers });
}

function toStandardResponse(raw: OutboundReply, reply: TokenReply): Response {
  const headers = keptHeaders(raw);
  if (reply.kind === 'tokens') return Response.json(reply.body, { headers });
  if (reply.kind === 'unusable') return Response.json({}, { headers });
  // oauth4webapi looks for `use_dpop_nonce` and its like; everything else is judged by `seen`.
  const error = reply.error.name ?? 'unknown_error';
  return Response.json({ error }, { status: 400, headers });
}

function hasBody(status: number): boolean {
  return status !== 204 && status !== 205 && status !== 304;
}
