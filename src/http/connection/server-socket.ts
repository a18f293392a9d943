import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Problem } from '../../base/problem.ts';
import { errorResponse } from '../error-response.ts';

/** What Node's parser refuses never becomes a request: answer on the bare socket and close it. */
export function answerBrokenClient(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const large = error.code === 'HPE_HEADER_OVERFLOW';
  const problem = late
    ? new Problem('request_timeout', 'The request took too long to arrive')
    : new Problem('invalid_request', large ? 'headers: larger than 16 KB' : 'Not a valid HTTP/1.1 request');
  const { status, body } = errorResponse(problem, '');
  const head = [
    `HTTP/1.1 ${status} ${late ? 'Request Timeout' : 'Bad Request'}`,
    'content-type: application/json; charset=utf-8',
    'x-request-id: req_unparsed',
    'server-timing: total;dur=0',
    'connection: close',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** CONNECT: we are nobody's tunnel (threats A4, B7). */
export function refuseTunnel(_request: unknown, socket: Duplex): void {
  const { status, body } = errorResponse(new Problem('method_not_allowed', 'CONNECT is not offered'), '');
  const head = [
    `HTTP/1.1 ${status} Method Not Allowed`,
    'content-type: application/json; charset=utf-8',
    'connection: close',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Lets requests in flight finish; what is left after the grace time is cut. */
export async function closeGracefully(
  server: Server,
  unused: () => readonly Socket[],
  graceMs: number,
): Promise<void> {
  if (!server.listening) return;
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  for (const socket of unused()) socket.destroy();
  await closed;
  clearTimeout(cut);
}

/** Throws `setup` in words when nothing can listen there. */
export function tryListening(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => reject(listenProblem(error, host, port)));
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

export function listenProblem(cause: NodeJS.ErrnoException, host: string, port: number): Problem {
  const why =
    cause.code === 'EADDRINUSE'
      ? 'is in use (another mcprank?)'
      : `cannot be listened on (${cause.code ?? cause.message})`;
  const detail = `${host}:${port} ${why}; choose others with MCPRANK_HOST and MCPRANK_PORT`;
  return new Problem('setup', detail, { cause });
}
