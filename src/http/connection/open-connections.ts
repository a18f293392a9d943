import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

export type OpenConnections = {
  /** A request came on this connection. */
  requestStarted(request: IncomingMessage): void;
  requestFinished(): void;
  /** Whether there is any connection at all. */
  areOpen(): boolean;
  /** Requests that are not answered yet. */
  inFlight(): number;
  /** Connections that never carried a request: clients open some in advance, and Node counts them neither as idle nor as busy, so a stop would wait for them. */
  unused(): readonly Socket[];
};

/** The connections of a server, as far as its stop and its write batch need to know them. */
export function watchConnections(server: Server): OpenConnections {
  const unused = new Set<Socket>();
  let open = 0;
  let inFlight = 0;
  server.on('connection', (socket) => {
    unused.add(socket);
    open++;
    socket.once('close', () => {
      unused.delete(socket);
      open--;
    });
  });
  return {
    requestStarted({ socket }) {
      unused.delete(socket);
      inFlight++;
    },
    requestFinished() {
      inFlight--;
    },
    areOpen: () => open > 0,
    inFlight: () => inFlight,
    unused: () => [...unused],
  };
}
