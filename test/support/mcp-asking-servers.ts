import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  ListRootsResultSchema,
} from '@modelcontextprotocol/sdk/types.js';
import {
  createMcpHandler,
  fromJsonSchema,
  inputRequired,
  McpServer as NewServer,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { startSessionServer } from './mcp-feature-server.ts';

/** Servers whose tool `ask` asks its caller one question of each kind, and says what it was answered. */
export const questionKinds = ['form', 'url', 'sampling', 'roots'] as const;

const form = {
  message: 'Who are you?',
  requestedSchema: { type: 'object' as const, properties: { name: { type: 'string' as const } } },
};
const page = { message: 'Sign in', url: 'https://example.com/sign-in' };
const prompt = {
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: 'Say hi' } }],
  maxTokens: 10,
};
const said = (answer: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(answer) }] });

/** Of 2025-11-25, with sessions. */
export async function startSessionAsker(t: TestContext): Promise<string> {
  const { url } = await startSessionServer(t, () => {
    const server = new McpServer({ name: 'asker', version: '1' });
    // On the call's own stream: on the one beside it a question may come before its client listens.
    server.registerTool(
      'ask',
      { inputSchema: { kind: z.enum(questionKinds) } },
      async ({ kind }, { sendRequest }) => {
        const ask = {
          form: () => sendRequest({ method: 'elicitation/create', params: form }, ElicitResultSchema),
          url: () =>
            sendRequest(
              { method: 'elicitation/create', params: { mode: 'url', elicitationId: 'e1', ...page } },
              ElicitResultSchema,
            ),
          sampling: () =>
            sendRequest({ method: 'sampling/createMessage', params: prompt }, CreateMessageResultSchema),
          roots: () => sendRequest({ method: 'roots/list' }, ListRootsResultSchema),
        };
        return said(await ask[kind]());
      },
    );
    return server;
  });
  return url;
}

/** Of 2026-07-28, without anything kept. */
export async function startModernAsker(t: TestContext): Promise<string> {
  const ask = {
    form: () => inputRequired.elicit(form),
    url: () => inputRequired.elicitUrl(page),
    sampling: () => inputRequired.createMessage(prompt),
    roots: () => inputRequired.listRoots(),
  };
  const schema = fromJsonSchema<{ kind: (typeof questionKinds)[number] }>({
    type: 'object',
    properties: { kind: { type: 'string' } },
  });
  const handler = createMcpHandler(
    () => {
      const server = new NewServer({ name: 'asker', version: '1' });
      server.registerTool('ask', { inputSchema: schema }, ({ kind }, context) => {
        const answer = context.mcpReq.inputResponses?.it;
        return answer === undefined ? inputRequired({ inputRequests: { it: ask[kind]() } }) : said(answer);
      });
      return server;
    },
    { legacy: 'reject' },
  );
  const listener = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = new Headers(request.headers as Record<string, string>);
    const method = request.method ?? 'GET';
    const body = method === 'GET' ? {} : { body: Buffer.concat(chunks).toString() };
    const answer = await handler.fetch(new Request(`http://127.0.0.1/mcp`, { method, headers, ...body }));
    reply.writeHead(answer.status, Object.fromEntries(answer.headers));
    for await (const chunk of answer.body ?? []) reply.write(chunk);
    reply.end();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(async () => {
    listener.closeAllConnections();
    listener.close();
    await handler.close();
  });
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
}
