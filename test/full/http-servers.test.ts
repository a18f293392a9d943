import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp, type McpTestApp, textOf } from '../support/mcp-app.ts';
import { type RawUpstream, type Seen, sendJson, startRaw } from '../support/mcp-servers.ts';

/** What public servers answer over HTTP, and what a caller of ours gets of it. Discover is waited for a moment only. */
const mcpLimits = { discoverMs: 150 };
const headers = { accept: 'application/json, text/event-stream' };

type Answer = (seen: Seen, reply: ServerResponse) => unknown;
const json =
  (status: number, value: unknown): Answer =>
  (_seen, reply) =>
    sendJson(reply, status, value);
const text =
  (status: number, type: string | null, body: string | Buffer): Answer =>
  (_seen, reply) =>
    reply.writeHead(status, type === null ? {} : { 'content-type': type }).end(body);
const rpc = (seen: Seen, member: object) => ({ jsonrpc: '2.0', id: seen.body.id, ...member });
const tools = [{ name: 'x', inputSchema: { type: 'object' } }];
const about = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: {} },
  serverInfo: { name: 'it', version: '1' },
};

/** A server of the revisions with a handshake, which does this where it is told to. */
function startOld(t: TestContext, instead: Readonly<Record<string, Answer>>): Promise<RawUpstream> {
  return startRaw(t, (seen, reply) => {
    const method = seen.body.method ?? seen.method;
    const own = instead[method];
    if (own !== undefined) return void own(seen, reply);
    if (seen.method !== 'POST') return void reply.writeHead(405).end();
    if (seen.body.id === undefined) return void reply.writeHead(202).end();
    if (method === 'initialize') return sendJson(reply, 200, rpc(seen, { result: about }));
    if (method === 'tools/list') return sendJson(reply, 200, rpc(seen, { result: { tools } }));
    if (method === 'tools/call')
      return sendJson(reply, 200, rpc(seen, { result: { content: [{ type: 'text', text: 'old' }] } }));
    return sendJson(reply, 200, rpc(seen, { error: { code: -32601, message: 'Method not found' } }));
  });
}

/** Every way in, answered by a server of the newer revision. */
function startModern(t: TestContext, results: Readonly<Record<string, object>>): Promise<RawUpstream> {
  return startRaw(t, (seen, reply) => {
    const result = results[seen.body.method ?? ''];
    if (result === undefined)
      return sendJson(reply, 404, rpc(seen, { error: { code: -32601, message: 'Method not found' } }));
    return sendJson(reply, 200, rpc(seen, { result: { resultType: 'complete', ...result } }));
  });
}

/** One request of a client of 2025 at a door of ours; the result of its reply. */
async function ask(app: McpTestApp, path: string, method: string, params: object = {}) {
  const body = { jsonrpc: '2.0', id: 1, method, params };
  const reply = await app.call('POST', path, { body, headers });
  const message = reply.text.startsWith('{')
    ? reply.body
    : JSON.parse(/data: (.*)/.exec(reply.text)?.[1] ?? '{}');
  return message as { result?: Record<string, unknown>; error?: { message: string; data?: object } };
}

const stateIn = (probed: { body: Record<string, unknown> }) =>
  (probed.body.health as { state: string }).state;
const page = '<!doctype html><title>Welcome</title>';
const notModern: Readonly<Record<string, Answer>> = {
  400: text(400, 'text/plain', 'no'),
  404: text(404, 'text/html', page),
  405: text(405, null, ''),
  406: json(406, { jsonrpc: '2.0', id: 'server-error', error: { code: -32600, message: 'Not Acceptable' } }),
  409: text(409, null, ''),
  410: text(410, null, ''),
  412: text(412, null, ''),
  415: json(415, { message: 'Unsupported Media Type' }),
  418: text(418, null, ''),
  422: json(422, { detail: [{ loc: ['body', 'method'], msg: 'unexpected value' }] }),
  428: text(428, null, ''),
  500: json(500, { jsonrpc: '2.0', id: null, error: { code: -32603, message: 'Internal error' } }),
  501: text(501, null, ''),
  505: text(505, null, ''),
  '200 HTML': text(200, 'text/html', page),
  '200 text': text(200, 'text/plain', 'hello'),
  '200 nothing': text(200, 'application/json', ''),
  '202': text(202, null, ''),
  '204': (_seen, reply) => reply.writeHead(204).end(),
  '200 broken JSON': text(200, 'application/json', '{"jsonrpc":'),
  '200 an empty stream': text(200, 'text/event-stream', ''),
  '200 error as text': json(200, { error: 'Unknown method' }),
  '200 result null': (seen, reply) => sendJson(reply, 200, rpc(seen, { result: null })),
  '200 both null': (seen, reply) => sendJson(reply, 200, rpc(seen, { result: null, error: null })),
  '200 result a text': (seen, reply) => sendJson(reply, 200, rpc(seen, { result: 'ok' })),
  '200 {}': json(200, {}),
  '200 []': json(200, []),
  '200 foreign id': json(200, { jsonrpc: '2.0', id: 4711, result: { supportedVersions: ['2026-07-28'] } }),
  '200 method not found': (seen, reply) =>
    sendJson(reply, 200, rpc(seen, { error: { code: -32601, message: 'Method not found' } })),
  'a cut connection': (_seen, reply) => reply.socket?.destroy(),
  silence: () => undefined,
};

