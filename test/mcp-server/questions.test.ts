import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  Client as NewClient,
  StreamableHTTPClientTransport as NewTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { adminKey } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { questionKinds, startModernAsker, startSessionAsker } from '../support/mcp-asking-servers.ts';

const clientInfo = { name: 'test', version: '1' };
const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const requestInit = { headers: { 'x-api-key': adminKey } };

const sampled = {
  role: 'assistant' as const,
  content: { type: 'text' as const, text: 'hi' },
  model: 'none',
};
const roots = { roots: [{ uri: 'file:///home' }] };
/** What a client answers to each kind of question; it has to be asked that very kind. */
const expected = {
  form: { action: 'accept', content: { name: 'Ada' } },
  url: { action: 'accept' },
  sampling: sampled,
  roots,
};
function answerTo(params: { readonly mode?: string | undefined; readonly url?: string | undefined }) {
  if (params.mode !== 'url') return { action: 'accept' as const, content: { name: 'Ada' } };
  assert.equal(params.url, 'https://example.com/sign-in');
  return { action: 'accept' as const };
}

type Ask = (name: string, args: Record<string, unknown>) => Promise<unknown>;
const clients: Readonly<Record<string, (t: TestContext, url: URL) => Promise<Ask>>> = {
  'SDK 1': async (t, url) => {
    const client = new Client(clientInfo, { capabilities });
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => answerTo(params));
    client.setRequestHandler(CreateMessageRequestSchema, () => sampled);
    client.setRequestHandler(ListRootsRequestSchema, () => roots);
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit }) as never);
    t.after(() => client.close());
    return (name, args) => client.callTool({ name, arguments: args });
  },
  'SDK 2, 2025-11-25': (t, url) => connectNew(t, url, 'legacy'),
  'SDK 2, 2026-07-28': (t, url) => connectNew(t, url, { pin: '2026-07-28' }),
};

async function connectNew(t: TestContext, url: URL, mode: 'legacy' | { pin: '2026-07-28' }): Promise<Ask> {
  const client = new NewClient(clientInfo, { versionNegotiation: { mode }, capabilities });
  client.setRequestHandler('elicitation/create', ({ params }) => answerTo(params));
  client.setRequestHandler('sampling/createMessage', () => sampled);
  client.setRequestHandler('roots/list', () => roots);
  await client.connect(new NewTransport(url, { requestInit }));
  t.after(() => client.close());
  return (name, args) => client.callTool({ name, arguments: args });
}

for (const [name, connect] of Object.entries(clients))
  test(`${name}: every kind of question of servers of both ages reaches the client at every door, and its answer the server`, {
    skip: name !== 'SDK 2, 2026-07-28' && fullRunOnly,
  }, async (t) => {
    const app = await bootMcp(t);
    const tools = [{ name: 'ask', description: 'Asks' }];
    await app.add('session', await startSessionAsker(t), { tools });
    await app.add('modern', await startModernAsker(t), { tools });
    const chores = Array.from({ length: 40 }, (_, i) => ({ name: `chore_${i}`, description: 'x' }));
    await app.add('chores', 'http://127.0.0.1:9/mcp', { tools: chores });
    await app.call('PUT', '/v1/admin/toolsets/all', { body: { rules: [], default: 'allow' } });
    const [all, toolset] = [
      await connect(t, new URL(`${app.url}/mcp`)),
      await connect(t, new URL(`${app.url}/mcp/t/all`)),
    ];
    for (const id of ['session', 'modern']) {
      const one = await connect(t, new URL(`${app.url}/mcp/servers/${id}`));
      const doors: Readonly<Record<string, (args: { kind: string }) => Promise<unknown>>> = {
        call_tool: (args) => all('call_tool', { server_id: id, name: 'ask', arguments: args }),
        toolset: (args) => toolset(`${id}__ask`, args),
        single: (args) => one('ask', args),
      };
      for (const [door, ask] of Object.entries(doors))
        for (const kind of questionKinds) {
          const { content } = (await ask({ kind })) as { content: { text: string }[] };
          assert.deepEqual(JSON.parse(content[0]?.text ?? ''), expected[kind], `${id}, ${door}, ${kind}`);
        }
    }
  });

test('a client that refuses a question with an error: the server is told so, as without us', async (t) => {
  const app = await bootMcp(t);
  const url = await startSessionAsker(t);
  await app.add('session', url, { tools: [{ name: 'ask', description: 'Asks' }] });
  const ask = async (place: string, name: string) => {
    const client = new Client(clientInfo, { capabilities });
    client.setRequestHandler(ElicitRequestSchema, () => {
      throw new Error('not in the mood');
    });
    await client.connect(new StreamableHTTPClientTransport(new URL(place), { requestInit }) as never);
    t.after(() => client.close());
    return client.callTool({ name, arguments: { kind: 'form' } });
  };
  const direct = await ask(url, 'ask');
  assert.match(JSON.stringify(direct), /not in the mood/);
  assert.deepEqual(await ask(`${app.url}/mcp`, 'session__ask'), direct);
  assert.deepEqual(await ask(`${app.url}/mcp/servers/session`, 'ask'), direct);
});
