import { createServer, connect as dial, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** What the line does to what passes: nothing, nothing gets through any more (and nobody is told), or no connection at all. */
type Line = 'whole' | 'swallowing' | 'cut';

export type FaultProxy = {
  readonly port: number;
  set(line: Line): void;
  /** Milliseconds that every piece takes longer, in each direction. */
  delayMs: number;
  /** Bytes a second in each direction; 0: as fast as it goes. */
  bytesPerSecond: number;
  /** Where new connections lead: a failover. */
  target: number;
};

/** A line between a process and its store that can be cut, delayed, throttled and left half open. */
export async function startFaultProxy(t: TestContext, target: number): Promise<FaultProxy> {
  let line: Line = 'whole';
  const sockets = new Set<Socket>();
  const state = { target, delayMs: 0, bytesPerSecond: 0 };
  const pass = (from: Socket, to: Socket) => {
    let at = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      const slowMs = state.bytesPerSecond === 0 ? 0 : (chunk.length / state.bytesPerSecond) * 1_000;
      const waitMs = state.delayMs + slowMs;
      at = at.then(async () => {
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        if (line === 'whole' && !to.destroyed) to.write(chunk);
      });
    });
    from.on('error', () => to.destroy());
    from.on('close', () => line === 'swallowing' || void at.then(() => to.end()));
  };
  const server = createServer((near) => {
    if (line === 'cut') return void near.destroy();
    sockets.add(near);
    near.once('close', () => sockets.delete(near));
    const far = dial(state.target, '127.0.0.1');
    sockets.add(far);
    far.once('close', () => sockets.delete(far));
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return Object.assign(state, {
    port,
    set(now: Line) {
      line = now;
      if (now === 'cut') for (const socket of sockets) socket.destroy();
    },
  });
}
