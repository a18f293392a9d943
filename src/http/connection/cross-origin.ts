import type { Reply, Route } from '../route.ts';

/** What a client in a page has to read of a reply: where to sign in, its session, and what is left to it. */
const exposed =
  'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id';
const fieldNames = /^[\w!#$%&'*+.^`|~-]+( *, *[\w!#$%&'*+.^`|~-]+)*$/;

/**
 * The Fetch standard's answer to pages of any origin, at routes that go by what is shown in a header or in the body. Without
 * `Access-Control-Allow-Credentials`: no cookie counts here (threats P15).
 */
export const crossOriginHeaders: readonly (readonly [name: string, value: string])[] = [
  ['access-control-allow-origin', '*'],
  ['access-control-expose-headers', exposed],
];

/** Whether a page may send such a request; it may send whatever fields it asks for: those of a tool's arguments have any name. */
export function preflightReply(routes: readonly Route[], asked: string | string[] | undefined): Reply<never> {
  const fields = String(asked ?? '');
  return {
    status: 204,
    body: null,
    headers: {
      'access-control-allow-methods': routes.map(({ method }) => method).join(', '),
      ...(fieldNames.test(fields) && { 'access-control-allow-headers': fields }),
      'access-control-max-age': '7200',
      vary: 'Access-Control-Request-Headers',
    },
  };
}
