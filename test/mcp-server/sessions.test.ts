import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { adminKey, type TestApp } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { type RawUpstream, type Seen, sendJson, startEverything, startRaw } from '../support/mcp-servers.ts';
import { startReplicas } from '../support/replicas.ts';
import { engines } from '../support/stores.ts';

/** Sessions that clients of the initialize era have with a server, through us. */

const place = '/mcp/servers/one';
const clientInfo = { name: 'test', version: '1' };

/** The SDK's client; each of its requests goes to the next of these. */
async function connect(t: TestContext, urls: readonly string[], key: string | null = adminKey) {
  const client = new Client(clientInfo, {
    versionNegotiation: { mode: 'legacy' },
    capabilities: { elicitation: { form: {} } },
  });
  const asked: string[] = [];
  client.setRequestHandler('elicitation/create', ({ params }) => {
    asked.push(params.message);
    return { action: 'accept', content: { name: 'Ada', check: true } };
  });
  let turn = 0;
  const statuses: string[] = [];
  const transport = new StreamableHTTPClientTransport(new URL(urls[0] ?? ''), {
    requestInit: { headers: key === null ? {} : { 'x-api-key': key } },
    async fetch(_url, init) {
      const reply = await fetch(urls[turn++ % urls.length] ?? '', init);
      statuses.push(`${init?.method ?? 'GET'} ${reply.status}`);
      return reply;
    },
  });
  await client.connect(transport);
  t.after(() => client.close());
  return { client, transport, asked, statuses };
}

/** A day with server-everything: whatever a session makes possible, in words that can be compared. */
async function spendADay({ client, transport, asked }: Awaited<ReturnType<typeof connect>>) {
  const told: string[] = [];
  const updated = new Promise<void>((resolve) => {
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      told.push(params.uri);
      resolve();
    });
  });
  const { tools } = await client.listTools();
  const answered = await client.callTool({ name: 'trigger-elicitation-request' });
  await client.subscribeResource({ uri: 'demo://resource/dynamic/text/1' });
  await client.callTool({ name: 'toggle-subscriber-updates' });
  await updated;
  await client.callTool({ name: 'toggle-subscriber-updates' });
  assert.match(transport.sessionId ?? '', /^[\x21-\x7e]+$/);
  await transport.terminateSession();
  const { content } = answered as { content: { text: string }[] };
  return {
    capabilities: client.getServerCapabilities(),
    tools: tools.map(({ name }) => name),
    asked,
    answer: content[0]?.text,
    told,
  };
}

test('a client of the initialize era sees through us what it sees directly: capabilities, questions, updates, an end', {
  skip: fullRunOnly,
}, async (t) => {
  const { url } = await startEverything(t, 'streamableHttp');
  const app = await bootMcp(t);
  await app.add('one', url);
  const direct = await spendADay(await connect(t, [url], null));
  assert.ok(direct.capabilities?.resources?.subscribe);
  assert.equal(direct.asked.length, 1);
  const through = await connect(t, [`${app.url}${place}`]);
  const session = through.transport.sessionId ?? '';
  assert.deepEqual(await spendADay(through), direct);
  assert.ok(through.statuses.includes('GET 200') && through.statuses.includes('DELETE 200'));
  const late = await say(app, session, { id: 9, method: 'tools/list' });
  assert.deepEqual([late.status, late.body.error], [404, { code: -32001, message: 'Session not found' }]);
});

for (const engine of engines)
  test(`${engine.name}: two processes, one session: each request may go to either, and either may be replaced`, {
    skip: engine.skip || fullRunOnly,
  }, async (t) => {
    const { url } = await startEverything(t, 'streamableHttp');
    const env = {
      ...(await engine.environment(t)),
      MCPRANK_STARTER: 'off',
      MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    };
    const replicas = [...(await startReplicas(t, 1, env)), ...(await startReplicas(t, 1, env))];
    const [first, second] = replicas;
    assert.ok(first !== undefined && second !== undefined);
    const record = JSON.stringify({ id: 'one', name: 'one', remote_url: url });
    const headers = { 'x-api-key': adminKey, 'content-type': 'application/json' };
    await fetch(`${first.url}/v1/admin/servers`, { method: 'POST', headers, body: record });
    while ((await fetch(`${second.url}/v1/servers/one`, { headers })).status !== 200) await delay(50);
    const urls = replicas.map((each) => `${each.url}${place}`);
    const direct = await spendADay(await connect(t, [url], null));
    assert.deepEqual(await spendADay(await connect(t, urls)), direct);

    const lasting = await connect(t, [urls[0] ?? '']);
    const id = lasting.transport.sessionId ?? '';
    first.child.kill('SIGKILL');
    const list = { id: 2, method: 'tools/list' };
    assert.equal((await say(second, id, list)).status, 200, 'the session outlives who began it');
    const ended = await fetch(urls[1] ?? '', {
      method: 'DELETE',
      headers: { ...headers, 'mcp-session-id': id },
    });
    assert.equal(ended.status, 200);
    assert.equal((await say(second, id, list)).status, 404);
  });

