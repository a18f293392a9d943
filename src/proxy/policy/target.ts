/**
 * The path policy: from the raw request target to the one URL that is sent, or a refusal.
 *
 * What is checked is what is sent: nothing is decoded, normalised or rebuilt on the way, and whatever a URL parser
 * would read differently is refused (threats A1–A10).
 */
import { Problem } from '../../base/problem.ts';
import { googleParameters, type ProviderApi } from '../../connections/connections.ts';

export type Target = {
  readonly provider: string;
  /** As it came, without the slash before it. */
  readonly path: string;
  /** As it came, with its `?`; empty when there is none. */
  readonly query: string;
};

export type Destination = {
  readonly origin: string;
  /** Path and query as they are sent. */
  readonly target: string;
  /** The row that led here: what the table knows about scopes hangs on it. */
  readonly prefix: string | null;
};

/** RFC 3986 has no place for anything else, and `#` and `\` mean different things to different parsers (A5). */
const plain = /^[\x21\x22\x24-\x5b\x5d-\x7e]*$/;
const badEscape = /%(?![0-9a-fA-F]{2})/;
const shape = /^\/v1\/proxy\/([^/?]*)\/([^?]*)(\?.*)?$/;
const providerName = /^[a-z0-9-]{1,32}$/;
/** Credentials in the query: a provider would take them in place of what we inject (A10, RFC 6750 section 2.3). */
const refusedParameters = ['access_token', 'oauth_token', 'bearer_token'];

export function parseTarget(target: string): Target {
  if (!plain.test(target)) throw refused('path: expected visible ASCII characters without # and \\');
  if (badEscape.test(target)) throw refused('path: % must be followed by two hex digits');
  const [, provider = '', path = '', query = ''] = shape.exec(target) ?? [];
  // On the raw target: a router that decodes would let `goo%67le` pass (A8).
  if (!providerName.test(provider))
    throw refused('provider: expected 1 to 32 of a-z, 0-9 and -, as /v1/proxy/{provider}/{path}');
  checkSegments(path);
  checkQuery(query, refusedParameters);
  return { provider, path, query };
}

/** Where a checked target leads. Throws `not_found` where the provider's table has nothing. */
export function resolveDestination(api: ProviderApi, { path, query }: Target): Destination {
  const row = findRow(api, path);
  const rest = row?.prefix.startsWith('~') ? path.slice(row.prefix.length + 1) : path;
  if (isBatch(api, rest))
    throw refused('path: batch requests are refused, as the calls inside could not be checked');
  const base = row?.origin ?? api.defaultOrigin;
  if (base === null || base === undefined)
    throw new Problem('not_found', `path: ${api.name} has nothing under this prefix`);
  const { origin, folder } = parseBase(base);
  // An operator's own row may lead to Google's APIs, too.
  checkQuery(query, isGoogle(origin) ? googleParameters : api.refusedParameters);
  const sent = `${folder}/${rest}`;
  // What we checked is what is sent: a parser on the way must not read another address (A7).
  const read = URL.parse(origin + sent);
  if (read === null || read.origin !== origin || read.pathname !== sent)
    throw refused('path: has characters that must be percent-encoded');
  return { origin, target: sent + query, prefix: row?.prefix ?? null };
}

/**
 * The proxy's own path for a URL of the provider, or null when none leads there: for `Location` (C2).
 */
export function proxiedPath(api: ProviderApi, url: URL): string | null {
  const at = (path: string) => {
    try {
      const target = parseTarget(`/v1/proxy/${api.name}/${path}${url.search}`);
      const found = resolveDestination(api, target);
      return found.origin === url.origin && found.target === url.pathname + url.search
        ? `/v1/proxy/${api.name}/${path}${url.search}`
        : null;
    } catch {
      return null;
    }
  };
  const services = api.routes.filter(({ prefix }) => prefix.startsWith('~'));
  const bases = [api.defaultOrigin ?? '', ...api.routes.map(({ origin }) => origin)];
  const folders = new Set(bases.filter((base) => base !== '').map((base) => parseBase(base).folder));
  for (const folder of folders) {
    if (!url.pathname.startsWith(`${folder}/`)) continue;
    const path = url.pathname.slice(folder.length + 1);
    for (const candidate of [path, ...services.map(({ prefix }) => `${prefix}/${path}`)]) {
      const found = at(candidate);
      if (found !== null) return found;
    }
  }
  return null;
}

