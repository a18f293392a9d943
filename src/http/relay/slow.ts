import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export type SlowBodies = {
  /** The head of this request is here; its body may take so long and no longer. */
  expect(request: IncomingMessage): void;
  stop(): void;
};

/**
 * Node knows one time limit for all requests of a server, and a relayed upload may take far longer than a JSON body. So
 * the server has the long one, and the short one is held here, by one look round each second instead of a timer each.
 */
export function watchSlowBodies(limitMs: number, cut: (request: IncomingMessage) => void): SlowBodies {
  // By connection, which carries one request at a time: most bodies are whole long before anybody looks, and the next
  // request takes the place of the last one.
  const expected = new Map<Socket, { readonly request: IncomingMessage; readonly since: number }>();
  const look = setInterval(
    () => {
      const before = performance.now() - limitMs;
      for (const [socket, { request, since }] of expected) {
        const isOver = request.complete || request.destroyed;
        if (!isOver && since >= before) continue;
        expected.delete(socket);
        if (!isOver) cut(request);
      }
    },
    Math.min(1_000, limitMs),
  ).unref();
  return {
    expect(request) {
      const { headers } = request;
      if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
      expected.set(request.socket, { request, since: performance.now() });
    },
    stop: () => clearInterval(look),
  };
}