/** A message in a session, as a bare HTTP request. */
async function say(
  { url }: { readonly url: string },
  session: string | null,
  message: object,
  {
    key = adminKey,
    path = place,
    headers = {},
  }: { key?: string; path?: string; headers?: Record<string, string> } = {},
) {
  const reply = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      'x-api-key': key,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(session === null ? {} : { 'mcp-session-id': session }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  });
  const text = await reply.text();
  const isJson = text !== '' && reply.headers.get('content-type')?.includes('json') === true;
  return {
    status: reply.status,
    text,
    body: (isJson ? JSON.parse(text) : {}) as Record<string, unknown>,
    session: reply.headers.get('mcp-session-id') ?? '',
  };
}

const hello = {
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: { roots: {} }, clientInfo },
};

type Answer = (seen: Seen, reply: Parameters<Parameters<typeof startRaw>[1]>[1]) => void;

/** A hand-written server with sessions; what it does with the rest is the test's. */
async function startKeeper(t: TestContext, answer: Answer): Promise<RawUpstream> {
  let count = 0;
  return startRaw(t, (seen, reply) => {
    const { id, method } = seen.body;
    if (method === 'server/discover') return void reply.writeHead(404).end();
    if (method !== 'initialize') return answer(seen, reply);
    const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: clientInfo };
    sendJson(reply, 200, { jsonrpc: '2.0', id, result }, { 'mcp-session-id': `s${++count}` });
  });
}

async function bootKeeper(t: TestContext, answer: Answer, options: Parameters<typeof bootMcp>[1] = {}) {
  const upstream = await startKeeper(t, answer);
  const app = await bootMcp(t, options);
  await app.add('one', upstream.url);
  return { app, upstream };
}

const ok: Answer = ({ body }, reply) => sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result: {} });
const events = (reply: Parameters<Answer>[1]) =>
  reply.writeHead(200, { 'content-type': 'text/event-stream' });
const idsIn = (text: string) => [...text.matchAll(/^id: (.*)$/gm)].map(([, id = '']) => id);

test("a session is one key's and one user's with one server: for all others it is not there, and the server hears nothing", async (t) => {
  const { app, upstream } = await bootKeeper(t, ok);
  await app.add('two', upstream.url);
  const developer = { developer: 'one of two keys', scopes: ['mcp', 'identity'] };
  const [key, sibling, stranger] = await Promise.all([
    app.newKey(developer),
    app.newKey(developer),
    app.newKey(),
  ]);
  const tokenOf = async (user: string) => {
    const { body } = await app.call('POST', '/v1/identity/token', { key, body: { user_id: user } });
    return { authorization: `Bearer ${body.access_token}` };
  };
  const [ann, bob] = await Promise.all([tokenOf('ann'), tokenOf('bob')]);
  const { session } = await say(app, null, hello, { key, headers: ann });
  const ping = { id: 2, method: 'ping' };
  assert.equal((await say(app, session, ping, { key, headers: ann })).status, 200);
  const heard = upstream.seen.length;
  const unknown = await say(app, 'nothing', ping, { key, headers: ann });
  assert.equal(unknown.status, 404);
  const changed = `${session.slice(0, -1)}${session.endsWith('A') ? 'B' : 'A'}`;
  const others = [
    say(app, session, ping, { key, headers: bob }),
    say(app, session, ping, { key }),
    say(app, session, ping, { key: sibling ?? '', headers: ann }),
    say(app, session, ping, { key: stranger ?? '' }),
    say(app, session, ping, { key, headers: ann, path: '/mcp/servers/two' }),
    say(app, changed, ping, { key, headers: ann }),
    say(app, 's1', ping, { key, headers: ann }),
  ];
  for (const other of await Promise.all(others))
    assert.deepEqual([other.status, other.text], [404, unknown.text]);
  for (const method of ['GET', 'DELETE']) {
    const headers = { 'mcp-session-id': session, accept: 'text/event-stream' };
    assert.equal((await app.call(method, place, { key: stranger ?? '', headers })).status, 404);
  }
  assert.equal(upstream.seen.length, heard);
});

