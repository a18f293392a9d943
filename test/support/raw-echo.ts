import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { type JsonView, scanJson } from '../../src/base/json-scanner.ts';
import { startRaw } from './mcp-servers.ts';

/** MCP servers that say back the very bytes of their arguments: nothing on their side parses or writes them. */
export type EchoAge = 'modern' | 'session';

const shape = { id: true, method: true, params: { name: true, arguments: true } } as const;

/** The reply to one message, or null where none is due. */
export function echo(message: Buffer, age: EchoAge): string | null {
  const view = scanJson(message, shape);
  const id = view.get('id')?.text();
  if (id === undefined) return null;
  const answer = (result: string) => `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
  const refuse = (code: number) => `{"jsonrpc":"2.0","id":${id},"error":{"code":${code},"message":"no"}}`;
  const about = '"capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}';
  switch (view.get('method')?.string()) {
    case 'server/discover':
      return age === 'modern'
        ? answer(`{"resultType":"complete","supportedVersions":["2026-07-28"],${about}}`)
        : refuse(-32601);
    case 'initialize':
      return age === 'session' ? answer(`{"protocolVersion":"2025-11-25",${about}}`) : refuse(-32022);
    case 'tools/call':
      return answer(echoed(view.get('params')?.get('arguments'), age));
    default:
      return answer('{"tools":[]}');
  }
}

function echoed(args: JsonView | undefined, age: EchoAge): string {
  const type = age === 'modern' ? '"resultType":"complete",' : '';
  const text = args?.text() ?? '{}';
  return `{${type}"content":[{"type":"text","text":"x","_meta":${text}}],"structuredContent":{"echo":${text}},"_meta":{"own":${text}}}`;
}

/** Over Streamable HTTP, as JSON or as an event stream. */
export async function startHttpEcho(t: TestContext, age: EchoAge, streams: boolean): Promise<string> {
  const { url } = await startRaw(t, ({ text, method }, reply) => {
    if (method !== 'POST') return void reply.writeHead(405).end();
    const answer = echo(Buffer.from(text), age);
    if (answer === null) return void reply.writeHead(202).end();
    if (age === 'session' && answer.includes('"error"')) return void reply.writeHead(400).end();
    reply.writeHead(200, { 'content-type': streams ? 'text/event-stream' : 'application/json' });
    reply.end(streams ? event(answer) : answer);
  });
  return url;
}

/** HTTP+SSE of 2024-11-05. */
export async function startSseEcho(t: TestContext): Promise<string> {
  const streams = new Map<string, ServerResponse>();
  const { url } = await startRaw(t, ({ text, method, path }, reply) => {
    if (method === 'GET') {
      const id = randomUUID();
      streams.set(id, reply);
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.write(`event: endpoint\ndata: /message/${id}\n\n`);
      return;
    }
    const stream = streams.get(path.split('/').at(-1) ?? '');
    if (stream === undefined) return void reply.writeHead(405).end();
    const answer = echo(Buffer.from(text), 'session');
    reply.writeHead(202).end();
    if (answer !== null) stream.write(event(answer));
  });
  return url;
}

function event(data: string): string {
  return `${data
    .split('\n')
    .map((line) => `data: ${line}`)
    .join('\n')}\n\n`;
}
