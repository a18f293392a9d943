import { urlAsAsked } from '../base/own-hosts.ts';
import { canonicalResource, scope } from './resources.ts';

/** One request to the authorization server, as it came. */
export type OAuthCall = {
  readonly method: 'GET' | 'POST';
  /** `/authorize`, `/token` …, with its query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer | undefined;
  readonly address: string;
};

export type OAuthReply = {
  readonly kind: 'reply';
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
};

export function oauthError(
  status: number,
  error: string,
  error_description: string,
  headers: Readonly<Record<string, string>> = {},
): OAuthReply {
  const body = Buffer.from(JSON.stringify({ error, error_description }));
  const json = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  return { kind: 'reply', status, headers: { ...json, ...headers }, body };
}

/** What OpenID Connect knows and we do not: clients that send it by habit need no ID token. */
const ignored = ['nonce', 'max_age', 'claims', 'claims_locales', 'id_token_hint', 'acr_values', 'ui_locales'];
const knownPrompts = new Set(['none', 'login', 'consent']);
const passedOn = ['authorization', 'content-type'] as const;

/** The same as the library is to read it: one spelling of each resource, one scope, our own host, only the cookies it set. */
export function plainRequest(call: OAuthCall, issuer: string, cookies: readonly string[]) {
  const { method, headers, body } = call;
  const { host, protocol } = new URL(issuer);
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(String(headers['content-type'] ?? ''));
  const cookie = cookiesFor(call, cookies, protocol === 'https:');
  const sent = passedOn.flatMap((name) =>
    headers[name] === undefined ? [] : [[name, String(headers[name])]],
  );
  return {
    method,
    target: normalTarget(call, issuer),
    headers: {
      ...(Object.fromEntries(sent) as Record<string, string>),
      host,
      'x-forwarded-proto': protocol.slice(0, -1),
      accept: 'application/json',
      ...(cookie === '' ? {} : { cookie }),
    },
    body: body === undefined || !isForm ? body : Buffer.from(normalForm(body.toString(), issuer)),
  };
}

function normalTarget({ target }: OAuthCall, issuer: string): string {
  const [path = '', query] = target.split('?', 2);
  if (path !== '/authorize' || query === undefined) return path;
  const params = new URLSearchParams(query);
  for (const name of ignored) params.delete(name);
  const prompts = (params.get('prompt') ?? '').split(' ').filter((prompt) => knownPrompts.has(prompt));
  params.delete('prompt');
  if (prompts.length > 0) params.set('prompt', prompts.join(' '));
  params.set('scope', scope);
  // The library has more ways back than the metadata names, one of them by a page of its own.
  if (!['', 'query'].includes(params.get('response_mode') ?? '')) params.set('response_mode', 'unsupported');
  normalizeResources(params, issuer);
  return `${path}?${params}`;
}

function normalForm(text: string, issuer: string): string {
  const params = new URLSearchParams(text);
  // There is one scope; what was asked for beside it was never granted, and is no reason to refuse a refresh.
  params.delete('scope');
  normalizeResources(params, issuer);
  return params.toString();
}

/** What is none of ours stays as it is, and is refused by its registered name. */
function normalizeResources(params: URLSearchParams, issuer: string): void {
  const isOurs = (url: URL) => urlAsAsked(issuer, url.host) === url.origin || url.origin === issuer;
  const resources = params.getAll('resource').map((text) => {
    const path = canonicalResource(text, isOurs);
    return path === null ? text : `${issuer}${path}`;
  });
  params.delete('resource');
  for (const resource of new Set(resources)) params.append('resource', resource);
}

/**
 * The library binds its cookies to the path of one sign-in. Over https they are named `__Host-` in place of that, with the sign-in's
 * name: no neighbour can plant one (RFC 6265bis section 4.1.3.2), and several sign-ins of one browser stay apart.
 */
export function browserCookieName(name: string, uid: string, isSecure: boolean): string {
  return isSecure ? `__Host-${name}-${uid}` : name;
}

/** What the browser shows for this sign-in, as the library named it. */
function cookiesFor({ target, headers }: OAuthCall, names: readonly string[], isSecure: boolean): string {
  if (!isSecure) return cookiesIn(headers, names);
  const uid = /^\/authorize\/([A-Za-z0-9_-]+)$/.exec(target.split('?', 1)[0] ?? '')?.[1] ?? '';
  const shown = names.flatMap((name) => {
    const value = cookieValue(headers, browserCookieName(name, uid, true));
    return value === null ? [] : [`${name}=${value}`];
  });
  return shown.join('; ');
}

/** A line of the library's as the browser is to keep it; null for a cookie that is none of these. */
export function browserCookie(line: string, names: readonly string[], isSecure: boolean): string | null {
  const name = names.find((each) => line.startsWith(`${each}=`));
  if (name === undefined || !isSecure) return name === undefined ? null : line;
  const uid = /; *path=[^;]*\/([A-Za-z0-9_-]+)(?:;|$)/i.exec(line)?.[1] ?? '';
  const rest = line.slice(name.length).replace(/; *path=[^;]*/i, '; path=/');
  return `${browserCookieName(name, uid, true)}${rest}`;
}

function cookiesIn({ cookie }: OAuthCall['headers'], names: readonly string[]): string {
  return String(cookie ?? '')
    .split(/; */)
    .filter((each) => names.some((name) => each.startsWith(`${name}=`)))
    .join('; ');
}

/** null where there is none, or two of one name: then one of them is not ours. */
export function cookieValue(headers: OAuthCall['headers'], name: string): string | null {
  const found = cookiesIn(headers, [name]).split('; ');
  return found.length === 1 && found[0] !== '' ? (found[0]?.slice(name.length + 1) ?? null) : null;
}