test('the server hears the client and nothing of its credentials; what is between neighbours goes no further', async (t) => {
  const { app, upstream } = await bootKeeper(t, ({ body }, reply) => {
    const _meta = { 'io.modelcontextprotocol/serverInfo': {}, own: 1 };
    sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result: { _meta } });
  });
  const { session, body } = await say(app, null, hello);
  assert.equal((body.result as { protocolVersion: string }).protocolVersion, '2025-11-25');
  const own = { cookie: 'a=b', 'mcp-protocol-version': '2025-11-25' };
  const kept = { progressToken: 7, 'io.modelcontextprotocol/related-task': { taskId: 't' } };
  const _meta = { 'io.modelcontextprotocol/clientInfo': {}, ...kept };
  const reply = await say(app, session, { id: 'x', method: 'ping', params: { _meta } }, { headers: own });
  assert.deepEqual(reply.body, { jsonrpc: '2.0', id: 'x', result: { _meta: { own: 1 } } });
  const [greeted, asked] = upstream.seen.filter(({ body: { method } }) => method !== 'server/discover');
  assert.deepEqual(greeted?.body.params, hello.params);
  assert.deepEqual(asked?.body.params, { _meta: kept });
  const { host, connection, ...headers } = asked?.headers ?? {};
  assert.deepEqual(Object.keys(headers).sort(), [
    'accept',
    'content-length',
    'content-type',
    'mcp-protocol-version',
    'mcp-session-id',
  ]);
  assert.equal(headers['mcp-session-id'], 's1');
});

test('an answer that a server streams alone is JSON for who takes it; with anything before it, it is a stream', async (t) => {
  const told = {
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken: 1, progress: 1 },
  };
  const { app } = await bootKeeper(t, ({ body: { id, params } }, reply) => {
    const answer = { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'streamed' }] } };
    const { name } = params as { name: string };
    const before = { alone: '', primed: 'id: 1\ndata: \n\n', after: `data: ${JSON.stringify(told)}\n\n` }[
      name
    ];
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    reply.end(`${before}id: 2\ndata: ${JSON.stringify(answer)}\n\n`);
  });
  const { session } = await say(app, null, hello);
  const call = async (name: string, headers = {}) =>
    say(app, session, { id: 7, method: 'tools/call', params: { name } }, { headers });
  const alone = await call('alone');
  assert.deepEqual(alone.body, {
    jsonrpc: '2.0',
    id: 7,
    result: { content: [{ type: 'text', text: 'streamed' }] },
  });
  for (const streamed of [
    await call('alone', { accept: 'text/event-stream' }),
    await call('primed'),
    await call('after'),
  ]) {
    assert.match(streamed.text, /data: \{"jsonrpc":"2.0","id":7,"result"/);
    assert.deepEqual(streamed.body, {});
  }
  assert.match((await call('after')).text, /notifications\/progress[\s\S]*"result"/);
});

