import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { handClock, type TestReply } from '../support/app.ts';
import { bootMcp, type McpTestApp, textOf } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { referenceServer, type Seen, sendJson, startEverything, startRaw } from '../support/mcp-servers.ts';

type Asked = { readonly method: string; readonly params: { readonly message?: string } };

/** The question in a reply: its key, what is asked, and the way back. */
function questionIn(reply: TestReply): { key: string; asked: Asked; continuation: string } {
  assert.deepEqual([reply.status, reply.body.status], [200, 'input_required'], reply.text);
  const [[key, asked] = ['', { method: '', params: {} }]] = Object.entries(
    reply.body.input_requests as Record<string, Asked>,
  );
  return { key, asked, continuation: String(reply.body.continuation) };
}

function resume(
  app: McpTestApp,
  body: Record<string, unknown>,
  reply: TestReply,
  response: unknown,
  key?: string,
): Promise<TestReply> {
  const { key: asked, continuation } = questionIn(reply);
  return app.call('POST', '/v1/mcp/tools/call', {
    body: { ...body, continuation, input_responses: { [asked]: response } },
    ...(key === undefined ? {} : { key }),
  });
}

async function asksAndGoesOn(app: McpTestApp, id: string): Promise<void> {
  const elicit = { server_id: id, name: 'trigger-elicitation-request', arguments: {} };
  const first = await app.call('POST', '/v1/mcp/tools/call', { body: elicit });
  assert.equal(questionIn(first).asked.method, 'elicitation/create');
  const done = await resume(app, elicit, first, {
    action: 'accept',
    content: { name: 'Ada', color: 'green' },
  });
  assert.match(done.text, /Ada/);
  assert.equal(done.body.isError, false);

  const sample = { server_id: id, name: 'trigger-sampling-request', arguments: { prompt: 'say hi' } };
  const second = await app.call('POST', '/v1/mcp/tools/call', { body: sample });
  assert.equal(questionIn(second).asked.method, 'sampling/createMessage');
  const content = { type: 'text', text: 'sampled by the caller' };
  const answered = await resume(app, sample, second, { role: 'assistant', content, model: 'none' });
  assert.match(answered.text, /sampled by the caller/);
}

test('an old server asks in the middle of a call: the caller answers and the call goes on', async (t) => {
  const localServers = parseMcpConfig(
    JSON.stringify({
      mcpServers: { child: { command: process.execPath, args: [referenceServer('everything'), 'stdio'] } },
    }),
  );
  const app = await bootMcp(t, { localServers });
  const [http, sse] = await Promise.all([startEverything(t, 'streamableHttp'), startEverything(t, 'sse')]);
  await app.add('http', http.url);
  await app.add('sse', sse.url, { transport: 'sse' });
  for (const id of ['http', 'sse', 'child']) await asksAndGoesOn(app, id);
});

test('a 2026-07-28 server asks: the same request goes again with the answers', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startSdkServer(t, { legacy: 'reject' });
  await app.add('modern', upstream.url);
  const body = { server_id: 'modern', name: 'who' };
  const asked = await app.call('POST', '/v1/mcp/tools/call', { body });
  assert.equal(questionIn(asked).asked.params.message, 'Who are you?');
  const done = await resume(app, body, asked, { action: 'accept', content: { name: 'Ada' } });
  assert.equal(textOf(done), 'Hello Ada', done.text);

  const rpc = await app.rpc('modern', 'tools/call', { name: 'who', arguments: {} }, { id: 9 });
  assert.equal(rpc.body.id, 9);
  const { key, continuation } = questionIn(rpc);
  const again = await app.rpc(
    'modern',
    'tools/call',
    { name: 'who', arguments: {} },
    {
      id: 10,
      continuation,
      input_responses: { [key]: { action: 'accept', content: { name: 'Bob' } } },
    },
  );
  assert.match(JSON.stringify(again.body.result), /Hello Bob/);
});

