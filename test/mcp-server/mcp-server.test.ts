import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';

type Era = 'legacy' | 'modern';
const eras: readonly Era[] = ['legacy', 'modern'];

/** The SDK's client, connected to our endpoint in one era. */
async function connect(t: TestContext, app: TestApp, era: Era, key = adminKey): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    {
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
      capabilities: { elicitation: { form: {} } },
    },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
  const transport = new StreamableHTTPClientTransport(new URL(`${app.url}/mcp`), {
    requestInit: { headers: { 'x-api-key': key } },
  });
  await client.connect(transport);
  t.after(() => client.close());
  return client;
}

type Result = {
  readonly isError?: boolean;
  readonly content: readonly { readonly text?: string }[];
  readonly structuredContent?: { readonly tools?: readonly { server_id: string; name: string }[] };
};
const call = async (client: Client, name: string, args: Record<string, unknown> = {}) =>
  (await client.callTool({ name, arguments: args })) as unknown as Result;
const textOf = (result: Result) => result.content[0]?.text ?? '';
const namesOf = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name);

/** Enough tools that nobody wants them all in a prompt. */
function many(count: number) {
  return Array.from({ length: count }, (_, i) => ({
    name: `chore_${i}`,
    description: `Does household chore number ${i}`,
  }));
}

