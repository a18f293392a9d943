/**
 * An MCP server (2025-11-25, without sessions) that costs next to nothing: on bare sockets, its answers prebuilt. What
 * a gateway before it does in a second is then the gateway's own speed.
 *   node bench/peers/mcp-upstream.ts json|sse
 */
import { type AddressInfo, createServer } from 'node:net';

const sse = process.argv[2] === 'sse';
const text = 'x'.repeat(1_000);

function reply(body: string): string {
  const id = /"id":\s*(\d+|"[^"]*")/.exec(body)?.[1];
  if (id === undefined) return 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n';
  if (body.includes('server/discover'))
    return 'HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno';
  const result = body.includes('"initialize"')
    ? '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}'
    : `{"content":[{"type":"text","text":"${text}"}],"isError":false}`;
  const message = `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
  if (!sse)
    return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(message)}\r\n\r\n${message}`;
  const event = `event: message\ndata: ${message}\n\n`;
  return `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n0\r\n\r\n`;
}

const server = createServer({ noDelay: true }, (socket) => {
  let pending = '';
  socket.setEncoding('latin1');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    pending += chunk;
    while (true) {
      const end = pending.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(pending.slice(0, end))?.[1] ?? 0);
      if (pending.length < end + 4 + length) return;
      const body = pending.slice(end + 4, end + 4 + length);
      pending = pending.slice(end + 4 + length);
      socket.write(reply(body));
    }
  });
});
server.listen(0, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
);
