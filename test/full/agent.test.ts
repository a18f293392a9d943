import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { offerTools } from '../../sdk/agent/tools.ts';
import { Agent, type AgentOptions, MCPRankClient } from '../../sdk/client.ts';
import { adminKey } from '../support/app.ts';
import { createBrowser } from '../support/browser.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootGoogleApp } from '../support/google-app.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { anthropicSays, openAiSays, startModel } from '../support/model.ts';
import { root } from '../support/paths.ts';

const run = promisify(execFile);

/** The app with a server that repeats, and one that asks. */
async function boot(t: TestContext): Promise<McpTestApp> {
  const app = await bootMcp(t);
  const { url } = await startSdkServer(t);
  await app.add('fixture', url, {
    description: 'Says hello and repeats messages',
    tools: [
      {
        name: 'echo',
        description: 'Say hello to somebody: repeat a message',
        inputSchema: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
      },
      { name: 'who', description: 'Say hello, asking for the name first' },
    ],
  });
  await app.services.search.settled();
  return app;
}

type Create = (request: unknown) => Promise<unknown>;
/** A model in this process, with the shape of the official client. */
function scripted(...answers: readonly unknown[]) {
  const requests: { messages: { role: string; content: unknown }[]; tool_choice?: unknown }[] = [];
  const create: Create = async (request) => {
    requests.push(request as (typeof requests)[number]);
    return answers[Math.min(requests.length, answers.length) - 1];
  };
  return { requests, openai: { chat: { completions: { create } } }, anthropic: { messages: { create } } };
}

function agentOf(
  app: { readonly url: string },
  options: Partial<AgentOptions>,
  fetcher?: typeof fetch,
): Agent {
  const rank = new MCPRankClient({ baseUrl: app.url, apiKey: adminKey, fetch: fetcher });
  return new Agent({ rank, model: 'scripted', ...options } as AgentOptions);
}

async function recorded(app: McpTestApp): Promise<{ query_log_id: string | null; success: unknown }[]> {
  const tables = app.services.storage.tables<{
    invocations: { query_log_id: string | null; success: unknown };
  }>();
  for (;;) {
    const rows = await tables.selectFrom('invocations').selectAll().execute();
    if (rows.length > 0) return rows;
    await delay(20);
  }
}

for (const provider of ['openai', 'anthropic'] as const) {
  const says = provider === 'openai' ? openAiSays : anthropicSays;
  test(`${provider}: the prompt finds the tools, the model calls one, its outcome is tied to the search`, async (t) => {
    const app = await boot(t);
    const model = scripted(says('', ['echo', { message: 'hello Ada' }]), says('Done: Echo: hello Ada'));
    const agent = agentOf(app, { provider, client: model[provider] } as Partial<AgentOptions>);
    const done = await agent.run('say hello to Ada');
    assert.deepEqual([done.text, done.stop], ['Done: Echo: hello Ada', 'answered']);
    assert.deepEqual(done.steps, [
      {
        serverId: 'fixture',
        tool: 'echo',
        arguments: { message: 'hello Ada' },
        text: 'Echo: hello Ada',
        isError: false,
      },
    ]);
    assert.match(JSON.stringify(model.requests[1]?.messages.at(-1)), /Echo: hello Ada/);
    const [outcome] = await recorded(app);
    assert.deepEqual([outcome?.query_log_id, Boolean(outcome?.success)], [done.queryLogId, true]);
  });

  test(`${provider}: after so many calls the model has to answer in words`, async (t) => {
    const app = await boot(t);
    const again = says('', ['echo', { message: 'a' }], ['echo', { message: 'b' }]);
    const model = scripted(again, again, says('That is all'));
    const agent = agentOf(app, {
      provider,
      client: model[provider],
      maxToolCalls: 3,
    } as Partial<AgentOptions>);
    const done = await agent.run('say hello');
    assert.deepEqual([done.stop, done.steps.length, done.text], ['max_tool_calls', 3, 'That is all']);
    const last = model.requests.at(-1);
    assert.deepEqual(last?.tool_choice, provider === 'openai' ? 'none' : { type: 'none' });
    assert.match(JSON.stringify(last?.messages.at(-1)), /limit of calls/);
  });
}

test('what goes wrong with a tool is told to the model; what the agent cannot mend is thrown', async (t) => {
  const app = await boot(t);
  const model = scripted(
    openAiSays(null, ['nothing', {}], ['echo', '{broken'], ['echo', {}], ['who', {}]),
    openAiSays('Sorry'),
  );
  const done = await agentOf(app, { provider: 'openai', client: model.openai }).run('say hello');
  assert.deepEqual(
    done.steps.map(({ isError }) => isError),
    [true, true, true, true],
  );
  const [nothing, broken, empty, who] = done.steps.map(({ text }) => text);
  assert.match(nothing ?? '', /no tool nothing/);
  assert.match(broken ?? '', /JSON object/);
  assert.match(empty ?? '', /message/);
  assert.match(who ?? '', /nobody is there to answer/);

  const asking = scripted(openAiSays(null, ['who', {}]), openAiSays('Hi'));
  const onInput = () => ({ name: { action: 'accept', content: { name: 'Ada' } } });
  const asked = await agentOf(app, { provider: 'openai', client: asking.openai, onInput }).run('say hello');
  assert.equal(asked.steps[0]?.text, 'Hello Ada');

  const rank = new MCPRankClient({ baseUrl: app.url, apiKey: `sk_mcp_rank_${'0'.repeat(32)}` });
  const stranger = new Agent({ rank, model: 'x', provider: 'openai', client: model.openai });
  await assert.rejects(stranger.run('say hello'), { code: 'invalid_api_key' });
  const gone = new Error('gone');
  const signal = AbortSignal.abort(gone);
  await assert.rejects(
    agentOf(app, { provider: 'openai', client: model.openai }).run('say hello', { signal }),
    gone,
  );
});