test('a server that leaves its stream open behind the answer is let go', async (t) => {
  const left = Promise.withResolvers<void>();
  const { app } = await bootKeeper(t, ({ body: { id } }, reply) => {
    reply.once('close', left.resolve);
    events(reply).write(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } })}\n\n`);
  });
  const { session } = await say(app, null, hello);
  const said = await say(app, session, { id: 8, method: 'tools/call', params: { name: 'open' } });
  assert.deepEqual(said.body, { jsonrpc: '2.0', id: 8, result: { content: [] } });
  await left.promise;
});

test('an answer that ends early is finished by who comes back with its event id, in its own session only', async (t) => {
  const { app, upstream } = await bootKeeper(t, ({ method, headers, body }, reply) => {
    if (method === 'GET') {
      if (headers['last-event-id'] !== 'e1') return void reply.writeHead(405).end();
      const result = { content: [{ type: 'text', text: 'late' }] };
      return void events(reply).end(`id: e2\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result })}\n\n`);
    }
    if (body.method === 'tools/call') return void events(reply).end('id: e1\nretry: 10\ndata: \n\n');
    reply.writeHead(202).end();
  });
  const { client } = await connect(t, [`${app.url}${place}`]);
  const polled = await client.callTool({ name: 'slow' });
  assert.deepEqual(polled.content, [{ type: 'text', text: 'late' }]);
  const recorded = await app.call('GET', '/v1/admin/calls');
  const calls = recorded.body.calls as readonly { tool: string; outcome: string }[];
  assert.deepEqual(
    calls.map(({ tool, outcome }) => [tool, outcome]),
    [['slow', 'ok']],
    'what came of it is recorded when it came',
  );

  const sessions = [await say(app, null, hello), await say(app, null, hello)].map(({ session }) => session);
  const [mine = '', theirs = ''] = sessions;
  const primed = await say(app, mine, { id: 1, method: 'tools/call', params: { name: 'slow' } });
  assert.match(primed.text, /^: \n\nid: \S+\nretry: 10\ndata: \n\n$/);
  const [eventId = ''] = idsIn(primed.text);
  const resume = (session: string, id: string) =>
    app.call('GET', place, {
      headers: { 'mcp-session-id': session, 'last-event-id': id, accept: 'text/event-stream' },
    });
  const rest = await resume(mine, eventId);
  assert.deepEqual([rest.status, rest.text.includes('late')], [200, true]);
  const heard = upstream.seen.length;
  for (const [session, id] of [
    [theirs, eventId],
    [mine, 'e1'],
    [mine, mine],
  ] as const)
    assert.equal((await resume(session, id)).status, 400);
  assert.equal(upstream.seen.length, heard, "an event of another session's is not even asked for");
});

test('what goes wrong in a session is told in it: silence, a broken stream, a refusal, no MCP at all, a forgotten session', async (t) => {
  const { app } = await bootKeeper(
    t,
    ({ body: { id, params } }, reply) => {
      switch (params?.name) {
        case 'silent':
          return;
        case 'broken':
          events(reply).write(': x\n\n');
          return void setTimeout(() => reply.destroy(), 20);
        case 'refused':
          return sendJson(reply, 400, { jsonrpc: '2.0', id, error: { code: -32602, message: 'no' } });
        case 'garbage':
          return void reply.writeHead(200, { 'content-type': 'application/json' }).end('<html>');
        case 'forgotten':
          return sendJson(reply, 400, { jsonrpc: '2.0', id, error: { code: -32000, message: 'No session' } });
        default:
          return void reply.writeHead(202).end();
      }
    },
    { mcpLimits: { questionMs: 1_000 } },
  );
  const { session } = await say(app, null, hello);
  const call = (name: string) => say(app, session, { id: 5, method: 'tools/call', params: { name } });
  const reasonOf = ({ text }: { text: string }) => {
    const { error, id } = JSON.parse(text.replace(/^(:[^\n]*\n+)*data: /, '')) as {
      id: unknown;
      error: { code: number; data?: { reason: string } };
    };
    const { code, data } = error;
    return [id, code, data?.reason];
  };
  assert.deepEqual(reasonOf(await call('silent')), [5, -32000, 'timeout']);
  assert.deepEqual(reasonOf(await call('broken')), [5, -32000, 'broken']);
  assert.deepEqual(reasonOf(await call('garbage')), [5, -32000, 'protocol']);
  const refused = await call('refused');
  assert.deepEqual([refused.status, reasonOf(refused)], [400, [5, -32602, undefined]]);
  assert.equal((await call('forgotten')).status, 404);
});

test('a link that is no web page does not pass in an error either, and what is asked for again would not be better', async (t) => {
  const { app } = await bootKeeper(t, ({ body: { id, params } }, reply) => {
    const data = { elicitations: [{ mode: 'url', elicitationId: 'x', url: params?.name, message: 'x' }] };
    const message = { jsonrpc: '2.0', id, error: { code: -32042, message: 'open this', data } };
    events(reply).end(`id: e1\ndata: \n\ndata: ${JSON.stringify(message)}\n\n`);
  });
  const { session } = await say(app, null, hello);
  const call = async (name: string) =>
    (await say(app, session, { id: 1, method: 'tools/call', params: { name } })).text;
  assert.match(await call('https://login.example/'), /-32042.*login\.example/);
  const refused = await call('javascript:alert(1)');
  assert.match(refused, /"id":1,"error":\{"code":-32000,.*"reason":"protocol"/);
  assert.doesNotMatch(refused, /javascript/);
});

test('a link that is no web page is refused in the client’s name and not passed on', async (t) => {
  const settled = Promise.withResolvers<Seen['body']>();
  const ask = (id: number, url: string) =>
    `data: ${JSON.stringify({ jsonrpc: '2.0', id, method: 'elicitation/create', params: { mode: 'url', url } })}\n\n`;
  const { app } = await bootKeeper(t, async ({ body }, reply) => {
    if (body.method === undefined) settled.resolve(body);
    if (body.method !== 'tools/call') return void reply.writeHead(202).end();
    events(reply).write(ask(7, 'javascript:alert(1)') + ask(8, 'https://login.example/'));
    await settled.promise;
    reply.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: body.id, result: { content: [] } })}\n\n`);
  });
  const { session } = await say(app, null, hello);
  const { text } = await say(app, session, { id: 1, method: 'tools/call', params: { name: 'x' } });
  assert.match(text, /login\.example/);
  assert.doesNotMatch(text, /javascript/);
  const refused = (await settled.promise) as { id?: number; error?: { code: number } };
  assert.deepEqual([refused.id, refused.error?.code], [7, -32602]);
});

