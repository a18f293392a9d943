/**
 * The far side of a hostile tenant: one server at several paths. /huge answers 8 MB, /never nothing, /stream begins sessions
 * and keeps their GET streams open, /hook takes 14 s for each event.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Made once: what this program computes it takes from those beside it. */
const huge = Buffer.alloc(7_900_000, 'x');
const hookMs = 14_000;
let sessions = 0;

type Rpc = { readonly id?: number | string; readonly method?: string };

function answerRpc(path: string, { id, method }: Rpc, response: ServerResponse): void {
  if (id === undefined) return void response.writeHead(202).end();
  if (method === 'server/discover')
    return void response.writeHead(400, { 'content-type': 'text/plain' }).end('no');
  const result =
    method === 'initialize'
      ? {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {} },
          serverInfo: { name: 'hostile', version: '1' },
        }
      : method === 'tools/list'
        ? { tools: [{ name: 'go', inputSchema: { type: 'object' } }] }
        : { content: [{ type: 'text', text: path === '/huge' ? 'HUGE' : 'done' }], isError: false };
  const session = method === 'initialize' ? { 'mcp-session-id': `hostile-${++sessions}` } : {};
  response.writeHead(200, { 'content-type': 'application/json', ...session });
  const text = JSON.stringify({ jsonrpc: '2.0', id, result });
  const [before = '', after] = text.split('HUGE');
  if (after === undefined) return void response.end(text);
  response.write(before);
  response.write(huge);
  response.end(after);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url: path = '', method } = request;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (path === '/never') return;
  if (path === '/hook') return void setTimeout(() => response.writeHead(200).end(), hookMs);
  if (method === 'GET')
    return void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n');
  if (method !== 'POST') return void response.writeHead(200).end();
  answerRpc(path, JSON.parse(Buffer.concat(chunks).toString()) as Rpc, response);
}

const server = createServer(
  (request, response) => void answer(request, response).catch(() => response.destroy()),
);
server.listen(0, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`),
);
