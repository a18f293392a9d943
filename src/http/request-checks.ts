import type { IncomingMessage } from 'node:http';
import { Problem } from '../base/problem.ts';

/** Header fields that decide who a request is for and where it ends: two of them are an attack (threats B3). A bit each. */
const singleHeaders: ReadonlyMap<string, number> = new Map(
  ['host', 'authorization', 'x-api-key', 'content-length', 'content-type', 'transfer-encoding'].map(
    (name, i) => [name, 1 << i],
  ),
);
const keyInUrl = /sk_mcp_rank_|[?&](api[_-]?key|x-api-key|apikey)=/i;
const tokenInUrl = /[?&]access_token=/i;

/** Checks on the raw request that must come before routing has any meaning; throws `invalid_request`. */
export function checkFraming({ request }: { readonly request: IncomingMessage }): void {
  const target = request.url ?? '';
  // Absolute-form (`GET http://other/…`) and `*` are accepted by Node but are for proxies (RFC 9112 section 3.2, threats A4).
  if (!target.startsWith('/')) throw new Problem('invalid_request', 'path: expected to start with /');
  if (keyInUrl.test(target))
    throw new Problem('invalid_request', 'API keys go in the X-API-Key header, never in the URL');
  if (request.headers.host === undefined) throw new Problem('invalid_request', 'host: required');
  // Node parses the body of any other coding as a second request (request smuggling, threats D2).
  const coding = request.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new Problem('invalid_request', 'transfer-encoding: expected chunked');
  const { rawHeaders } = request;
  let seen = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? '';
    const bit = singleHeaders.get(name);
    if (bit === undefined) continue;
    if ((seen & bit) !== 0) throw new Problem('invalid_request', `${name}: sent twice`);
    seen |= bit;
  }
}

/** What a call shows of itself: a key, and a MIT or what stands in its place. */
export type Credentials = { readonly key: string; readonly token: string | null };

/** `Bearer` in any case, and whatever is shown by it. */
const bearerScheme = /^Bearer(?: +|$)(.*)/i;
/** The same with one space and token68 (RFC 9110 sections 11.1 and 11.4). */
const bearerForm = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i;
const token68 = /^[A-Za-z0-9._~+/-]+=*$/;
const keyForm = /^sk_mcp_rank_[0-9a-f]{32}$/;
/** A MIT has about 900 bytes; nothing longer is worth parsing (threats H7). */
const maxAuthorization = 4_096;

/**
 * The API key comes in `X-API-Key`, or in `Authorization: Bearer` where that is not the user's: on a route that acts for a
 * user only without `X-API-Key`, and only what has a key's form. Throws `invalid_api_key` or `invalid_token`.
 */
export function credentialsIn(request: IncomingMessage, forUser: boolean): Credentials {
  const header = request.headers['x-api-key'];
  const key = typeof header === 'string' && header !== '' ? header : null;
  const { authorization = '' } = request.headers;
  if (!forUser || authorization === '') {
    const found = key ?? bearerForm.exec(authorization)?.[1];
    if (found !== undefined) return { key: found, token: null };
    throw new Problem('invalid_api_key', 'Missing or invalid API key');
  }
  const bearer = authorization.length > maxAuthorization ? undefined : bearerForm.exec(authorization)?.[1];
  if (key !== null) return { key, token: bearer ?? '' };
  if (bearer !== undefined && keyForm.test(bearer)) return { key: bearer, token: null };
  throw new Problem('invalid_api_key', 'Missing or invalid API key');
}

/**
 * At a door of MCP, what is shown as `Bearer` without `X-API-Key` is an access token of ours unless it looks like a key; null:
 * it does, or another scheme was chosen. Throws `sign_in_required` where nothing was shown at all, `unauthorized_token` for
 * what can be no token (whoever holds that has to sign in, too), `invalid_request` for one in the URL.
 */
export function accessTokenIn({
  request,
  route,
}: {
  readonly request: IncomingMessage;
  readonly route: { readonly challenge?: boolean } | undefined;
}): string | null {
  const { authorization = '', 'x-api-key': key = '' } = request.headers;
  if (route?.challenge !== true) return null;
  // RFC 6750 section 5.3: it would stand in the log of whatever is in front.
  if (tokenInUrl.test(request.url ?? ''))
    throw new Problem('invalid_request', 'Access tokens go in the Authorization header, never in the URL');
  if (key !== '') return null;
  if (authorization === '') throw new Problem('sign_in_required', 'Sign in, or send an API key in X-API-Key');
  const shown = bearerScheme.exec(authorization)?.[1];
  if (shown === undefined || shown.startsWith('sk_')) return null;
  if (authorization.length > maxAuthorization || !token68.test(shown))
    throw new Problem('unauthorized_token', 'The access token is unknown, over or revoked');
  return shown;
}

/** For logs: a query may hold anything, so only the path is told (threats M2). */
export function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}