test('a user who has to connect is shown the session; when they are back the call goes on', async (t) => {
  const app = await boot(t);
  const { app: withProvider } = await bootGoogleApp(t);
  let opened = 0;
  // The catalogue's server wants a connection: the service's own refusal of a provider's call stands in for its.
  const rank = new MCPRankClient({
    baseUrl: app.url,
    apiKey: adminKey,
    fetch: async (input, init) => {
      const url = String(input);
      const toProvider = /\/v1\/identity\//.test(url) || (url.endsWith('/tools/call') && opened === 0);
      if (!toProvider) {
        const headers = new Headers(init?.headers);
        headers.delete('authorization');
        return fetch(url, { ...init, headers });
      }
      if (!url.endsWith('/tools/call')) return fetch(url.replace(app.url, withProvider.url), init);
      const events = `${withProvider.url}/v1/proxy/google/calendar/v3/calendars/primary/events`;
      return fetch(events, { headers: init?.headers ?? {} });
    },
  });
  const browser = createBrowser();
  const model = scripted(openAiSays(null, ['echo', { message: 'hi' }]), openAiSays('Done'));
  const agent = new Agent({
    rank,
    model: 'scripted',
    provider: 'openai',
    client: model.openai,
    userId: 'alice',
    onConnect: async ({ auth_url }) => {
      opened++;
      await browser.submit(await browser.open(auth_url));
    },
  });
  const done = await agent.run('say hello');
  assert.equal(opened, 1);
  assert.deepEqual(
    done.steps.map(({ text }) => text),
    ['Echo: hi'],
  );
});

test('tools of the same name get names of their own, at most 64 plain characters', () => {
  const tool = (name: string) => ({ name, description: 'x', input_schema: {} });
  const server = (id: string, ...names: string[]) => ({
    id,
    name: id,
    description: '',
    remote_url: null,
    tools: names.map(tool),
    scores: { semantic: 1, popularity: 1 },
    final_score: 1,
    match: 'strong' as const,
    connection: 'open' as const,
  });
  const long = 'x'.repeat(128);
  const offered = offerTools(
    [server('a/one', 'get', long), server('b/two', 'get', long), server('c/two', 'get', 'été.zip')],
    20,
  );
  const aliases = offered.map(({ alias }) => alias);
  assert.equal(new Set(aliases).size, aliases.length);
  for (const alias of aliases) assert.match(alias, /^[A-Za-z0-9_-]{1,64}$/);
  assert.deepEqual(aliases.slice(0, 1), ['get']);
  assert.equal(offerTools([server('a', 'p', 'q', 'r')], 2).length, 2);
});

/** An example as a reader starts it, in a process of its own. */
const example = async (name: string, env: Readonly<Record<string, string>>, ...args: string[]) =>
  (
    await run(process.execPath, ['--conditions=mcprank-source', join(root, 'examples', name), ...args], {
      env: { PATH: process.env.PATH ?? '', MCPRANK_KEY: adminKey, ...env },
    })
  ).stdout;

test('examples/search.ts finds a tool and calls it', async (t) => {
  const app = await boot(t);
  const printed = await example('search.ts', { MCPRANK_URL: app.url }, 'repeat a message');
  assert.match(printed, /fixture: echo/);
  assert.match(printed, /Echo: repeat a message/);
});

test('examples/agent-openai.ts and agent-anthropic.ts: the whole way with a scripted model', {
  skip: fullRunOnly,
}, async (t) => {
  const app = await boot(t);
  for (const [name, says, variable] of [
    ['agent-openai.ts', openAiSays, 'OPENAI_BASE_URL'],
    ['agent-anthropic.ts', anthropicSays, 'ANTHROPIC_BASE_URL'],
  ] as const) {
    const model = await startModel(t, (_request, turn) =>
      turn === 0 ? says('', ['echo', { message: 'hello Ada' }]) : says('I said hello to Ada'),
    );
    const printed = await example(name, { MCPRANK_URL: app.url, [variable]: model.url }, 'say hello to Ada');
    assert.match(printed, /echo → Echo: hello Ada\nanswered: I said hello to Ada/);
    assert.equal(model.requests.length, 2);
  }
});

test('examples/google-calendar.ts shows a link, waits, and reads the calendar', async (t) => {
  const { app } = await bootGoogleApp(t);
  const child = execFile(
    process.execPath,
    ['--conditions=mcprank-source', join(root, 'examples/google-calendar.ts'), 'alice'],
    { env: { PATH: process.env.PATH ?? '', MCPRANK_KEY: adminKey, MCPRANK_URL: app.url } },
  );
  let printed = '';
  let pressed = false;
  const browser = createBrowser();
  child.stdout?.on('data', async (text: string) => {
    printed += text;
    const link = /Please open (\S+)/.exec(printed)?.[1];
    if (link === undefined || pressed) return;
    pressed = true;
    await browser.submit(await browser.open(link));
  });
  await new Promise((ended) => child.on('close', ended));
  assert.match(printed, /day of alice/);
});
