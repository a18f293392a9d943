/** Header fields both ways, as data: what never passes, and why (threats B1–B7, C1, C5). */
import { Problem } from '../../base/problem.ts';
import type { ProviderApi } from '../../connections/connections.ts';
import type { ReplyHeaders } from '../../outbound/outbound.ts';

/** Between two neighbours only (RFC 9110 section 7.6.1); who else is named in `Connection` goes with them. */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];
/** Not passed on to the provider: about us, about the way here, or set by us (B1, B2). */
const refusedRequest = new Set([
  ...hopByHop,
  'expect',
  'host',
  'content-length',
  'authorization',
  'x-api-key',
  'x-mit',
  'x-user-token',
  'x-user-id',
  'cookie',
  'cookie2',
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'via',
  'origin',
  'referer',
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  // Another method, path or billing than the one that was checked (B6).
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
]);
const refusedRequestPrefixes = ['x-forwarded-', 'proxy-', 'x-proxy-', 'x-mcprank-', 'sec-', 'cf-', 'x-b3-'];

/** Not passed back: they would speak for our origin, or of the provider's connection (C1). */
const refusedReply = new Set([
  ...hopByHop,
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  'alt-svc',
  'public-key-pins',
  'public-key-pins-report-only',
  'clear-site-data',
  'nel',
  'report-to',
  'reporting-endpoints',
  'via',
  // Ours, on every reply.
  'server-timing',
  'x-request-id',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
]);
const refusedReplyPrefixes = ['proxy-', 'x-proxy-', 'access-control-'];

/** Node itself drops fields beyond its own count without a word (C4). */
const maxFields = 100;

/** The caller's fields that the provider may see, as they came; the credential is not among them. */
export function forwardedHeaders(
  rawHeaders: readonly string[],
  { refusedHeaders }: Pick<ProviderApi, 'refusedHeaders'>,
): string[] {
  if (rawHeaders.length > 2 * maxFields)
    throw new Problem('invalid_request', `headers: more than ${maxFields}`);
  if (findField(rawHeaders, 'upgrade') !== undefined)
    throw new Problem('invalid_request', 'upgrade: not offered');
  const named = nominated(findField(rawHeaders, 'connection'));
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [field = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]];
    const name = field.toLowerCase();
    const wantsTrailers = name === 'te' && value.toLowerCase() === 'trailers';
    if (named?.has(name) || isRefused(name, refusedHeaders)) continue;
    if (refusedRequest.has(name) && !wantsTrailers) continue;
    kept.push(field, value);
  }
  return kept;
}

function isRefused(name: string, { prefixes, allowed }: ProviderApi['refusedHeaders']): boolean {
  if (startsWithOne(name, refusedRequestPrefixes)) return true;
  // Of the provider's own fields those that bill or impersonate (B6).
  return startsWithOne(name, prefixes) && !allowed.test(name);
}

function startsWithOne(name: string, prefixes: readonly string[]): boolean {
  return prefixes.some((each) => name.startsWith(each));
}

/** The provider's fields that the caller may see. */
export function returnedHeaders(headers: ReplyHeaders): string[] {
  const named = nominated(headers.connection);
  const kept: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || refusedReply.has(name) || named?.has(name)) continue;
    if (startsWithOne(name, refusedReplyPrefixes)) continue;
    if (typeof value === 'string') kept.push(name, value);
    else for (const each of value) kept.push(name, each);
  }
  return kept;
}

/** The first value of a field, by its lower-case name. */
export function findField(rawHeaders: readonly string[], name: string): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.length === name.length && rawHeaders[i]?.toLowerCase() === name)
      return rawHeaders[i + 1];
  return undefined;
}

/** Which of the user's accounts is meant; by the name that MCP calls have, or by our first one. */
export function accountIn(rawHeaders: readonly string[]): string | undefined {
  return findField(rawHeaders, 'x-mcprank-account') ?? findField(rawHeaders, 'x-proxy-account');
}

/** Names in `Connection` beyond the usual two, which are no fields. */
function nominated(value: string | string[] | undefined): Set<string> | undefined {
  if (value === undefined) return undefined;
  const text = String(value).toLowerCase();
  if (text === 'keep-alive' || text === 'close') return undefined;
  return new Set(text.split(',').map((name) => name.trim()));
}
