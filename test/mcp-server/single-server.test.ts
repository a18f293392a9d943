import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { adminKey, type TestApp } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { sendJson, startEverything, startRaw } from '../support/mcp-servers.ts';

const eras = ['legacy', 'modern'] as const;

async function connect(
  t: TestContext,
  app: TestApp,
  id: string,
  era: (typeof eras)[number],
): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    {
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
      capabilities: { elicitation: { form: {} } },
    },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
  const url = new URL(`${app.url}/mcp/servers/${encodeURIComponent(id)}`);
  const requestInit = { headers: { 'x-api-key': adminKey } };
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
  t.after(() => client.close());
  return client;
}

for (const era of eras) {
  test(`${era}: an old server is there whole: what it says of itself, tools, resources, prompts, completion, progress`, {
    skip: fullRunOnly,
  }, async (t) => {
    const app = await bootMcp(t);
    const { url } = await startEverything(t, 'streamableHttp');
    await app.add('io.example/everything', url);
    const client = await connect(t, app, 'io.example/everything', era);
    assert.match(client.getServerVersion()?.name ?? '', /everything/);
    assert.ok(client.getServerCapabilities()?.completions !== undefined);
    assert.match(client.getInstructions() ?? '', /./);
    assert.ok((await client.listTools()).tools.some(({ name }) => name === 'echo'));
    const { resources } = await client.listResources();
    const read = await client.readResource({ uri: resources[0]?.uri ?? '' });
    assert.ok(read.contents.length > 0);
    const { prompts } = await client.listPrompts();
    assert.ok(prompts.length > 0);
    const prompt = await client.getPrompt({ name: 'simple-prompt' });
    assert.ok(prompt.messages.length > 0);
    const heard: number[] = [];
    await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 0.2, steps: 2 } },
      { onprogress: ({ progress }) => void heard.push(progress) },
    );
    assert.deepEqual(heard, [1, 2]);
    await assert.rejects(client.getPrompt({ name: 'nothing' }), /nothing/);
  });

  test(`${era}: a modern server is there whole, and its errors are its own`, async (t) => {
    const app = await bootMcp(t);
    const { url } = await startSdkServer(t);
    await app.add('fixture', url);
    const client = await connect(t, app, 'fixture', era);
    assert.equal(client.getServerVersion()?.name, 'fixture');
    const said = await client.callTool({ name: 'echo', arguments: { message: 'x' } });
    assert.deepEqual(said.content, [{ type: 'text', text: 'Echo: x' }]);
    const direct = new Client({ name: 'test', version: '1' });
    await direct.connect(new StreamableHTTPClientTransport(new URL(url)));
    t.after(() => direct.close());
    const errorOf = (asked: Client) =>
      asked.callTool({ name: 'nothing' }).then(
        (result) => JSON.stringify(result.content),
        (error: { code: unknown; message: string }) => `${error.code} ${error.message}`,
      );
    assert.equal(await errorOf(client), await errorOf(direct));
    const asked = await client.callTool({ name: 'who' });
    assert.deepEqual(asked.content, [{ type: 'text', text: 'Hello Ada' }]);
  });
}

test('a server that cannot be used is an error in words; an unknown one is 404, a bad MIT 401', async (t) => {
  const app = await bootMcp(t);
  await app.add('dead', 'http://127.0.0.1:9/mcp');
  await assert.rejects(connect(t, app, 'dead', 'legacy'), /cannot be reached/);
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  assert.equal((await app.call('POST', '/mcp/servers/nowhere', { body: ping })).status, 404);
  assert.equal((await app.call('GET', '/mcp/servers/dead')).status, 405);
  const refused = await app.call('POST', '/mcp/servers/dead', {
    body: ping,
    headers: { authorization: 'Bearer x.y.z' },
  });
  assert.equal(refused.status, 401);
  assert.match(
    refused.headers.get('www-authenticate') ?? '',
    /^Bearer error="invalid_token", resource_metadata="/,
  );
});

test('an old server asked with server/discover over REST answers from its handshake', async (t) => {
  const app = await bootMcp(t);
  const { url } = await startEverything(t, 'sse');
  await app.add('old', url, { transport: 'sse' });
  const { body } = await app.rpc('old', 'server/discover');
  const { supportedVersions, capabilities } = body.result as Record<string, unknown>;
  assert.ok(Array.isArray(supportedVersions) && supportedVersions.length === 1);
  assert.equal(typeof capabilities, 'object');
});

/** A server that tells of its progress, and answers when the test lets it. */
async function startSlow(t: TestContext) {
  const finish = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const { url } = await startRaw(t, async ({ body }, reply) => {
    const { id, method, params = {} } = body;
    const answer = (result: unknown) => ({ jsonrpc: '2.0', id, result });
    const about = { capabilities: { tools: {} }, serverInfo: { name: 'slow', version: '1' } };
    if (method === 'initialize')
      return sendJson(reply, 200, answer({ protocolVersion: '2025-11-25', ...about }));
    if (method === 'notifications/initialized') return void reply.writeHead(202).end();
    if (method !== 'tools/call') return sendJson(reply, 400, { error: 'not here' });
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    const { progressToken } = (params._meta ?? {}) as { progressToken?: unknown };
    const told = { jsonrpc: '2.0', method: 'notifications/progress' };
    reply.write(`data: ${JSON.stringify({ ...told, params: { progressToken, progress: 1 } })}\n\n`);
    reply.on('close', () => left.resolve());
    await finish.promise;
    reply.end(`data: ${JSON.stringify(answer({ content: [{ type: 'text', text: 'done' }] }))}\n\n`);
  });
  return { url, finish: finish.resolve, left: left.promise };
}

for (const era of eras)
  test(`${era}: what a server tells on the way is heard on the way`, async (t) => {
    const app = await bootMcp(t);
    const slow = await startSlow(t);
    await app.add('slow', slow.url);
    const client = await connect(t, app, 'slow', era);
    // It ends when its progress was heard: whoever gathers the stream first would wait for ever.
    const done = await client.callTool({ name: 'x' }, { onprogress: () => slow.finish() });
    assert.deepEqual(done.content, [{ type: 'text', text: 'done' }]);
  });

test('a client that leaves in the middle of a stream ends the call upstream', async (t) => {
  const app = await bootMcp(t);
  const slow = await startSlow(t);
  await app.add('slow', slow.url);
  const gone = new AbortController();
  const params = { name: 'x', _meta: { progressToken: 1 } };
  const reply = await fetch(`${app.url}/mcp/servers/slow`, {
    method: 'POST',
    signal: gone.signal,
    headers: {
      'x-api-key': adminKey,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  });
  const { value } = (await reply.body?.getReader().read()) ?? {};
  assert.match(Buffer.from(value ?? []).toString(), /progress/);
  gone.abort();
  await slow.left;
});
