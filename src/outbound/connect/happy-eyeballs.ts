import { connect, isIPv4, type Socket } from 'node:net';
import { withReadBuffer } from './read-buffer.ts';

/** The next address is tried when the last one has not answered for so long (RFC 8305 section 5). */
const attemptDelayMs = 250;
/** More are not tried: a name with a thousand addresses would make a port scanner of us. */
const maxAddresses = 8;
/** A peer that vanished is found out after this and a few minutes of the system's own. */
const keepAliveDelayMs = 60_000;

/**
 * A connection to the first of these addresses that answers (Happy Eyeballs, RFC 8305): one dead address does not make a
 * host unreachable. Unlike Node's `autoSelectFamily`, an attempt that is slow goes on beside the next one. `onSocket` is
 * given what must be destroyed when nobody waits any more.
 */
export function connectToAny(
  addresses: readonly string[],
  port: number,
  onSocket: (socket: Socket) => void,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const waiting = inOrder(addresses).slice(0, maxAddresses);
  const attempts = new Set<Socket>();
  const errors: Error[] = [];
  let timer: NodeJS.Timeout | undefined;

  const tryNext = () => {
    clearTimeout(timer);
    const address = waiting.shift();
    if (address === undefined) {
      if (attempts.size === 0) reject(errors.length === 1 ? errors[0] : new AggregateError(errors));
      return;
    }
    const socket = withReadBuffer((onread) =>
      connect({
        host: address,
        port,
        onread,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveDelayMs,
      }),
    );
    attempts.add(socket);
    onSocket(socket);
    socket.once('connect', () => {
      attempts.delete(socket);
      clearTimeout(timer);
      waiting.length = 0;
      for (const other of attempts) other.destroy();
      resolve(socket);
    });
    socket.on('error', (error) => {
      errors.push(error);
      if (attempts.delete(socket)) tryNext();
    });
    timer = setTimeout(tryNext, attemptDelayMs);
  };
  tryNext();
  return promise;
}

/** By turns of each family, IPv4 first: where IPv6 is broken in silence, it costs nothing that way. */
function inOrder(addresses: readonly string[]): string[] {
  const v4 = addresses.filter(isIPv4);
  const v6 = addresses.filter((address) => !isIPv4(address));
  return Array.from({ length: Math.max(v4.length, v6.length) }, (_, i) => [v4[i], v6[i]])
    .flat()
    .filter((address) => address !== undefined);
}