test('7: whatever is answered to server/discover that is not a modern answer leads to initialize, for a call and for a list', {
  skip: fullRunOnly,
}, async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  const names = Object.keys(notModern);
  await Promise.all(
    names.map(async (name) => {
      const answer = notModern[name] as Answer;
      const modern: Answer = (seen, reply) =>
        seen.headers['mcp-method'] === undefined
          ? sendJson(reply, 200, rpc(seen, { result: { tools } }))
          : answer(seen, reply);
      const { url } = await startOld(t, { 'server/discover': answer, 'tools/list': modern });
      await app.add(`called ${name}`, url);
      await app.add(`listed ${name}`, url);
      const called = await app.tool(`called ${name}`, 'x');
      assert.equal(textOf(called), 'old', `${name}: ${called.text}`);
      const listed = await app.list(`listed ${name}`);
      assert.equal(listed.status, 200, `${name}: ${listed.text}`);
    }),
  );
});

test('7: initialize answered by a web page is no reason to give up before the last way was tried', async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  let stream: ServerResponse | undefined;
  const { url } = await startRaw(t, (seen, reply) => {
    if (seen.method === 'GET') {
      stream = reply.writeHead(200, { 'content-type': 'text/event-stream' });
      stream.write('event: endpoint\ndata: /messages\n\n');
      return;
    }
    if (seen.path !== '/messages') return void text(200, 'text/html', page)(seen, reply);
    reply.writeHead(202).end();
    const result = seen.body.method === 'initialize' ? about : { content: [{ type: 'text', text: 'sse' }] };
    if (seen.body.id !== undefined) stream?.write(`data: ${JSON.stringify(rpc(seen, { result }))}\n\n`);
  });
  await app.add('it', url);
  assert.equal(textOf(await app.tool('it', 'x')), 'sse');
});

for (const status of [200, 400, 422])
  test(`8: initialize refused with data.supported, ${status}: the newest revision that both speak is offered, and used`, async (t) => {
    const app = await bootMcp(t, { mcpLimits });
    for (const [i, supported] of [
      ['2025-06-18'],
      ['2024-11-05', '2025-03-26', '2023-01-01'],
      ['2024-11-05'],
    ].entries()) {
      const newest =
        [...supported]
          .filter((each) => each > '2024')
          .sort()
          .at(-1) ?? '';
      const upstream = await startOld(t, {
        initialize(seen, reply) {
          const { protocolVersion } = seen.body.params ?? {};
          if (supported.includes(String(protocolVersion)))
            return sendJson(reply, 200, rpc(seen, { result: { ...about, protocolVersion } }));
          const error = {
            code: -32602,
            message: 'Unsupported protocol version',
            data: { supported, requested: protocolVersion },
          };
          return sendJson(reply, status, rpc(seen, { error }));
        },
      });
      await app.add(`it ${i}`, upstream.url);
      assert.equal(textOf(await app.tool(`it ${i}`, 'x')), 'old');
      assert.equal(upstream.seen.at(-1)?.headers['mcp-protocol-version'], newest);
    }
  });

