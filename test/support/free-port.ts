import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that the kernel gives to whoever asks for any (Linux: from 32768 on), so that nobody is given one meanwhile. */
const range = { from: 20_000, to: 32_000 };

/** A port of the loopback that nobody listens on, for programs that have to be told theirs. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = range.from + Math.floor(Math.random() * (range.to - range.from));
    const probe = createServer().listen(port, '127.0.0.1');
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
