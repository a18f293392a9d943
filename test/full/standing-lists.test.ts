import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { adminKey, bootApp, type TestApp, temporaryFolder } from '../support/app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { mitOf } from '../support/mcp-oauth.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';

const accept = { accept: 'application/json, text/event-stream' };

/** A server whose prompts and tools are those of the key that it is shown; nothing without one. */
function startPersonal(t: TestContext) {
  return startRaw(t, ({ body, headers }, reply) => {
    const key = headers['x-api-key'];
    if (key === undefined) return sendJson(reply, 401, { error: 'whose?' });
    const result = {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: { prompts: {}, tools: {} },
      prompts: [{ name: `prompt_of_${String(key)}` }],
      tools: [{ name: `tool_of_${String(key)}`, inputSchema: { type: 'object' } }],
      content: [],
    };
    sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result });
  });
}

const personal = {
  user_credentials: { headers: { 'X-Api-Key': '{key}' }, variables: { key: {} } },
};
const give = (app: TestApp, key: string) =>
  app.call('POST', '/v1/identity/credentials', {
    body: { user_id: 'ann', server_id: 's', values: { key } },
  });

async function shown(app: TestApp, headers: Record<string, string>) {
  const prompts = await app.call('POST', '/mcp', {
    headers: { ...headers, ...accept },
    body: { jsonrpc: '2.0', id: 1, method: 'prompts/list' },
  });
  const found = await app.call('POST', '/v1/search', { headers, body: { query: 'tool of' } });
  return `${prompts.text} ${found.text}`;
}

/** A second at most. */
async function soon(look: () => Promise<string>, holds: (text: string) => boolean): Promise<void> {
  const end = performance.now() + 1_000;
  for (;;) {
    const begun = performance.now();
    const text = await look();
    if (holds(text)) return;
    assert.ok(begun < end, text);
  }
}

