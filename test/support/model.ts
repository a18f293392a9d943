import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export type ModelRequest = {
  readonly messages: readonly Record<string, unknown>[];
  readonly tools?: readonly Record<string, unknown>[];
  readonly tool_choice?: unknown;
};

/** A model that says what a script says, over HTTP; keeps what it was asked. */
export async function startModel(
  t: TestContext,
  script: (request: ModelRequest, turn: number) => unknown,
): Promise<{ readonly url: string; readonly requests: readonly ModelRequest[] }> {
  const requests: ModelRequest[] = [];
  const server = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as ModelRequest;
    requests.push(asked);
    reply.setHeader('content-type', 'application/json');
    reply.end(JSON.stringify(script(asked, requests.length - 1)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** What OpenAI's chat completions answer: words, or calls. */
export function openAiSays(text: string | null, ...calls: readonly [name: string, args: unknown][]) {
  const tool_calls = calls.map(([name, args], index) => ({
    id: `call_${index}`,
    type: 'function',
    function: { name, arguments: typeof args === 'string' ? args : JSON.stringify(args) },
  }));
  return {
    choices: [
      { message: { role: 'assistant', content: text, ...(calls.length === 0 ? {} : { tool_calls }) } },
    ],
  };
}

/** What Anthropic's messages answer. */
export function anthropicSays(text: string, ...calls: readonly [name: string, args: unknown][]) {
  return {
    role: 'assistant',
    stop_reason: calls.length === 0 ? 'end_turn' : 'tool_use',
    content: [
      { type: 'text', text },
      ...calls.map(([name, input], index) => ({ type: 'tool_use', id: `toolu_${index}`, name, input })),
    ],
  };
}
