import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { SubscribeRequestSchema, UnsubscribeRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';

/** A server of 2025-11-25 with sessions that has everything beside tools, and says what was subscribed to. */
export type FeatureServer = {
  readonly url: string;
  /** Of all its sessions, in their order: `+uri` and `-uri`. */
  readonly subscribed: readonly string[];
  /** Tells every session that this resource was updated. */
  update(uri: string): Promise<void>;
  /** Adds a prompt to every session, which is told. */
  addPrompt(name: string): void;
};

export async function startFeatureServer(t: TestContext): Promise<FeatureServer> {
  const subscribed: string[] = [];
  const { url, servers } = await startSessionServer(t, () => makeServer(subscribed));
  return {
    url,
    subscribed,
    async update(uri) {
      for (const server of servers) await server.server.sendResourceUpdated({ uri });
    },
    addPrompt(name) {
      for (const server of servers)
        server.registerPrompt(name, { description: 'New' }, () => ({ messages: [] }));
    },
  };
}

/** The SDK's server of 2025-11-25, one for each session. */
export async function startSessionServer(
  t: TestContext,
  make: () => McpServer,
): Promise<{ readonly url: string; readonly servers: readonly McpServer[] }> {
  const servers: McpServer[] = [];
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const begin = async () => {
    const server = make();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized(id) {
        transports.set(id, transport);
        servers.push(server);
      },
    });
    await server.connect(transport as never);
    return transport;
  };
  const listener = createServer(async (request, reply) => {
    const body = await read(request);
    const transport = transports.get(String(request.headers['mcp-session-id'])) ?? (await begin());
    await transport.handleRequest(request, reply, body === '' ? undefined : JSON.parse(body));
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => {
    listener.closeAllConnections();
    listener.close();
  });
  return { url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`, servers };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const text = (value: string) => ({ type: 'text' as const, text: value });

function makeServer(subscribed: string[]): McpServer {
  const server = new McpServer({ name: 'features', version: '1' });
  server.registerTool(
    'draw',
    { description: 'Draws', _meta: { ui: { resourceUri: 'ui://board/main.html' } } },
    () => ({
      content: [
        text('drawn'),
        { type: 'resource_link', uri: 'note://one', name: 'one' },
        { type: 'resource', resource: { uri: 'note://two', text: 'two' } },
      ],
    }),
  );
  server.registerPrompt(
    'greet',
    { title: 'Greet', argsSchema: { who: completable(z.string(), () => ['Ada', 'Alan']) } },
    ({ who }) => ({
      messages: [
        { role: 'user', content: text(`Greet ${who}`) },
        { role: 'user', content: { type: 'resource', resource: { uri: 'note://one', text: 'one' } } },
      ],
    }),
  );
  server.registerPrompt('with space', {}, () => ({ messages: [{ role: 'user', content: text('spaced') }] }));
  for (const uri of ['note://one', 'note://two'])
    server.registerResource(uri, uri, { mimeType: 'text/plain' }, () => ({ contents: [{ uri, text: uri }] }));
  server.registerResource('board', 'ui://board/main.html', { mimeType: 'text/html' }, ({ href: uri }) => ({
    contents: [{ uri, text: '<p>board</p>' }],
  }));
  const template = new ResourceTemplate('note://by/{who}', {
    list: undefined,
    complete: { who: () => ['Grace'] },
  });
  server.registerResource('by', template, {}, ({ href: uri }, { who }) => ({
    contents: [{ uri, text: `by ${String(who)}` }],
  }));
  server.server.registerCapabilities({ resources: { subscribe: true } });
  server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscribed.push(`+${params.uri}`);
    return {};
  });
  server.server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    subscribed.push(`-${params.uri}`);
    return {};
  });
  return server;
}
