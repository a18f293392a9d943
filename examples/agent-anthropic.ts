/**
 * An agent over Anthropic's messages API that acts for a user, and lets the user connect what a tool needs.
 *
 *   ANTHROPIC_BASE_URL=https://api.anthropic.com ANTHROPIC_API_KEY=… ANTHROPIC_MODEL=… \
 *   MCPRANK_URL=… MCPRANK_KEY=… npm run example examples/agent-anthropic.ts "say hello to Ada"
 *
 * With the official package, `client` is `new Anthropic()`; its one method that is used here is a POST.
 */
import { Agent, MCPRankClient } from 'mcprank/client';

const { env } = process;
const rank = new MCPRankClient({
  baseUrl: env.MCPRANK_URL ?? 'http://127.0.0.1:8787',
  apiKey: env.MCPRANK_KEY ?? '',
});
const client = {
  messages: {
    async create(request: unknown, options?: { signal?: AbortSignal }) {
      const reply = await fetch(`${env.ANTHROPIC_BASE_URL}/v1/messages`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'anthropic-version': '2023-06-01',
          'x-api-key': env.ANTHROPIC_API_KEY ?? '',
        },
        body: JSON.stringify(request),
        ...options,
      });
      if (!reply.ok) throw new Error(`The model answered ${reply.status}: ${await reply.text()}`);
      return reply.json();
    },
  },
};

const agent = new Agent({
  rank,
  provider: 'anthropic',
  client,
  model: env.ANTHROPIC_MODEL ?? 'claude-sonnet-4-5',
  userId: 'ada',
  onConnect: ({ auth_url }) => console.log(`Please open ${auth_url}`),
  onStep: ({ tool, text }) => console.log(`${tool} → ${text}`),
});
const { text, stop } = await agent.run(process.argv[2] ?? 'say hello to Ada');
console.log(`${stop}: ${text}`);