test('what comes of a call in a session is recorded like any other', async (t) => {
  const { app } = await bootKeeper(t, ({ body }, reply) => {
    const isError = body.params?.name === 'bad';
    sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result: { content: [], isError } });
  });
  await app.add('one', (await app.services.catalog.get('one')).remoteUrl ?? '', {
    tools: [{ name: 'good' }, { name: 'bad' }],
  });
  const { session } = await say(app, null, hello);
  for (const name of ['good', 'bad'])
    await say(app, session, { id: 1, method: 'tools/call', params: { name } });
  const read = () =>
    app.services.storage
      .tables<{ invocations: { tool_name: string; success: number } }>()
      .selectFrom('invocations')
      .select(['tool_name', 'success'])
      .execute();
  let rows = await read();
  while (rows.length < 2) {
    await delay(20);
    rows = await read();
  }
  const found = rows.map(({ tool_name, success }) => [tool_name, Boolean(success)]);
  assert.deepEqual(found.sort(), [
    ['bad', false],
    ['good', true],
  ]);
});

test('before servers without sessions, of any age, clients have a session with us; one that sends no id is served, too', {
  skip: fullRunOnly,
}, async (t) => {
  const app = await bootMcp(t);
  const modern = await startSdkServer(t);
  await app.add('one', modern.url);
  const greeted = await say(app, null, hello);
  assert.deepEqual([greeted.status, greeted.session === ''], [200, false]);
  const known = await say(app, greeted.session, { id: 3, method: 'tools/list' });
  assert.match(known.text, /echo/);
  const foreign = await say(app, greeted.session, { id: 4, method: 'ping' }, { key: await app.newKey() });
  assert.equal(foreign.status, 404);
  const { url } = await startEverything(t, 'streamableHttp');
  await app.add('two', url);
  const alone = await say(app, null, { id: 2, method: 'tools/list' }, { path: '/mcp/servers/two' });
  assert.match(alone.text, /echo/);
  const older = await startEverything(t, 'sse');
  await app.add('three', older.url);
  const oldest = await say(app, null, hello, { path: '/mcp/servers/three' });
  assert.deepEqual([oldest.status, oldest.session === ''], [200, false]);
  assert.match(oldest.text, /everything/);
  const refused = await app.call('GET', place, { headers: { accept: 'text/event-stream' } });
  assert.equal(refused.status, 405);
});