test('8: initialize refused in words: they reach the caller by every door, and a missing key is told from a server that is none', async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  const refusals: [string, number, string, string][] = [
    ['keyless', 200, 'Missing X-Api-Key header', 'auth'],
    ['keyless 400', 400, 'Authentication required: set Authorization', 'auth'],
    ['keyless 500', 500, 'Invalid credentials', 'auth'],
    ['closed', 200, 'The shop is closed', 'not_mcp'],
    ['closed 400', 400, 'The shop is closed', 'not_mcp'],
    ['closed 409', 409, 'The shop is closed', 'not_mcp'],
    ['closed 503', 503, 'The shop is closed', 'down'],
  ];
  for (const [id, status, message, state] of refusals) {
    const { url } = await startOld(t, {
      initialize: (seen, reply) => sendJson(reply, status, rpc(seen, { error: { code: -32001, message } })),
    });
    await app.add(id, url);
    const rest = await app.tool(id, 'x');
    assert.equal(rest.status, 502);
    const told = [
      rest.body.detail,
      ((await app.rpc(id, 'tools/list')).body.error as { message: string }).message,
      (await ask(app, `/mcp/servers/${encodeURIComponent(id)}`, 'tools/call', { name: 'x' })).error?.message,
      JSON.stringify(
        await ask(app, '/mcp', 'tools/call', { name: 'call_tool', arguments: { server_id: id, name: 'x' } }),
      ),
    ];
    for (const words of told) assert.match(String(words), new RegExp(message), id);
    const probed = await app.call('POST', `/v1/admin/servers/${encodeURIComponent(id)}/probe`);
    assert.equal(stateIn(probed), state, `${id}: ${probed.text}`);
  }
});

test('8: a server that shakes hands and wants a key for its tools needs credentials, too', async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  const { url } = await startOld(t, {
    'tools/list': (seen, reply) =>
      sendJson(reply, 200, rpc(seen, { error: { code: -32603, message: 'API key is required' } })),
  });
  await app.add('it', url);
  assert.match(String((await app.list('it')).body.detail), /API key is required/);
  const probed = await app.call('POST', '/v1/admin/servers/it/probe');
  const { state, reason } = probed.body.health as Record<string, unknown>;
  assert.deepEqual([state, reason], ['auth', 'API key is required']);
});

/** Odd spellings of one good answer, which say the same. */
type Spelling = (id: unknown, result: object) => [type: string | null, body: string | Buffer];
const spellings: Readonly<Record<string, Spelling>> = {
  'error null': (id, result) => [
    'application/json',
    JSON.stringify({ jsonrpc: '2.0', id, result, error: null }),
  ],
  'method and params null': (id, result) => [
    'application/json',
    JSON.stringify({ jsonrpc: '2.0', id, method: null, params: null, result }),
  ],
  'id as text': (id, result) => [
    'application/json',
    JSON.stringify({ jsonrpc: '2.0', id: String(id), result }),
  ],
  'no version': (id, result) => ['application/json', JSON.stringify({ id, result })],
  'text/plain': (id, result) => ['text/plain; charset=utf-8', JSON.stringify({ jsonrpc: '2.0', id, result })],
  'text/html': (id, result) => ['text/html', JSON.stringify({ jsonrpc: '2.0', id, result })],
  'no type': (id, result) => [null, JSON.stringify({ jsonrpc: '2.0', id, result })],
  'JSON-RPC type': (id, result) => ['application/json-rpc', JSON.stringify({ jsonrpc: '2.0', id, result })],
  'a byte-order mark': (id, result) => [
    'application/json',
    `\ufeff${JSON.stringify({ jsonrpc: '2.0', id, result })}`,
  ],
  'white space': (id, result) => [
    'application/json',
    `\r\n ${JSON.stringify({ jsonrpc: '2.0', id, result }, null, 2)}\n`,
  ],
  'an array of one': (id, result) => ['application/json', JSON.stringify([{ jsonrpc: '2.0', id, result }])],
  'a stream in capitals': (id, result) => [
    'Text/Event-Stream; charset=UTF-8',
    `data: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`,
  ],
  'a stream with CRLF and a mark': (id, result) => [
    'text/event-stream',
    `\ufeffevent: message\r\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: String(id), result, error: null })}\r\n\r\n`,
  ],
  'a stream with heartbeats': (id, result) => [
    'text/event-stream',
    `: hi\n\ndata: ping\n\ndata:\n\nevent: ping\ndata: {"x":1}\n\ndata: {"type":"heartbeat"}\n\ndata: [1]\n\ndata: null\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`,
  ],
};

const resultOf = (method = ''): object => {
  const results: Record<string, object> = {
    'server/discover': { supportedVersions: ['2026-07-28'], ...about },
    initialize: about,
    'tools/list': { tools, nextCursor: null, _meta: null },
  };
  return results[method] ?? { content: 'as text', isError: null, structuredContent: null, _meta: null };
};