/** A server that asks on the stream beside its calls; it opens that stream after a while, or never. */
async function startAsker(t: TestContext, openAfterMs: number | null): Promise<string> {
  let stream: ServerResponse | undefined;
  let waiting: { readonly id: Seen['body']['id']; readonly reply: ServerResponse } | undefined;
  const ask = { jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: { message: 'Who are you?' } };
  const finish = (text: string) => {
    const result = { content: [{ type: 'text', text }] };
    if (waiting !== undefined) sendJson(waiting.reply, 200, { jsonrpc: '2.0', id: waiting.id, result });
    waiting = undefined;
  };
  const open = (reply: ServerResponse) => {
    stream = reply.writeHead(200, { 'content-type': 'text/event-stream' });
    stream.flushHeaders();
  };
  const answers: Readonly<Record<string, (seen: Seen, reply: ServerResponse) => void>> = {
    initialize: ({ body: { id } }, reply) => {
      const result = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        serverInfo: { name: 'x', version: '1' },
      };
      sendJson(reply, 200, { jsonrpc: '2.0', id, result }, { 'mcp-session-id': 's' });
    },
    'tools/call': ({ body: { id } }, reply) => {
      waiting = { id, reply };
      if (stream === undefined) finish('nobody was there to be asked');
      else stream.write(`data: ${JSON.stringify(ask)}\n\n`);
    },
  };
  const { url } = await startRaw(t, async (seen, reply) => {
    if (seen.method === 'GET') {
      if (openAfterMs !== null) await delay(openAfterMs).then(() => open(reply));
      return;
    }
    const { method, id, result } = seen.body as Seen['body'] & { result?: { content: { name: string } } };
    const answer = answers[method ?? ''];
    if (answer !== undefined) return answer(seen, reply);
    if (method === 'server/discover') return sendJson(reply, 400, {});
    reply.writeHead(202).end();
    if (id === ask.id && result !== undefined) finish(`Hello ${result.content.name}`);
  });
  return url;
}

test('a question beside the call reaches the caller when the server is slow to open the stream for it, and one that never does is called all the same', async (t) => {
  const app = await bootMcp(t);
  await app.add('slow', await startAsker(t, 600));
  await app.add('silent', await startAsker(t, null));
  const body = { server_id: 'slow', name: 'who' };
  const asked = await app.call('POST', '/v1/mcp/tools/call', { body });
  assert.equal(questionIn(asked).asked.params.message, 'Who are you?');
  const done = await resume(app, body, asked, { action: 'accept', content: { name: 'Ada' } });
  assert.equal(textOf(done), 'Hello Ada', done.text);

  assert.equal(textOf(await app.tool('silent', 'who')), 'nobody was there to be asked');
});

test('a continuation is for one principal, one request, one time, and its time', async (t) => {
  const clock = handClock();
  const app = await bootMcp(t, { clock });
  const { url } = await startEverything(t, 'streamableHttp');
  await app.add('it', url);
  const body = { server_id: 'it', name: 'trigger-elicitation-request', arguments: {} };
  const asked = await app.call('POST', '/v1/mcp/tools/call', { body });
  const accept = { action: 'accept', content: { name: 'Ada' } };
  const refused = (reply: TestReply) => {
    assert.equal(reply.status, 400, reply.text);
    assert.match(String(reply.body.detail), /^(continuation|input_responses): /);
  };
  refused(await resume(app, body, asked, accept, await app.newKey()));
  refused(await resume(app, { ...body, arguments: { other: 1 } }, asked, accept));
  refused(await resume(app, { ...body, name: 'echo' }, asked, accept));
  const { continuation } = questionIn(asked);
  for (const forged of [
    `${continuation}A`,
    continuation.slice(0, -2),
    continuation.replace('v1.', 'v2.'),
    'x',
  ])
    refused(await app.call('POST', '/v1/mcp/tools/call', { body: { ...body, continuation: forged } }));
  refused(
    await app.call('POST', '/v1/mcp/tools/call', { body: { ...body, continuation, input_responses: {} } }),
  );

  assert.equal((await resume(app, body, asked, accept)).status, 200);
  refused(await resume(app, body, asked, accept));

  const late = await app.call('POST', '/v1/mcp/tools/call', { body });
  clock.advance(300_001);
  refused(await resume(app, body, late, accept));
});
