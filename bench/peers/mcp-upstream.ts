/**
 * An MCP server (the revisions with a handshake; a session is offered and not asked for) that costs next to nothing: its answers
 * are prebuilt, and over HTTP it works on bare sockets. What a gateway before it does in a second is then the gateway's own speed.
 *   node bench/peers/mcp-upstream.ts json|sse|stdio [BYTES of the answer]
 */
import { type AddressInfo, createServer } from 'node:net';

const [, , way, answerBytes = '1000'] = process.argv;
const called = `{"content":[{"type":"text","text":"${'x'.repeat(Number(answerBytes))}"}],"isError":false}`;
let sessions = 0;
const listed = '{"tools":[{"name":"echo","description":"Say it again","inputSchema":{"type":"object"}}]}';

/** Agrees to whatever revision it is offered: not every gateway knows the newest. */
function initialized(request: string): string {
  const revision = /"protocolVersion":\s*"([^"]*)"/.exec(request)?.[1] ?? '2025-11-25';
  return `{"protocolVersion":"${revision}","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}`;
}

/** The response to a request; null for anything else. */
function answer(request: string): string | null {
  const id = /"id":\s*(\d+|"[^"]*")/.exec(request)?.[1];
  if (id === undefined) return null;
  if (request.includes('"server/discover"'))
    return `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"no"}}`;
  const result = request.includes('"initialize"')
    ? initialized(request)
    : request.includes('"tools/list"')
      ? listed
      : called;
  return `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
}

function reply(head: string, body: string): string {
  if (head.startsWith('GET')) return 'HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n';
  const message = answer(body);
  if (message === null) return 'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n';
  if (body.includes('"server/discover"'))
    return 'HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno';
  const session = body.includes('"initialize"') ? `mcp-session-id: bench-${++sessions}\r\n` : '';
  if (way === 'json')
    return `HTTP/1.1 200 OK\r\n${session}content-type: application/json\r\ncontent-length: ${message.length}\r\n\r\n${message}`;
  const event = `event: message\ndata: ${message}\n\n`;
  return `HTTP/1.1 200 OK\r\n${session}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${event.length.toString(16)}\r\n${event}\r\n0\r\n\r\n`;
}

function serveHttp(): void {
  const server = createServer({ noDelay: true }, (socket) => {
    let pending = '';
    socket.setEncoding('latin1');
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: string) => {
      pending += chunk;
      while (true) {
        const end = pending.indexOf('\r\n\r\n');
        if (end === -1) return;
        const head = pending.slice(0, end);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (pending.length < end + 4 + length) return;
        const body = pending.slice(end + 4, end + 4 + length);
        pending = pending.slice(end + 4 + length);
        socket.write(reply(head, body));
      }
    });
  });
  server.listen(0, '127.0.0.1', () =>
    console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
  );
}

function serveLines(): void {
  let pending = '';
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (chunk: string) => {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    const answers = lines.map(answer).filter((text) => text !== null);
    if (answers.length > 0) process.stdout.write(`${answers.join('\n')}\n`);
  });
}

if (way === 'stdio') serveLines();
else serveHttp();
