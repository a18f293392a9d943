import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { Problem } from '../base/problem.ts';
import { type AllowRules, bare, isMetadataAddress, isPublicAddress } from './address.ts';

export type Resolve = (hostname: string) => Promise<readonly string[]>;

const connectTimeoutMs = 5_000;
const publicPorts = new Set([443, 8443]);

/** Resolves, checks every answer and dials a checked address, so that a second look-up cannot swap it (E3, E4). */
export function guardedConnector(allow: AllowRules, resolve: Resolve): buildConnector.connector {
  const dial = buildConnector({ timeout: connectTimeoutMs, allowH2: false });
  const permitted = (hostAllowed: boolean, address: string) =>
    !isMetadataAddress(address) && (hostAllowed || allow.address(address) || isPublicAddress(address));

  return (options, callback) => {
    const hostname = bare(options.hostname);
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80);
    const hostAllowed = allow.host(options.hostname, port);
    const dialChecked = (addresses: readonly string[]) => {
      const address = addresses[0];
      if (address === undefined || !addresses.every((each) => permitted(hostAllowed, each))) {
        callback(new Error(`address of ${hostname} is not allowed`), null);
        return;
      }
      const servername = isIP(hostname) === 0 ? { servername: hostname } : {};
      dial({ ...options, hostname: address, ...servername }, callback);
    };
    resolve(hostname).then(dialChecked, (error: unknown) =>
      callback(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

export async function resolveAll(hostname: string): Promise<readonly string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

/** The URL, or `invalid_request` for one we do not speak to (E5, E9). */
export function checkUrl(text: string, allow: AllowRules): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new Problem('invalid_request', 'url: expected an http(s) URL');
  if (url.username !== '' || url.password !== '')
    throw new Problem('invalid_request', 'url: must not contain a user name or password');
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
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