function checkSegments(path: string): void {
  if (path === '') return;
  const segments = path.split('/');
  const last = segments.length - 1;
  for (let i = 0; i <= last; i++) {
    const segment = segments[i] ?? '';
    // One slash at the end is a name of its own for some APIs; anywhere else an empty segment is a trick (A3, A6).
    if (segment === '' && (i !== last || i === 0)) throw refused('path: has an empty segment');
    checkSegment(segment);
  }
}

/** Dot segments in any spelling, hidden climbs and control characters (A1, A2, A5). */
function checkSegment(segment: string): void {
  if (!/[%.]/.test(segment)) return;
  const text = decode(segment, 'path');
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f || code === 0x5c)
      throw refused('path: has an encoded control character or backslash');
  }
  // `..;x` is a dot segment to some Java servers.
  for (const part of text.split('/'))
    if (/^\.{1,2}(;.*)?$/.test(part)) throw refused('path: has a dot segment');
}

/** Refuses parameters by name, however they are written. */
export function checkQuery(query: string, refusedNames: readonly string[]): void {
  if (query === '') return;
  for (const pair of query.slice(1).split(/[&;]/)) {
    const name = decode((pair.split('=', 1)[0] ?? '').replaceAll('+', ' '), 'query');
    const bare = name
      .trim()
      .toLowerCase()
      .replace(/^[$.]+/, '')
      .replace(/\[.*$/, '');
    if (refusedNames.includes(bare))
      throw refused(`query: ${bare} is refused: it would change who calls, who pays or what is done`);
  }
}

function decode(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused(`${where}: percent-encoding is not UTF-8`);
  }
}

/** One request that holds many: the policy would see only its envelope (A9). */
function isBatch({ uploadFolders }: ProviderApi, path: string): boolean {
  if (!/batch|%/i.test(path)) return false;
  const segments = path.split('/').map((segment) => decode(segment, 'path').toLowerCase());
  const folders = new Set(uploadFolders.flatMap((folder) => folder.split('/').slice(0, -1)));
  return segments.includes('$batch') || segments.find((each) => !folders.has(each)) === 'batch';
}

function isGoogle(origin: string): boolean {
  return /^https:\/\/([a-z0-9-]+\.)*(googleapis|google)\.com$/.test(origin);
}

type Row = ProviderApi['routes'][number];

/** What lies in a provider's folder of uploads goes where the path behind it goes. */
function findRow(api: ProviderApi, path: string): Row | undefined {
  const folder = api.uploadFolders.find((each) => path.startsWith(each)) ?? '';
  return longest(api, path) ?? longest(api, path.slice(folder.length), true);
}

/** The row with the longest prefix that ends where a segment of the path ends, compared byte for byte (A6). */
function longest({ name, routes }: ProviderApi, path: string, inUploads = false): Row | undefined {
  let best: Row | undefined;
  let rivals = false;
  for (const row of routes) {
    const { prefix } = row;
    if (inUploads && prefix.startsWith('~')) continue;
    if (!path.startsWith(prefix) || (path.length > prefix.length && path[prefix.length] !== '/')) continue;
    if (best !== undefined && prefix.length < best.prefix.length) continue;
    rivals = best !== undefined && prefix === best.prefix && row.origin !== best.origin;
    best = row;
  }
  if (!rivals) return best;
  throw new Problem(
    'not_found',
    `path: several services of ${name} have this prefix; name one as ~service/…`,
  );
}

type Base = { readonly origin: string; readonly folder: string };
const bases = new Map<string, Base>();

/** An address of the provider table in its two parts. The table is the operator's, so what is kept is small. */
function parseBase(text: string): Base {
  let base = bases.get(text);
  if (base === undefined) {
    const { origin, pathname } = new URL(text);
    base = { origin, folder: pathname.replace(/\/+$/, '') };
    bases.set(text, base);
  }
  return base;
}

function refused(detail: string): Problem {
  return new Problem('invalid_request', detail);
}
