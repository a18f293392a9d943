/**
 * The least a gateway in Node can do: parse the request, post it, return what came. No key, no limit, no checks.
 * It takes a name and arguments, as our REST does, or a JSON-RPC message, as an MCP server does.
 *   node bench/peers/mcp-gateway.ts UPSTREAM_URL
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createParser } from 'eventsource-parser';
import { Agent, request } from 'undici';

const upstream = process.argv[2] ?? '';
const dispatcher = new Agent({ connections: 64, pipelining: 1 });
let lastId = 0;

type Call = { readonly name: string; readonly arguments: unknown };

async function post({ name, arguments: args }: Call): Promise<unknown> {
  const reply = await request(upstream, {
    dispatcher,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: ++lastId,
      method: 'tools/call',
      params: { name, arguments: args },
    }),
  });
  const text = await reply.body.text();
  if (!String(reply.headers['content-type']).startsWith('text/event-stream')) return JSON.parse(text);
  let message: unknown;
  const parser = createParser({
    onEvent: ({ data }) => {
      message = JSON.parse(data);
    },
  });
  parser.feed(text);
  return message;
}

const server = createServer((incoming, answer) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', async () => {
    const { id, params, ...call } = JSON.parse(Buffer.concat(chunks).toString()) as Call & {
      readonly id?: number;
      readonly params?: Call;
    };
    const { result } = (await post(params ?? call)) as { result: unknown };
    const text = JSON.stringify(params === undefined ? result : { jsonrpc: '2.0', id, result });
    answer.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    answer.end(text);
  });
});
server.listen(0, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`),
);
