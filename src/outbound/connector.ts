import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Problem } from '../base/problem.ts';
import { type AllowRules, bare, isMetadataAddress, isPublicAddress } from './address.ts';
import type { Line } from './http/connection.ts';
import type { Origin } from './http/connections.ts';

export type Resolve = (hostname: string) => Promise<readonly string[]>;

const connectTimeoutMs = 5_000;
/** A line that went dead without a word is found out after this and a few minutes of the system's own. */
const keepAliveDelayMs = 60_000;
const publicPorts = new Set([443, 8443]);
/** TLS sessions kept, so that the next connection to a server costs it and us less. */
const sessionsKept = 100;
/** What all sockets are read into, one after the other: 64 KB set aside for each reading is a part of what a call costs. */
const received = Buffer.allocUnsafeSlow(65_536);

/** Resolves, checks every answer and dials a checked address, so that a second look-up cannot swap it (E3, E4). */
export function createDial(allow: AllowRules, resolve: Resolve): (origin: Origin) => Promise<Line> {
  const sessions = new Map<string, Buffer>();
  const permitted = (hostAllowed: boolean, address: string) =>
    !isMetadataAddress(address) && (hostAllowed || allow.address(address) || isPublicAddress(address));

  const dialSecure = (
    origin: string,
    hostname: string,
    to: { readonly host: string; readonly port: number; readonly onread: OnReadOpts },
  ): Socket => {
    const session = sessions.get(origin);
    const socket = connectTls({
      ...to,
      ALPNProtocols: ['http/1.1'],
      // The certificate must be the name's, though an address is dialled.
      ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
      ...(session === undefined ? {} : { session }),
    });
    socket.on('session', (fresh) => {
      if (sessions.size >= sessionsKept) sessions.clear();
      sessions.set(origin, fresh);
    });
    return socket;
  };
  return async ({ origin, isSecure, hostname: written, port }) => {
    const hostname = bare(written);
    const hostAllowed = allow.host(written, port);
    const addresses = await resolve(hostname);
    const [host] = addresses;
    if (host === undefined || !addresses.every((each) => permitted(hostAllowed, each)))
      throw new Error(`address of ${hostname} is not allowed`);
    const line = { hear: (_bytes: Buffer): void => undefined };
    const onread: OnReadOpts = {
      buffer: received,
      callback(size) {
        line.hear(received.subarray(0, size));
        return true;
      },
    };
    const to = { host, port, onread };
    const socket = isSecure ? dialSecure(origin, hostname, to) : connectTcp(to);
    socket.setNoDelay(true).setKeepAlive(true, keepAliveDelayMs);
    await connected(socket, isSecure ? 'secureConnect' : 'connect');
    return Object.assign(line, { socket });
  };
}

function connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const closed = () => reject(new Error('the connection was closed'));
  const late = setTimeout(() => socket.destroy(new Error('no connection in time')), connectTimeoutMs);
  socket.once('error', reject).once('close', closed);
  socket.once(event, () => {
    socket.off('close', closed);
    resolve();
  });
  return promise.finally(() => clearTimeout(late));
}

export async function resolveAll(hostname: string): Promise<readonly string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

export function portOf({ port, protocol }: URL): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

/** The URL, or `invalid_request` for one we do not speak to (E5, E9). */
export function checkUrl(text: string, allow: AllowRules): URL {
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