test('who connects anew, as somebody else, or disconnects is shown nothing of before: here at once, at another replica within a second', async (t) => {
  const server = await startPersonal(t);
  const env = { MCPRANK_DATA_DIR: temporaryFolder(t), MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' };
  const app = await bootMcp(t, {}, env);
  const replica = await bootApp(t, { ...env, MCPRANK_STARTER: 'off', MCPRANK_PUBLIC_URL: app.url });
  await app.add('s', server.url, personal);
  await app.services.search.settled();
  assert.equal((await give(app, 'ann')).status, 201);
  const headers = await mitOf(app, 'ann');
  const isOf = (name: string) => (text: string) =>
    text.includes(`prompt_of_${name}`) && text.includes(`tool_of_${name}`);
  assert.ok(isOf('ann')(await shown(app, headers)));
  await soon(() => shown(replica, headers), isOf('ann'));
  assert.equal((await give(app, 'other')).status, 201);
  const here = await shown(app, headers);
  assert.ok(isOf('other')(here) && !here.includes('of_ann'), here);
  await soon(
    () => shown(replica, headers),
    (text) => isOf('other')(text) && !text.includes('of_ann'),
  );
  const [connection] = (await app.call('GET', '/v1/identity/connections?user_id=ann')).body.connections as {
    id: string;
  }[];
  await app.call('DELETE', `/v1/identity/connections/${connection?.id}`);
  assert.doesNotMatch(await shown(app, headers), /_of_/);
  await soon(
    () => shown(replica, headers),
    (text) => !text.includes('_of_'),
  );
});

const answers: Readonly<Record<string, object>> = {
  initialize: {
    protocolVersion: '2025-11-25',
    capabilities: { resources: { subscribe: true, listChanged: true } },
    serverInfo: { name: 'telling', version: '1' },
  },
  'resources/subscribe': {},
  'resources/list': { resources: [{ uri: 'note://one', name: 'one' }] },
};

/** A server of 2025 whose sessions begin with the key that opened them, and have a stream each. */
async function startTelling(t: TestContext) {
  const streams = new Map<string, ServerResponse>();
  const subscribed: string[] = [];
  const server = await startRaw(t, ({ body: { id, method: asked = '' }, headers, method }, reply) => {
    const session = String(headers['mcp-session-id'] ?? `${headers['x-api-key']}-${crypto.randomUUID()}`);
    if (method === 'GET') {
      streams.set(session, reply.writeHead(200, { 'content-type': 'text/event-stream' }));
      return reply.write(': \n\n');
    }
    if (id === undefined) return reply.writeHead(202).end();
    if (asked === 'resources/subscribe') subscribed.push(session);
    reply.setHeader('mcp-session-id', session);
    const result = answers[asked];
    const error = { code: -32601, message: 'Method not found' };
    return sendJson(reply, 200, { jsonrpc: '2.0', id, ...(result === undefined ? { error } : { result }) });
  });
  const of = (key: string) => (session: string) => session.startsWith(`${key}-`);
  const streamsOf = (key: string) =>
    [...streams].filter(([session]) => of(key)(session)).map(([, one]) => one);
  const updated = {
    method: 'notifications/resources/updated',
    params: { uri: 'note://one' },
  };
  return {
    url: server.url,
    hasSubscribed: (key: string) => subscribed.some(of(key)),
    isHeard: (key: string) => streamsOf(key).some((stream) => !stream.destroyed),
    tell(key: string, told: object = updated) {
      const message = JSON.stringify({ jsonrpc: '2.0', ...told });
      for (const stream of streamsOf(key)) stream.write(`data: ${message}\n\n`);
    },
  };
}

const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

/** Ann's client at /mcp with its stream open. */
async function openStream(app: TestApp) {
  const headers = { ...(await mitOf(app, 'ann')), ...accept, 'mcp-session-id': '' };
  const say = (message: object) =>
    app.call('POST', '/mcp', { headers, body: { jsonrpc: '2.0', id: 1, ...message } });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const { 'mcp-session-id': _, ...first } = headers;
  const opened = await app.call('POST', '/mcp', {
    headers: first,
    body: { jsonrpc: '2.0', id: 1, method: 'initialize', params },
  });
  headers['mcp-session-id'] = opened.headers.get('mcp-session-id') ?? '';
  const stream = await fetch(`${app.url}/mcp`, { headers: { ...headers, 'x-api-key': adminKey } });
  const told = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const readUntil = async (words: string) => {
    while (!text.includes(words)) text += (await told?.read())?.value ?? '';
    const read = text;
    text = '';
    return read;
  };
  return { say, told, readUntil };
}

test('a subscription goes on when its user connects anew: in the new session, and no more in the former one', async (t) => {
  const server = await startTelling(t);
  const app = await bootMcp(t);
  await app.add('s', server.url, personal);
  assert.equal((await give(app, 'ann')).status, 201);
  const { say, told, readUntil } = await openStream(app);
  const uri = 'mcprank://s/note://one';
  const done = await say({ method: 'resources/subscribe', params: { uri } });
  assert.equal(done.status, 200, done.text);
  assert.ok(server.hasSubscribed('ann'));
  await until(() => server.isHeard('ann'));
  assert.equal((await give(app, 'other')).status, 201);
  await until(() => server.hasSubscribed('other') && server.isHeard('other'));
  await until(() => !server.isHeard('ann'));
  server.tell('other');
  assert.ok((await readUntil('resources/updated')).includes(uri));
  await told?.cancel();
});

test('what a user connects, disconnects and connects again while a stream is open is heard each time', async (t) => {
  const server = await startTelling(t);
  const app = await bootMcp(t);
  await app.add('s', server.url, personal);
  const { say, told, readUntil } = await openStream(app);
  const changed = 'prompts/list_changed';
  for (const key of ['ann', 'other', 'third']) {
    assert.equal((await give(app, key)).status, 201);
    // What the user sees is another list now.
    await readUntil(changed);
    assert.equal((await say({ method: 'resources/list' })).status, 200);
    await until(() => server.isHeard(key));
    server.tell(key, { method: 'notifications/prompts/list_changed' });
    await readUntil(changed);
    const { body } = await app.call('GET', '/v1/identity/connections?user_id=ann');
    const [connection] = body.connections as { id: string }[];
    await app.call('DELETE', `/v1/identity/connections/${connection?.id}`);
    await readUntil(changed);
  }
  await told?.cancel();
});
