import { createBoundedCache } from '../../base/bounded-cache.ts';
import { Problem } from '../../base/problem.ts';
import { type AllowRules, bare } from '../connect/address.ts';

/** A checked URL, in the pieces that each call needs. */
export type Destination = {
  readonly origin: string;
  /** As the Host field has it. */
  readonly host: string;
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Path and query. */
  readonly target: string;
};

/** `isUsual`: spoken to without being allowed by name. */
type Checked = Destination & { readonly urlHost: string; readonly isUsual: boolean };

const publicPorts = new Set([443, 8443]);
/** Of the URLs checked lately; a check costs microseconds, and the same few are called over and over. */
const urlsKept = 1_000;

/** The destination, or `invalid_request` for a URL we do not speak to (E5, E9). */
export function createUrlCheck(allow: AllowRules): (text: string) => Destination {
  const checked = createBoundedCache<Checked>(urlsKept);
  return (text) => {
    const known = checked.get(text);
    // What is only allowed may be allowed no longer.
    if (known !== undefined && (known.isUsual || allow.host(known.urlHost, known.port))) return known;
    const { origin, host, hostname, port, protocol, pathname, search } = checkUrl(text, allow);
    const destination = {
      origin,
      host,
      hostname: bare(hostname),
      port: portOf({ port, protocol }),
      target: pathname + search,
      urlHost: hostname,
      isUsual: protocol === 'https:' && publicPorts.has(portOf({ port, protocol })),
    };
    checked.set(text, destination);
    return destination;
  };
}

function checkUrl(text: string, allow: AllowRules): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new Problem('invalid_request', 'url: expected an http(s) URL');
  if (url.username !== '' || url.password !== '')
    throw new Problem('invalid_request', 'url: must not contain a user name or password');
  const port = portOf(url);
  if (allow.host(url.hostname, port)) return url;
  if (url.protocol === 'http:')
    throw new Problem(
      'invalid_request',
      'url: expected https (MCPRANK_ALLOW_UPSTREAMS lists the hosts that may use http)',
    );
  if (!publicPorts.has(port))
    throw new Problem(
      'invalid_request',
      'url: expected port 443 or 8443 (MCPRANK_ALLOW_UPSTREAMS lists exceptions)',
    );
  return url;
}

function portOf({ port, protocol }: Pick<URL, 'port' | 'protocol'>): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}