for (const era of eras) {
  test(`${era}: a large catalogue is four tools: search, describe, call, call several; the call's outcome is tied to the search`, async (t) => {
    const app = await bootMcp(t);
    const { url } = await startSdkServer(t);
    await app.add('fixture', url, {
      description: 'Repeats what it is told',
      tools: [{ name: 'echo', description: 'Say it again', inputSchema: { type: 'object' } }],
    });
    await app.add('chores', 'http://127.0.0.1:9/mcp', { tools: many(40) });
    await app.services.search.settled();
    const client = await connect(t, app, era);
    assert.deepEqual(await namesOf(client), ['search_tools', 'describe_tool', 'call_tool', 'call_tools']);

    const found = await call(client, 'search_tools', { query: 'say it again', limit: 3 });
    const [first] = found.structuredContent?.tools ?? [];
    assert.deepEqual([first?.server_id, first?.name], ['fixture', 'echo']);
    const place = { server_id: 'fixture', name: 'echo' };
    assert.match(textOf(await call(client, 'describe_tool', place)), /"input_schema":\{"type":"object"\}/);
    const said = await call(client, 'call_tool', { ...place, arguments: { message: 'hi' } });
    assert.equal(textOf(said), 'Echo: hi');
    // Outcomes are written behind the answer.
    let outcomes: { query_log_id: string | null }[] = [];
    while (outcomes.length === 0) {
      await delay(20);
      outcomes = await app.services.storage
        .tables<{ invocations: { query_log_id: string | null } }>()
        .selectFrom('invocations')
        .selectAll()
        .execute();
    }
    assert.match(
      outcomes[0]?.query_log_id ?? '',
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test(`${era}: few tools are listed as they are, and an error of theirs stays theirs`, async (t) => {
    const app = await bootMcp(t);
    const { url } = await startSdkServer(t);
    for (const id of ['io.example/one', 'io.example/two'])
      await app.add(id, url, { tools: [{ name: 'echo', description: 'Say it again' }] });
    await app.add('who-server', url, { tools: [{ name: 'region', description: 'In a region' }] });
    const client = await connect(t, app, era);
    assert.deepEqual(await namesOf(client), [
      'one__echo_d480ef50',
      'two__echo_11a253ef',
      'who-server__region',
    ]);
    assert.equal(textOf(await call(client, 'two__echo_11a253ef', { message: 'x' })), 'Echo: x');
    await assert.rejects(
      call(client, 'echo', { message: 'x' }),
      /Unknown tool: echo; here it is one__echo_d480ef50 or two__echo_11a253ef/,
    );
    const bare = /Unknown tool: region; here it is who-server__region/;
    await assert.rejects(call(client, 'region'), bare, 'though no other tool has that name: one may come');
    await assert.rejects(call(client, 'nowhere'), /Unknown tool/);
  });

  test(`${era}: what goes wrong is told in words: bad arguments, unknown and dead servers`, async (t) => {
    const app = await bootMcp(t);
    await app.add('dead', 'http://127.0.0.1:9/mcp', { tools: many(40) });
    const client = await connect(t, app, era);
    const wrong: [string, Record<string, unknown>, RegExp][] = [
      ['search_tools', {}, /query: expected/],
      ['search_tools', { query: 'x', limit: 0 }, /limit: expected/],
      ['describe_tool', { server_id: 'nowhere', name: 'x' }, /Server not found/],
      ['call_tool', { server_id: 'dead', name: 'chore_1', arguments: [] }, /arguments: expected/],
      ['call_tool', { server_id: 'dead', name: 'chore_1' }, /cannot be reached/],
    ];
    for (const [name, args, words] of wrong) {
      const result = await call(client, name, args);
      assert.equal(result.isError, true, name);
      assert.match(textOf(result), words);
    }
  });
}

test('a question in the middle of a call reaches clients of both ages and comes back; one that cannot be asked is told', async (t) => {
  const app = await bootMcp(t);
  const { url } = await startSdkServer(t);
  await app.add('asking', url, { tools: [{ name: 'who', description: 'Asks for a name first' }] });
  assert.equal(textOf(await call(await connect(t, app, 'modern'), 'asking__who')), 'Hello Ada');
  assert.equal(textOf(await call(await connect(t, app, 'legacy'), 'asking__who')), 'Hello Ada');
  const params = { name: 'asking__who', arguments: {} };
  const mute = await app.call('POST', '/mcp', {
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
    headers: { accept: 'application/json, text/event-stream' },
  });
  assert.match(mute.text, /needs a client that declares elicitation/);
});

test('a question is answered by the client that was asked, and by no other key that knows its id', async (t) => {
  const app = await bootMcp(t);
  const { url } = await startSdkServer(t);
  await app.add('asking', url, { tools: [{ name: 'who', description: 'Asks for a name first' }] });
  const send = (key: string, message: object, session: string) =>
    fetch(`${app.url}/mcp`, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      headers: {
        'x-api-key': key,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session === '' ? {} : { 'mcp-session-id': session }),
      },
    });
  const open = async (key: string) => {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: { elicitation: {} },
      clientInfo: { name: 'test', version: '1' },
    };
    const reply = await send(key, { id: 1, method: 'initialize', params }, '');
    await reply.text();
    return reply.headers.get('mcp-session-id') ?? '';
  };
  const other = await app.newKey({ scopes: ['mcp', 'search'] });
  const [session, otherSession] = [await open(adminKey), await open(other)];
  const call = { id: 2, method: 'tools/call', params: { name: 'asking__who', arguments: {} } };
  const reply = await send(adminKey, call, session);
  assert.ok(reply.body !== null);
  let text = '';
  for await (const chunk of reply.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const asked = /"id":"(ask_\w+)"/.exec(text)?.[1];
    if (asked === undefined || text.includes('"id":2')) continue;
    const answer = (name: string) => ({ id: asked, result: { action: 'accept', content: { name } } });
    await send(other, answer('Mallory'), otherSession);
    await send(adminKey, answer('Ada'), session);
  }
  assert.match(text, /Hello Ada/);
});

test('without a key /mcp answers 401 and says where to read how to present one; a foreign Host or Origin is refused', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  const refused = await app.call('POST', '/mcp', { body: ping, key: null });
  assert.equal(refused.status, 401);
  const challenge = refused.headers.get('www-authenticate') ?? '';
  const [, metadataUrl = ''] = /resource_metadata="([^"]+)"/.exec(challenge) ?? [];
  const metadata = (await (await fetch(metadataUrl)).json()) as { resource: string };
  assert.equal(metadata.resource, `${app.url}/mcp`);
  const foreign = await app.call('POST', '/mcp', { body: ping, headers: { origin: 'https://evil.example' } });
  assert.equal(foreign.status, 403);
  const { code, message } = foreign.body.detail as { code: string; message: string };
  assert.deepEqual([code, message], ['cross_site', 'origin: not a page of this service']);
});

test('a key that may not search cannot search here either', async (t) => {
  const app = await bootMcp(t);
  await app.add('chores', 'http://127.0.0.1:9/mcp', { tools: many(40) });
  const key = await app.newKey({ scopes: ['mcp'] });
  const client = await connect(t, app, 'modern', key);
  assert.match(textOf(await call(client, 'search_tools', { query: 'x' })), /lacks the scope search/);
});
