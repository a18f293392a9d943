/**
 * An agent over any service that speaks OpenAI's chat completions.
 *
 *   OPENAI_BASE_URL=https://api.openai.com/v1 OPENAI_API_KEY=… OPENAI_MODEL=… \
 *   MCPRANK_URL=… MCPRANK_KEY=… npm run example examples/agent-openai.ts "say hello to Ada"
 *
 * With the official package, `client` is `new OpenAI()`; its one method that is used here is a POST.
 */
import { Agent, MCPRankClient } from 'mcprank/client';

const { env } = process;
const rank = new MCPRankClient({
  baseUrl: env.MCPRANK_URL ?? 'http://127.0.0.1:8787',
  apiKey: env.MCPRANK_KEY ?? '',
});
const client = {
  chat: {
    completions: {
      async create(request: unknown, options?: { signal?: AbortSignal }) {
        const reply = await fetch(`${env.OPENAI_BASE_URL}/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${env.OPENAI_API_KEY}` },
          body: JSON.stringify(request),
          ...options,
        });
        if (!reply.ok) throw new Error(`The model answered ${reply.status}: ${await reply.text()}`);
        return reply.json();
      },
    },
  },
};

const agent = new Agent({
  rank,
  provider: 'openai',
  client,
  model: env.OPENAI_MODEL ?? 'gpt-4.1',
  maxToolCalls: 5,
  onStep: ({ tool, text }) => console.log(`${tool} → ${text}`),
});
const { text, stop } = await agent.run(process.argv[2] ?? 'say hello to Ada');
console.log(`${stop}: ${text}`);
