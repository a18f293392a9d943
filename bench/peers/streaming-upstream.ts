/**
 * An MCP server that streams: a session, in it a GET stream that stays open and has a notification every second, and calls that
 * are answered by two notifications of progress before their result.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const streamType = { 'content-type': 'text/event-stream' };
const streams = new Set<ServerResponse>();
let sessions = 0;

const event = (message: object) =>
  `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`;

type Rpc = {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly _meta?: { readonly progressToken?: unknown } };
};

function openStream(response: ServerResponse): void {
  response.writeHead(200, streamType).write(': open\n\n');
  streams.add(response);
  response.once('close', () => streams.delete(response));
}

function answerCall({ id, params }: Rpc, response: ServerResponse): void {
  const progressToken = params?._meta?.progressToken;
  response.writeHead(200, streamType);
  for (const progress of progressToken === undefined ? [] : [1, 2])
    response.write(event({ method: 'notifications/progress', params: { progressToken, progress } }));
  response.end(
    event({ id, result: { content: [{ type: 'text', text: 'x'.repeat(1_000) }], isError: false } }),
  );
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'GET') return openStream(response);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (request.method !== 'POST') return void response.writeHead(200).end();
  const rpc = JSON.parse(Buffer.concat(chunks).toString()) as Rpc;
  if (rpc.id === undefined) return void response.writeHead(202).end();
  if (rpc.method === 'server/discover') return void response.writeHead(400).end('no');
  if (rpc.method === 'tools/call') return answerCall(rpc, response);
  const result =
    rpc.method === 'initialize'
      ? {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {} },
          serverInfo: { name: 'streaming', version: '1' },
        }
      : { tools: [{ name: 'go', inputSchema: { type: 'object' } }] };
  const session = rpc.method === 'initialize' ? { 'mcp-session-id': `streaming-${++sessions}` } : {};
  response.writeHead(200, { 'content-type': 'application/json', ...session });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: rpc.id, result }));
}

setInterval(() => {
  const params = { level: 'info', data: 'a second has passed' };
  for (const stream of streams) stream.write(event({ method: 'notifications/message', params }));
}, 1_000);

const server = createServer(
  (request, response) => void answer(request, response).catch(() => response.destroy()),
);
server.listen(0, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
);
