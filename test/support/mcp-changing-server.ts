import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type CreateMcpHandlerOptions, createMcpHandler, McpServer } from '@modelcontextprotocol/server';

/** The SDK's server of 2026-07-28 alone, which tells of changes on the streams of `subscriptions/listen`. */
export type ChangingServer = {
  readonly url: string;
  /** What the requests of such streams asked for that are open. */
  readonly open: () => readonly { readonly resourceSubscriptions?: readonly string[] }[];
  update(uri: string): void;
  addPrompt(name: string): void;
  /** Its streams break off. */
  cut(): void;
};

export async function startChangingServer(
  t: TestContext,
  options: CreateMcpHandlerOptions = {},
): Promise<ChangingServer> {
  const prompts = ['greet'];
  const make = () => {
    const server = new McpServer(
      { name: 'changing', version: '1' },
      { capabilities: { prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true } } },
    );
    server.registerResource('one', 'note://one', {}, () => ({
      contents: [{ uri: 'note://one', text: 'one' }],
    }));
    for (const name of prompts) server.registerPrompt(name, {}, () => ({ messages: [] }));
    return server;
  };
  const handler = createMcpHandler(make, { legacy: 'reject', ...options });
  const open = new Map<object, { asked: object; cut: () => void }>();
  const listener = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const hangUp = new AbortController();
    reply.on('close', () => hangUp.abort());
    const answer = await handler.fetch(
      new Request(`http://127.0.0.1${request.url}`, {
        method: request.method ?? 'GET',
        headers: new Headers(request.headers as Record<string, string>),
        ...(text !== '' && { body: text }),
        signal: hangUp.signal,
      }),
    );
    const isListening = text.includes('"subscriptions/listen"');
    if (isListening) {
      const { params } = JSON.parse(text) as { params: { notifications: object } };
      open.set(reply, { asked: params.notifications, cut: () => reply.destroy() });
      reply.on('close', () => open.delete(reply));
    }
    reply.writeHead(answer.status, Object.fromEntries(answer.headers));
    try {
      for await (const chunk of answer.body ?? []) reply.write(chunk);
    } catch {
      // Whoever asked hung up.
    }
    reply.end();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(async () => {
    listener.closeAllConnections();
    listener.close();
    await handler.close();
  });
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`,
    open: () => [...open.values()].map(({ asked }) => asked),
    update: (uri) => handler.notify.resourceUpdated(uri),
    addPrompt(name) {
      prompts.push(name);
      handler.notify.promptsChanged();
    },
    cut() {
      for (const { cut } of [...open.values()]) cut();
    },
  };
}
