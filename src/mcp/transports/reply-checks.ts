import { OutboundFailure, type ReplyHeaders } from '../../outbound/outbound.ts';
import { UpstreamFailure } from '../mcp-model.ts';
import { notMcp } from '../messages/rpc-message.ts';

/** What the head of a reply says, and failures of the way in this room's words. */

export function isEventStream(headers: ReplyHeaders): boolean {
  return /^text\/event-stream\b/i.test(String(headers['content-type'] ?? ''));
}

/** We ask for none; unpacking what nobody asked for is how a small reply becomes a large one. */
export function refuseEncoding(headers: ReplyHeaders): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity')
    throw notMcp('its reply is compressed although that was not asked for');
}

export function cutOff(): UpstreamFailure {
  return new UpstreamFailure('broken', 'The server ended its reply before the answer');
}

export function fromOutbound(failure: OutboundFailure): UpstreamFailure {
  const { reason, detail, cause, retryAfterMs } = failure;
  if (cause instanceof UpstreamFailure) return cause;
  return new UpstreamFailure(reason, detail, {
    cause: cause ?? failure,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

export function toFailure(error: unknown): unknown {
  return error instanceof OutboundFailure ? fromOutbound(error) : error;
}

export function unauthorized(status: number, headers: ReplyHeaders): UpstreamFailure {
  return new UpstreamFailure('auth', `The server wants other credentials (${status})`, {
    status,
    challenge: [headers['www-authenticate'] ?? ''].flat().join(', '),
  });
}

const keepsMethod: ReadonlySet<number> = new Set([307, 308]);
const keepsGet: ReadonlySet<number> = new Set([301, 302, 307, 308]);

/** Where a redirect that keeps method and body leads on the same origin (RFC 9110 section 15.4); null for any other reply. */
export function sameOriginRedirect(
  status: number,
  headers: ReplyHeaders,
  { url, method = 'POST' }: { readonly url: string; readonly method?: string },
): string | null {
  if (!(method === 'GET' ? keepsGet : keepsMethod).has(status)) return null;
  const target = URL.parse(String(headers.location ?? ''), url);
  return target !== null && target.origin === new URL(url).origin && target.username === ''
    ? target.href
    : null;
}
