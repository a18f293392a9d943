/**
 * An API that costs next to nothing: on bare sockets, one answer of 6 KB prebuilt; `/large` is 1 GiB, a POST to it is read
 * and counted. It is its own authorisation server too: `/token` gives a token to whoever asks.
 *   node bench/peers/proxy-upstream.ts
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

const gibibyte = 2 ** 30;
const body = 'x'.repeat(6_000);
const small = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
);
const token = JSON.stringify({ access_token: 'bench-token', token_type: 'Bearer', expires_in: 86_400 });

/** Rejects when the other side went away. */
const drained = (socket: Socket) => once(socket, 'drain');

async function sendLarge(socket: Socket): Promise<void> {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${gibibyte}\r\n\r\n`);
  const piece = Buffer.alloc(1_048_576, 'x');
  for (let sent = 0; sent < gibibyte && !socket.destroyed; sent += piece.length)
    if (!socket.write(piece)) await drained(socket);
}

const server = createServer({ noDelay: true }, (socket) => {
  let pending = '';
  let leftBytes = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    if (leftBytes > 0) {
      leftBytes -= chunk.length;
      if (leftBytes <= 0) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    pending += chunk.toString('latin1');
    for (let next = takeRequest(pending); next !== null; next = takeRequest(pending)) {
      pending = next.rest;
      leftBytes = next.leftBytes;
      if (leftBytes === 0) answer(socket, next.head);
    }
  });
});

type Taken = { readonly head: string; readonly rest: string; readonly leftBytes: number };

/** The first whole request of what came; of a large upload the head is enough, and the rest is counted. */
function takeRequest(pending: string): Taken | null {
  const end = pending.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = pending.slice(0, end);
  const size = end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  if (head.startsWith('POST') && head.includes('/large'))
    return { head, rest: '', leftBytes: size - pending.length };
  return pending.length < size ? null : { head, rest: pending.slice(size), leftBytes: 0 };
}

function answer(socket: Socket, head: string): void {
  if (head.includes('/large')) sendLarge(socket).catch(() => socket.destroy());
  else if (head.startsWith('POST'))
    socket.write(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${token.length}\r\n\r\n${token}`,
    );
  else socket.write(small);
}

server.listen(0, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`),
);