/** A server of one age that spells its answers so. */
function startSpelling(t: TestContext, age: 'modern' | 'session', spell: Spelling): Promise<RawUpstream> {
  return startRaw(t, (seen, reply) => {
    const { id, method } = seen.body;
    const isModern = seen.headers['mcp-method'] !== undefined;
    if (seen.method !== 'POST') return void reply.writeHead(405).end();
    if (id === undefined) return void reply.writeHead(202).end();
    if (isModern !== (age === 'modern')) return void reply.writeHead(400).end();
    const [type, body] = spell(id, { ...(isModern && { resultType: 'complete' }), ...resultOf(method) });
    reply.writeHead(200, type === null ? {} : { 'content-type': type }).end(body);
  });
}

for (const age of ['modern', 'session'] as const)
  test(`9, 10: null is absent, ids may be texts, types and marks do not matter, heartbeats are skipped: ${age}`, async (t) => {
    const app = await bootMcp(t, { mcpLimits });
    const content = [{ type: 'text', text: 'as text' }];
    for (const [id, spell] of Object.entries(spellings)) {
      await app.add(id, (await startSpelling(t, age, spell)).url);
      const called = await app.tool(id, 'x');
      assert.deepEqual([called.status, called.body.content], [200, content], `${id}: ${called.text}`);
      assert.equal((await app.list(id)).status, 200, id);
      const door = `/mcp/servers/${encodeURIComponent(id)}`;
      const single = await ask(app, door, 'tools/call', { name: 'x' });
      assert.deepEqual(single.result?.content, content, `${id}: ${JSON.stringify(single)}`);
      const { resultType: _, ...listed } = (await ask(app, door, 'tools/list')).result ?? {};
      assert.deepEqual(listed, { tools }, id);
      const named = { name: 'call_tool', arguments: { server_id: id, name: 'x' } };
      assert.deepEqual((await ask(app, '/mcp', 'tools/call', named)).result?.content, content, id);
    }
  });

test('9: an error with "result": null beside it is the error', async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  const { url } = await startOld(t, {
    'tools/call': (seen, reply) =>
      sendJson(
        reply,
        200,
        rpc(seen, { result: null, error: { code: -32602, message: 'no such city', data: null } }),
      ),
  });
  await app.add('it', url);
  assert.equal((await app.tool('it', 'x')).body.detail, 'Tool call failed: no such city');
  const { error } = (await app.rpc('it', 'tools/call', { name: 'x' })).body as { error: object };
  assert.deepEqual(error, { code: -32602, message: 'no such city', data: null });
});

test('8: over HTTP+SSE, too, the newest common revision is offered, and a refusal is told in its words', async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  for (const [id, answer] of Object.entries<(seen: Seen) => object>({
    older: ({ body }) =>
      body.params?.protocolVersion === '2024-11-05'
        ? { result: { ...about, protocolVersion: '2024-11-05' } }
        : {
            error: {
              code: -32602,
              message: 'Unsupported protocol version',
              data: { supported: ['2024-11-05'] },
            },
          },
    keyless: () => ({ error: { code: -32001, message: 'Missing API key' } }),
  })) {
    let stream: ServerResponse | undefined;
    const { url } = await startRaw(t, (seen, reply) => {
      if (seen.method === 'GET') {
        stream = reply.writeHead(200, { 'content-type': 'text/event-stream' });
        stream.write('event: endpoint\ndata: /messages\n\n');
        return;
      }
      reply.writeHead(202).end();
      const member = seen.body.method === 'initialize' ? answer(seen) : { result: { content: [] } };
      if (seen.body.id !== undefined) stream?.write(`data: ${JSON.stringify(rpc(seen, member))}\n\n`);
    });
    await app.add(id, url, { transport: 'sse' });
    const called = await app.tool(id, 'x');
    assert.equal(called.status, id === 'older' ? 200 : 502, called.text);
    if (id === 'keyless') assert.match(String(called.body.detail), /Missing API key/);
    const probed = await app.call('POST', `/v1/admin/servers/${id}/probe`);
    assert.equal(stateIn(probed), id === 'older' ? 'up' : 'auth', probed.text);
  }
});

