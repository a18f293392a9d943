import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** Somebody on whose account something goes on, and who may hang up before it is done. */
export type Leaving = {
  /** Nothing goes on any more. */
  readonly isOver: boolean;
  /** The client hung up. */
  left(): void;
};

/** One client's connection, for as long as it is open: what would be a listener or a timer for each request is kept here once. */
export class Line {
  isOpen = true;
  /** Requests that came on it and are not answered. */
  underWay = 0;
  /** Whether it ever carried a request. */
  isUsed = false;
  /** A request whose body is to come, and since when; one that is whole is left here until the next. */
  expected: IncomingMessage | undefined;
  expectedSince = 0;
  readonly #leaving: Leaving[] = [];

  /** The head of this request is here, and its body is wanted whole. */
  expectBody(request: IncomingMessage): void {
    const { headers } = request;
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
    this.expected = request;
    this.expectedSince = performance.now();
  }

  add(one: Leaving): void {
    // Mostly there is one request at a time, and what was left over of the last one is over.
    while (this.#leaving[0]?.isOver) this.#leaving.shift();
    this.#leaving.push(one);
  }

  remove(one: Leaving): void {
    const at = this.#leaving.lastIndexOf(one);
    if (at >= 0) this.#leaving.splice(at, 1);
  }

  close(): void {
    this.isOpen = false;
    for (const one of this.#leaving.splice(0)) if (!one.isOver) one.left();
  }
}

export type Lines = {
  of(request: IncomingMessage): Line;
  /** A request on this line is to be answered; it was. */
  begin(line: Line): void;
  end(line: Line): void;
  /** Of all lines. */
  underWay(): number;
  /** Connections that never carried a request: clients open some in advance, and Node counts them neither as idle nor as busy, so a stop would wait for them. */
  unused(): readonly Socket[];
  stop(): void;
};

/**
 * The connections of a server. Node knows one time limit for all requests, and a relayed upload may take far longer than a
 * JSON body: so the server has the long one, and the short one is held here, by one look round each second.
 */
export function watchLines(
  server: Server,
  { bodyMs, cut }: { readonly bodyMs: number; readonly cut: (request: IncomingMessage) => void },
): Lines {
  const lines = new Map<Socket, Line>();
  let underWay = 0;
  const open = (socket: Socket): Line => {
    const line = new Line();
    lines.set(socket, line);
    socket.once('close', () => {
      lines.delete(socket);
      // Nobody will answer them any more.
      underWay -= line.underWay;
      line.close();
    });
    return line;
  };
  server.on('connection', open);
  const look = setInterval(
    () => {
      const before = performance.now() - bodyMs;
      for (const line of lines.values()) {
        const { expected, expectedSince } = line;
        if (expected === undefined) continue;
        const isOver = expected.complete || expected.destroyed;
        if (!isOver && expectedSince >= before) continue;
        line.expected = undefined;
        if (!isOver) cut(expected);
      }
    },
    Math.min(1_000, bodyMs),
  ).unref();

  return {
    of: ({ socket }) => lines.get(socket) ?? open(socket),
    begin(line) {
      line.isUsed = true;
      line.underWay++;
      underWay++;
    },
    end(line) {
      if (!line.isOpen) return;
      line.underWay--;
      underWay--;
    },
    underWay: () => underWay,
    unused: () => [...lines].filter(([, { isUsed }]) => !isUsed).map(([socket]) => socket),
    stop: () => clearInterval(look),
  };
}
