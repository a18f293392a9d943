import type { IncomingMessage } from 'node:http';

export type SlowBodies = {
  /** The head of this request is here; its body may take so long and no longer. */
  expect(request: IncomingMessage): void;
  /** It is whole, or nobody reads it. */
  forget(request: IncomingMessage): void;
  stop(): void;
};

/**
 * Node knows one time limit for all requests of a server, and a relayed upload may take far longer than a JSON body. So
 * the server has the long one, and the short one is held here, by one look round each second instead of a timer each.
 */
export function watchSlowBodies(limitMs: number, cut: (request: IncomingMessage) => void): SlowBodies {
  const expected = new Map<IncomingMessage, number>();
  const look = setInterval(
    () => {
      const before = performance.now() - limitMs;
      for (const [request, since] of expected) {
        if (request.complete || request.destroyed) expected.delete(request);
        else if (since < before) {
          expected.delete(request);
          cut(request);
        }
      }
    },
    Math.min(1_000, limitMs),
  ).unref();
  return {
    expect(request) {
      const { headers } = request;
      if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
      expected.set(request, performance.now());
    },
    forget: (request) => void expected.delete(request),
    stop: () => clearInterval(look),
  };
}
