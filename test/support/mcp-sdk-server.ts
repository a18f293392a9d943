import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import {
  type CreateMcpHandlerOptions,
  createMcpHandler,
  fromJsonSchema,
  inputRequired,
  McpServer,
} from '@modelcontextprotocol/server';

/** What the SDK's server saw, beside what it answered. */
export type SdkServer = {
  readonly url: string;
  readonly requests: { readonly headers: Headers; readonly text: string }[];
};

/** The revision's annotation, which the SDK's type of a schema does not know. */
const mirrored = Object.assign(
  { type: 'object' as const, required: ['region'] },
  { properties: { region: { type: 'string' as const, 'x-mcp-header': 'Region' } } },
);

/** The SDK's own server of the 2026-07-28 revision (and, unless refused, of the older ones). */
export async function startSdkServer(
  t: TestContext,
  options: CreateMcpHandlerOptions = {},
): Promise<SdkServer> {
  const handler = createMcpHandler(makeServer, options);
  const requests: SdkServer['requests'] = [];
  const server = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const headers = new Headers(request.headers as Record<string, string>);
    requests.push({ headers, text });
    const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
    const answer = await handler.fetch(
      new Request(`http://127.0.0.1${request.url}`, {
        method: request.method ?? 'GET',
        headers,
        ...(hasBody ? { body: text } : {}),
      }),
    );
    reply.writeHead(answer.status, Object.fromEntries(answer.headers));
    for await (const chunk of answer.body ?? []) reply.write(chunk);
    reply.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await handler.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, requests };
}

function makeServer(): McpServer {
  const server = new McpServer({ name: 'fixture', version: '1' }, { capabilities: { logging: {} } });
  const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
  server.registerTool(
    'echo',
    {
      description: 'Say it again',
      inputSchema: fromJsonSchema<{ message: string }>({
        type: 'object',
        properties: { message: { type: 'string' } },
        required: ['message'],
      }),
    },
    ({ message }) => text(`Echo: ${message}`),
  );
  server.registerTool(
    'region',
    {
      description: 'Wants an argument in a header too',
      inputSchema: fromJsonSchema<{ region: string }>(mirrored),
    },
    ({ region }) => text(`in ${region}`),
  );
  server.registerTool('who', { description: 'Asks for a name first' }, (context) => {
    const given = context.mcpReq.inputResponses?.name as { content?: { name?: string } } | undefined;
    if (given?.content?.name !== undefined) return text(`Hello ${given.content.name}`);
    return inputRequired({
      inputRequests: {
        name: inputRequired.elicit({
          message: 'Who are you?',
          requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
        }),
      },
    });
  });
  return server;
}