test('a client that cancels in a session of ours ends its call at the server', {
  timeout: 20_000,
}, async (t) => {
  const app = await bootMcp(t);
  const [begun, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { url } = await startRaw(t, ({ body }, reply) => {
    const { id, method } = body;
    if (method !== 'tools/call') {
      const result = {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
      };
      return sendJson(reply, 200, { jsonrpc: '2.0', id, result });
    }
    reply.once('close', () => gone.resolve());
    begun.resolve();
  });
  await app.add('one', url);
  const { session } = await say(app, null, hello);
  const call = say(app, session, { id: 5, method: 'tools/call', params: { name: 'x' } });
  await begun.promise;
  await say(app, session, { method: 'notifications/cancelled', params: { requestId: 6 } });
  await say(app, session, { method: 'notifications/cancelled', params: { requestId: 5 } });
  await gone.promise;
  await call;
});

test('bounds: of a thousand and one sessions the least recently used is ended at its server; a 33rd open stream is 405', {
  skip: fullRunOnly,
}, async (t) => {
  const ended = Promise.withResolvers<unknown>();
  const { app } = await bootKeeper(t, ({ method, body, headers }, reply) => {
    if (method === 'DELETE') ended.resolve(headers['mcp-session-id']);
    if (method === 'GET') return void events(reply).write(': x\n\n');
    sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result: {} });
  });
  const { session: first } = await say(app, null, hello);
  await say(app, null, hello);
  for (let begun = 2; begun < 1_000; begun += 2)
    await Promise.all([say(app, null, hello), say(app, null, hello)]);
  assert.equal((await say(app, first, { id: 2, method: 'ping' })).status, 200);
  await say(app, null, hello);
  assert.equal(await ended.promise, 's2');

  const headers = { 'x-api-key': adminKey, 'mcp-session-id': first, accept: 'text/event-stream' };
  const open = () => fetch(`${app.url}${place}`, { headers });
  const streams = await Promise.all(Array.from({ length: 32 }, open));
  assert.ok(streams.every(({ status }) => status === 200));
  assert.equal((await open()).status, 405);
  await streams[0]?.body?.cancel();
  let again = await open();
  while (again.status === 405) {
    await delay(20);
    again = await open();
  }
  assert.equal(again.status, 200, 'who leaves makes room');
  await Promise.all([again, ...streams.slice(1)].map(({ body }) => body?.cancel()));
});

test('what a client does not read is not gathered here: the server waits', async (t) => {
  let sentBytes = 0;
  const { app } = await bootKeeper(t, async ({ method, body }, reply) => {
    if (method !== 'GET') return sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result: {} });
    events(reply).setMaxListeners(0);
    const line = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'x', params: { text: 'x'.repeat(100_000) } })}\n\n`;
    while (!reply.destroyed && sentBytes < 200_000_000) {
      const isTaken = reply.write(line);
      sentBytes += line.length;
      if (!isTaken) await Promise.race([once(reply, 'drain'), once(reply, 'close')]);
    }
  });
  const { session } = await say(app, null, hello);
  const headers = { 'x-api-key': adminKey, 'mcp-session-id': session, accept: 'text/event-stream' };
  const stream = await fetch(`${app.url}${place}`, { headers });
  await delay(1_000);
  const before = sentBytes;
  await delay(500);
  assert.equal(sentBytes, before, 'it stands still');
  assert.ok(sentBytes < 30_000_000, `${sentBytes} bytes lie between`);
  await stream.body?.cancel();
});

test('a stream that stays open holds up no stop; the session is there after the restart', async (t) => {
  const left = Promise.withResolvers<void>();
  const { app, upstream } = await bootKeeper(t, ({ method, body }, reply) => {
    if (method === 'GET') reply.on('close', () => left.resolve());
    if (method === 'GET')
      return void events(reply).write('data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n');
    sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result: {} });
  });
  const { session } = await say(app, null, hello);
  const headers = { 'x-api-key': adminKey, 'mcp-session-id': session, accept: 'text/event-stream' };
  await fetch(`${app.url}${place}`, { method: 'HEAD', headers });
  await left.promise; // who only asks for the head keeps no stream open
  const stream = await fetch(`${app.url}${place}`, { headers });
  const reader = stream.body?.getReader();
  let heard = '';
  while (!heard.includes('notifications/x'))
    heard += Buffer.from((await reader?.read())?.value ?? []).toString();
  const began = performance.now();
  await app.close();
  assert.ok(performance.now() - began < 5_000, `stopped after ${performance.now() - began} ms`);
  assert.equal((await reader?.read())?.done, true, 'the stream ended well');
  assert.ok(!upstream.seen.some(({ method }) => method === 'DELETE'), 'nobody ended the session');
  const again = await bootMcp(t, {}, { MCPRANK_DATA_DIR: app.dataDir });
  assert.equal((await say(again as TestApp, session, { id: 3, method: 'ping' })).status, 200);
});