test('10: over HTTP+SSE heartbeats never end the stream that all calls share', async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  let stream: ServerResponse | undefined;
  let streams = 0;
  const { url } = await startRaw(t, (seen, reply) => {
    if (seen.method === 'GET') {
      streams++;
      stream = reply.writeHead(200, { 'content-type': 'text/event-stream' });
      stream.write(': hello\n\nevent: endpoint\ndata: /messages\n\n');
      return;
    }
    reply.writeHead(202, { 'content-type': 'text/html' }).end('Accepted');
    if (seen.body.id === undefined) return;
    const result =
      seen.body.method === 'initialize'
        ? about
        : { content: [{ type: 'text', text: String(seen.body.params?.name) }] };
    stream?.write('data: ping\n\ndata: {"type":"heartbeat"}\n\nevent: ping\ndata: 2026-01-01\n\ndata: \n\n');
    stream?.write(
      `data: {"jsonrpc":"2.0","id":4711,"result":{}}\n\ndata: {"jsonrpc":"2.0","id":null,"error":null}\n\n`,
    );
    setTimeout(
      () =>
        stream?.write(`data: ${JSON.stringify({ ...rpc(seen, { result }), error: null })}\n\ndata: pong\n\n`),
      20,
    );
  });
  await app.add('it', url, { transport: 'sse' });
  const replies = await Promise.all(['a', 'b', 'c'].map((name) => app.tool('it', name)));
  assert.deepEqual(replies.map(textOf), ['a', 'b', 'c']);
  assert.equal(streams, 1);
});

test('10: comments and heartbeats alone are no progress: a call that hears nothing else ends in its time', async (t) => {
  const app = await bootMcp(t, { mcpLimits: { ...mcpLimits, idleMs: 400, totalMs: 60_000 } });
  const { url } = await startRaw(t, (seen, reply) => {
    if (seen.body.method === 'server/discover')
      return sendJson(
        reply,
        200,
        rpc(seen, { result: { resultType: 'complete', supportedVersions: ['2026-07-28'] } }),
      );
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    const beating = setInterval(() => reply.write(': \n\ndata: ping\n\n'), 50);
    reply.on('close', () => clearInterval(beating));
  });
  await app.add('it', url);
  const began = performance.now();
  assert.match(String((await app.tool('it', 'x')).body.detail), /did not answer in time/);
  assert.ok(performance.now() - began < 20_000);
});

for (const status of [307, 308])
  test(`11: ${status} on the same origin is followed once by every method, over both transports and in a client’s own session`, async (t) => {
    const app = await bootMcp(t, { mcpLimits });
    const sessions = await startRaw(t, (seen, reply) => {
      if (seen.path === '/mcp') return void reply.writeHead(status, { location: '/mcp/' }).end();
      if (seen.method !== 'POST') return void reply.writeHead(405).end();
      if (seen.headers['mcp-method'] !== undefined) return void reply.writeHead(400).end();
      if (seen.body.id === undefined) return void reply.writeHead(202).end();
      const result =
        seen.body.method === 'initialize' ? about : { tools, content: [{ type: 'text', text: 'there' }] };
      sendJson(reply, 200, rpc(seen, { result }), { 'mcp-session-id': 'a-session' });
    });
    await app.add('it', sessions.url);
    assert.equal(textOf(await app.tool('it', 'x')), 'there');
    const opened = await app.call('POST', '/mcp/servers/it', {
      body: { jsonrpc: '2.0', id: 1, method: 'initialize', params: about },
      headers,
    });
    const session = String(opened.headers.get('mcp-session-id'));
    const called = await app.call('POST', '/mcp/servers/it', {
      body: { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'x' } },
      headers: { ...headers, 'mcp-session-id': session },
    });
    assert.match(called.text, /there/);
    assert.ok(
      sessions.seen.some(
        (seen) => seen.headers['mcp-session-id'] === 'a-session' && seen.body.method === 'tools/call',
      ),
    );

    let stream: ServerResponse | undefined;
    const sse = await startRaw(t, (seen, reply) => {
      if (!seen.path.endsWith('/')) return void reply.writeHead(status, { location: `${seen.path}/` }).end();
      if (seen.method === 'GET') {
        stream = reply.writeHead(200, { 'content-type': 'text/event-stream' });
        stream.write('event: endpoint\ndata: /messages\n\n');
        return;
      }
      reply.writeHead(202).end();
      const result =
        seen.body.method === 'initialize' ? about : { content: [{ type: 'text', text: 'streamed' }] };
      if (seen.body.id !== undefined) stream?.write(`data: ${JSON.stringify(rpc(seen, { result }))}\n\n`);
    });
    await app.add('sse', sse.url.replace('/mcp', '/sse'), { transport: 'sse' });
    assert.equal(textOf(await app.tool('sse', 'x')), 'streamed');
  });

