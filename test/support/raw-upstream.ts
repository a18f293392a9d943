import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import {
  createOutbound,
  type Outbound,
  OutboundFailure,
  type OutboundOptions,
} from '../../src/outbound/outbound.ts';

/** An upstream in Node's own HTTP server, and the connections it saw. */
export async function startHttp(t: TestContext, listener: RequestListener) {
  const sockets: Socket[] = [];
  const server = createHttpServer(listener).on('connection', (socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, port, sockets };
}

/** An upstream that answers what it likes, byte for byte; `received` is all that came, by connection. */
export async function startBytes(t: TestContext, answer: (received: string, socket: Socket) => void) {
  const sockets: Socket[] = [];
  const received: string[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    const number = sockets.push(socket) - 1;
    socket.on('error', () => undefined).setEncoding('latin1');
    socket.on('data', (text: string) => {
      received[number] = (received[number] ?? '') + text;
      answer(text, socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, sockets, received };
}

export function outboundFor(t: TestContext, options?: OutboundOptions): Outbound {
  const outbound = createOutbound({ allowUpstreams: ['127.0.0.1'] }, options);
  t.after(() => outbound.close());
  return outbound;
}

/** For `assert.rejects`. */
export const ended =
  (reason: OutboundFailure['reason'], pattern = /./) =>
  (error: unknown) =>
    error instanceof OutboundFailure && error.reason === reason && pattern.test(error.detail);

export const rawReply = (body: string, fields = '') =>
  `HTTP/1.1 200 OK\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`;

export const textOf = async (asked: ReturnType<Outbound['request']>) => String((await asked).body);
