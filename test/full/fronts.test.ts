import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { adminKey } from '../support/app.ts';
import { fronts, noFront, startFront, through } from '../support/fronts.ts';
import type { McpTestApp } from '../support/mcp-app.ts';
import { type Seen, sendJson, startRaw } from '../support/mcp-servers.ts';

/** A server whose tool tells of its progress, and ends when it is let. */
async function startSlow(t: TestContext) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const result = (id: Seen['body']['id'], value: object) => ({ jsonrpc: '2.0', id, result: value });
  const upstream = await startRaw(t, ({ method, body }, reply) => {
    if (method !== 'POST') return void sendJson(reply, 405, {});
    if (body.id === undefined) return void reply.writeHead(202).end();
    if (body.method === 'initialize') {
      const serverInfo = { name: 'slow', version: '1' };
      return sendJson(
        reply,
        200,
        result(body.id, { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo }),
      );
    }
    if (body.method !== 'tools/call')
      return sendJson(
        reply,
        200,
        result(body.id, { tools: [{ name: 'slow', inputSchema: { type: 'object' } }] }),
      );
    const { _meta: meta = {} } = body.params ?? {};
    const { progressToken } = meta as { progressToken?: string };
    const event = (message: object) =>
      reply.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    event({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
    void released.then(() => {
      event(result(body.id, { content: [{ type: 'text', text: 'done' }] }));
      reply.end();
    });
  });
  return { url: upstream.url, release };
}

async function assertSigningIn(go: ReturnType<typeof through>) {
  const opened = await go('/console/session', {
    method: 'POST',
    headers: { origin: go.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
    body: JSON.stringify({ key: adminKey }),
  });
  assert.equal(opened.status, 200, await opened.text());
  assert.match(opened.headers.get('set-cookie') ?? '', /^__Host-mcprank-console=.*; Secure$/);
}

async function assertAddresses(t: TestContext, app: McpTestApp, front: number) {
  const key = await app.newKey({ addresses: ['127.0.0.2'] });
  const pretended = await app.newKey({ addresses: ['192.0.2.9'] });
  const from = through(t, front, '127.0.0.2');
  const status = async (presented: string, headers = {}) =>
    (await from('/v1/servers', { headers: { 'x-api-key': presented, ...headers } })).status;
  assert.equal(await status(key), 200, 'the address of who connected');
  for (const name of ['x-forwarded-for', 'forwarded']) {
    const value = name === 'forwarded' ? 'for=192.0.2.9' : '192.0.2.9';
    assert.equal(await status(pretended, { [name]: value }), 401, `${name} of the client's own`);
    assert.equal(await status(key, { [name]: value }), 200, name);
  }
}

async function assertStreams(t: TestContext, app: McpTestApp, go: ReturnType<typeof through>) {
  const slow = await startSlow(t);
  await app.add('com.example/slow', slow.url);
  const client = new Client({ name: 'test', version: '1' });
  const headers = { authorization: `Bearer ${adminKey}` };
  const transport = new StreamableHTTPClientTransport(new URL(`${go.url}/mcp/servers/com.example%2Fslow`), {
    requestInit: { headers },
    fetch: (url, init) => go(String(url), init),
  });
  await client.connect(transport);
  t.after(() => client.close());
  const { promise: told, resolve: tell } = Promise.withResolvers<void>();
  const called = client.callTool({ name: 'slow', arguments: {} }, { onprogress: () => tell() });
  // The server goes on only when its progress has arrived: what is kept back on the way never ends.
  await told;
  slow.release();
  assert.deepEqual((await called).content, [{ type: 'text', text: 'done' }]);
}

for (const [name, front] of Object.entries(fronts))
  test(`behind ${name}, as deploy/${name} has it: sign-in, addresses, ids with a slash, streams, nothing refused for its size`, {
    skip: noFront(front),
    timeout: 60_000,
  }, async (t) => {
    const { app, go, front: port } = await startFront(t, front);
    assert.match(await (await go('/')).text(), /<!doctype html>/i);
    await assertSigningIn(go);
    await assertAddresses(t, app, port);
    await app.add('com.example/mail', 'https://mail.example.com/mcp');
    const mail = await go('/v1/servers/com.example%2Fmail', { headers: { 'x-api-key': adminKey } });
    assert.equal(((await mail.json()) as { id: string }).id, 'com.example/mail');
    await assertStreams(t, app, go);
    const text = 'x'.repeat(3_000_000);
    const large = await go('/v1/mcp/tools/call', {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: JSON.stringify({ server_id: 'com.example/slow', name: 'slow', arguments: { text } }),
    });
    assert.equal(large.status, 200, 'larger than what nginx takes by itself');
    assert.equal((await go('/metrics')).status, 404);
  });