test('11: another origin, another kind of redirect or a second one is not followed, and where it leads is named without path and query', async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  const other = await startRaw(t, (_seen, reply) => reply.writeHead(500).end());
  const ways: Record<string, [number, string]> = {
    elsewhere: [307, `${other.url}/secret-path?token=secret-query`],
    'another host': [308, `http://localhost:1/mcp?token=secret-query`],
    found: [302, '/other?token=secret-query'],
    'see other': [303, '/other'],
    again: [307, '/mcp?again=1'],
    nowhere: [307, ''],
    'as somebody': [307, 'http://user:secret-password@127.0.0.1/mcp'],
  };
  for (const [id, [status, location]] of Object.entries(ways)) {
    const { url, seen } = await startRaw(t, (_seen, reply) =>
      reply.writeHead(status, location === '' ? {} : { location }).end(),
    );
    await app.add(id, url);
    const reply = await app.tool(id, 'x');
    assert.equal(reply.status, 502);
    assert.match(String(reply.body.detail), new RegExp(`redirects.*\\(${status}\\)`), id);
    assert.doesNotMatch(reply.text, /secret/);
    assert.ok(seen.length <= 4, `${id}: ${seen.length}`);
  }
  assert.match(String((await app.tool('elsewhere', 'x')).body.detail), new RegExp(new URL(other.url).origin));
  assert.equal(other.seen.length, 0);
});

test('12: a server with prompts or resources only is up, with no tools; so is one whose list is null or missing', async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  const lists: Record<string, Answer> = {
    'no method': (seen, reply) =>
      sendJson(reply, 200, rpc(seen, { error: { code: -32601, message: 'Method not found' } })),
    'no method 404': (seen, reply) =>
      sendJson(reply, 404, rpc(seen, { error: { code: -32601, message: 'Method not found' } })),
    null: (seen, reply) => sendJson(reply, 200, rpc(seen, { result: { tools: null } })),
    empty: (seen, reply) => sendJson(reply, 200, rpc(seen, { result: { tools: [], nextCursor: '' } })),
    missing: (seen, reply) => sendJson(reply, 200, rpc(seen, { result: {} })),
  };
  for (const [id, answer] of Object.entries(lists)) {
    const { url } = await startOld(t, {
      'tools/list': answer,
      initialize: (seen, reply) =>
        sendJson(reply, 200, rpc(seen, { result: { ...about, capabilities: { prompts: {} } } })),
    });
    await app.add(id, url);
    const listed = await app.list(id);
    assert.deepEqual([listed.status, listed.body], [200, { tools: [] }], id);
    const probed = await app.call('POST', `/v1/admin/servers/${encodeURIComponent(id)}/probe`);
    assert.equal(stateIn(probed), 'up', `${id}: ${probed.text}`);
    if (id.startsWith('no method')) continue;
    const { result } = await ask(app, `/mcp/servers/${encodeURIComponent(id)}`, 'tools/list');
    assert.deepEqual(result?.tools, [], id);
  }
  const { url } = await startModern(t, {
    'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { prompts: {} } },
  });
  await app.add('modern', url);
  assert.deepEqual((await app.list('modern')).body, { tools: [] });
});

test('13: all of 1,083 tools are listed and found by search, from one page or many', {
  skip: fullRunOnly,
}, async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  const many = Array.from({ length: 1_083 }, (_, i) => ({
    name: `tool_${i}`,
    description: i === 1_050 ? 'Prunes bonsai trees' : `Does chore ${i}`,
    inputSchema: { type: 'object' },
  }));
  for (const size of [1_083, 50]) {
    const id = `by ${size}`;
    const { url } = await startOld(t, {
      'tools/list'(seen, reply) {
        const at = Number(seen.body.params?.cursor ?? 0);
        const more = at + size < many.length ? { nextCursor: String(at + size) } : {};
        sendJson(reply, 200, rpc(seen, { result: { tools: many.slice(at, at + size), ...more } }));
      },
    });
    await app.add(id, url);
    assert.equal(((await app.list(id)).body.tools as object[]).length, 1_083);
    const probed = await app.call('POST', `/v1/admin/servers/${encodeURIComponent(id)}/probe`);
    assert.equal(stateIn(probed), 'up', probed.text);
    await app.services.search.settled();
    const found = await app.call('POST', '/v1/search', { body: { query: 'prune a bonsai tree' } });
    assert.match(found.text, /tool_1050/, id);
    await app.call('DELETE', `/v1/admin/servers/${encodeURIComponent(id)}`);
  }
});
