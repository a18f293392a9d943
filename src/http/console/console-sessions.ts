/**
 * A browser's session: an API key that was shown once rests sealed in a cookie, and stands in for X-API-Key.
 *
 * Promises: nothing is stored here, so a revoked key ends its sessions with it; scripts cannot read the cookie; a page of
 * another origin can neither act by it (Origin, Sec-Fetch-Site and a token that only our own pages can read) nor plant one
 * on https (`__Host-`, RFC 6265bis section 4.1.3.2). A cookie that is over, changed or not ours is as good as none.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Vault } from '../../vault/vault.ts';

export type ConsoleSession = { readonly key: string; readonly csrf: string };

export type ConsoleSessions = {
  /** The Set-Cookie line of a new session, and the token that its unsafe requests must carry. */
  open(key: string): { readonly cookie: string; readonly csrf: string };
  /** The Set-Cookie line that ends it. */
  end(): string;
  find(headers: IncomingHttpHeaders): ConsoleSession | null;
  /** The key of the session that this request may act by; null without a session. Throws `cross_site`. */
  keyOf(request: {
    readonly method?: string | undefined;
    readonly headers: IncomingHttpHeaders;
  }): string | null;
  /** Throws `cross_site` when a page of another origin sent this. */
  refuseForeign(headers: IncomingHttpHeaders): void;
};

const csrfHeader = 'x-csrf-token';
/** A working day and a bit; the key itself may end sooner. */
const lifeSeconds = 12 * 3_600;
const purpose = 'console session';
const safeMethods = new Set(['GET', 'HEAD']);

export function createConsoleSessions(deps: {
  readonly tickets: Vault['sealedTokens'];
  readonly publicUrl: () => string;
}): ConsoleSessions {
  const { tickets, publicUrl } = deps;
  const isSecure = () => publicUrl().startsWith('https:');
  const cookieName = () => (isSecure() ? '__Host-mcprank-console' : 'mcprank-console');
  const cookie = (value: string, seconds: number) =>
    `${cookieName()}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${isSecure() ? '; Secure' : ''}`;

  const find = (headers: IncomingHttpHeaders): ConsoleSession | null => {
    const ticket = cookieOf(headers, cookieName());
    const key = ticket === null ? null : tickets.open(ticket, purpose);
    return ticket === null || key === null ? null : { key, csrf: csrfOf(ticket) };
  };
  const refuseForeign = (headers: IncomingHttpHeaders) => {
    const { origin, host } = headers;
    const site = headers['sec-fetch-site'];
    const known = URL.parse(publicUrl())?.origin;
    if (origin !== undefined && origin !== known && hostOf(origin) !== host)
      throw new Problem(
        'cross_site',
        `A session of the console works from its own pages only: this one is of ${origin.slice(0, 200)}, and MCPRANK_PUBLIC_URL is ${known}. Behind a proxy set it to the URL in the browser`,
      );
    // Absent from older browsers and over plain http to other machines; then Origin and the cookie's SameSite remain.
    if (site !== undefined && site !== 'same-origin')
      throw new Problem('cross_site', 'A session of the console works from its own pages only');
  };

  return {
    open(key) {
      const ticket = tickets.seal(key, purpose, lifeSeconds * 1_000);
      return { cookie: cookie(ticket, lifeSeconds), csrf: csrfOf(ticket) };
    },
    end: () => cookie('', 0),
    find,
    keyOf({ method = '', headers }) {
      const session = find(headers);
      if (session === null) return null;
      refuseForeign(headers);
      if (!safeMethods.has(method) && headers[csrfHeader] !== session.csrf)
        throw new Problem('cross_site', `A session of the console needs its ${csrfHeader}`);
      return session.key;
    },
    refuseForeign,
  };
}

/** Follows from the ticket, which nobody but us and the browser knows: it belongs to this session and needs no store. */
function csrfOf(ticket: string): string {
  return sha256Hex(`console csrf\n${ticket}`);
}

function cookieOf({ cookie }: IncomingHttpHeaders, name: string): string | null {
  const found = (cookie ?? '').split(/; */).filter((each) => each.startsWith(`${name}=`));
  // Two of one name: one of them is not ours.
  return found.length === 1 ? (found[0]?.slice(name.length + 1) ?? null) : null;
}

function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host;
}
