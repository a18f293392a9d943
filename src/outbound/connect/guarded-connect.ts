import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';
import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { AddressGuard } from './address-guard.ts';
import { connectToAny } from './happy-eyeballs.ts';
import { withReadBuffer } from './read-buffer.ts';

/** For the TCP connection and the TLS handshake together; the look-up before has a limit of its own. */
const connectTimeoutMs = 5_000;
/** TLS sessions kept, so that the next connection to a server costs it and us less. */
const sessionsKept = 100;

/**
 * undici's `connect`: look up, check every answer, dial the checked addresses and no others, so that a second look-up
 * cannot swap them (threats E3, E4). The certificate must be the name's, though an address is dialled.
 */
export function createGuardedConnect(guard: AddressGuard, background: boolean): buildConnector.connector {
  const sessions = createBoundedCache<Buffer>(sessionsKept);

  const open = async ({ hostname, port, protocol }: buildConnector.Options): Promise<Socket> => {
    const isSecure = protocol === 'https:';
    const endpoint = { hostname, port: Number(port) || (isSecure ? 443 : 80) };
    const addresses = await guard.addressesOf(endpoint, background);
    return inTime(async (onSocket) => {
      const socket = await connectToAny(addresses, endpoint.port, onSocket);
      if (!guard.permits(endpoint, socket.remoteAddress ?? ''))
        throw new Error(`${hostname} is at another address than the one that was dialled`);
      if (!isSecure) return socket;
      const name = `${hostname}:${endpoint.port}`;
      const secure = startTls(socket, hostname, sessions.get(name));
      onSocket(secure);
      secure.on('session', (session) => sessions.set(name, session));
      return handshaken(secure);
    });
  };
  return (options, callback) => {
    open(options).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
}

function startTls(socket: Socket, hostname: string, session: Buffer | undefined): TLSSocket {
  return withReadBuffer((onread) =>
    connectTls({
      socket,
      // Node knows it, its types do not.
      ...{ onread },
      host: hostname,
      ALPNProtocols: ['http/1.1'],
      // RFC 6066 section 3: no addresses.
      ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
      ...(session === undefined ? {} : { session }),
    }),
  );
}

function handshaken(socket: TLSSocket): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  socket.once('secureConnect', () => resolve(socket)).on('error', reject);
  socket.once('close', () => reject(new Error('the connection was closed')));
  return promise;
}

/** Whatever was opened is destroyed when it fails or takes too long. */
async function inTime(open: (onSocket: (socket: Socket) => void) => Promise<Socket>): Promise<Socket> {
  const opened: Socket[] = [];
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('no connection in time')), connectTimeoutMs);
  try {
    return await Promise.race([open((socket) => opened.push(socket)), late]);
  } catch (error) {
    for (const socket of opened) socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
