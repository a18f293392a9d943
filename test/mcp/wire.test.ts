import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminKey, handClock } from '../support/app.ts';
import { bootMcp, textOf } from '../support/mcp-app.ts';
import { imitate, imitations } from '../support/mcp-imitations.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { type Seen, sendJson, startRaw } from '../support/mcp-servers.ts';

const asked = (seen: readonly Seen[], method: string) =>
  seen.filter(({ body }) => body.method === method).length;

for (const row of imitations) {
  test(`seen on real servers: ${row.name} lists and calls, and a lost session is mended without a second run`, async (t) => {
    const app = await bootMcp(t);
    const upstream = await imitate(t, row);
    await app.add('it', upstream.url);
    const listed = await app.list('it');
    assert.equal(listed.status, 200, listed.text);
    assert.deepEqual((listed.body.tools as { name: string }[])[0]?.name, 'count');
    assert.equal(textOf(await app.tool('it', 'count')), 'run 1');

    const handshakes = asked(upstream.seen, 'initialize');
    upstream.forget();
    assert.equal(textOf(await app.tool('it', 'count')), 'run 2');
    assert.equal(asked(upstream.seen, 'initialize') - handshakes, row.stale === null ? 0 : 1);
    assert.equal(upstream.runs(), 2);
  });
}

test('2026-07-28, SDK v2: spoken to without a handshake, in JSON and in streams', async (t) => {
  for (const responseMode of ['json', 'sse'] as const) {
    const app = await bootMcp(t);
    const upstream = await startSdkServer(t, { legacy: 'reject', responseMode });
    await app.add('modern', upstream.url);
    const called = await app.tool('modern', 'echo', { message: 'hi' });
    assert.deepEqual([called.status, textOf(called)], [200, 'Echo: hi'], called.text);
    assert.equal((await app.list('modern')).status, 200);
    assert.ok(!upstream.requests.some(({ text }) => text.includes('"initialize"')));
    const last = upstream.requests.at(-1);
    assert.equal(last?.headers.get('mcp-protocol-version'), '2026-07-28');
    assert.equal(last?.headers.get('mcp-method'), 'tools/list');
    // The verdict is remembered: one question, then only calls.
    assert.equal(upstream.requests.filter(({ text }) => text.includes('server/discover')).length, 1);

    const unknown = await app.rpc('modern', 'no/such/method');
    assert.equal((unknown.body.error as { code: number }).code, -32601, unknown.text);
    const wrong = await app.tool('modern', 'echo', { message: 3 });
    assert.ok(wrong.body.isError === true || wrong.status === 502, wrong.text);
  }
});

test('2026-07-28: arguments that a tool wants mirrored are in the headers, also when the catalogue did not know', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startSdkServer(t, { legacy: 'reject' });
  await app.add('modern', upstream.url);
  const called = await app.tool('modern', 'region', { region: 'Zürich' });
  assert.deepEqual([called.status, called.body.isError], [200, false], called.text);
  assert.equal(textOf(called), 'in Zürich');
  const header = upstream.requests
    .findLast(({ text }) => text.includes('"region"'))
    ?.headers.get('mcp-param-region');
  assert.equal(header, `=?base64?${Buffer.from('Zürich').toString('base64')}?=`);
});

test('the same SDK server with both eras is spoken to in the newer one', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startSdkServer(t);
  await app.add('dual', upstream.url);
  assert.equal(textOf(await app.tool('dual', 'echo', { message: 'hi' })), 'Echo: hi');
  assert.ok(!upstream.requests.some(({ text }) => text.includes('"initialize"')));
});

test('a server that answers discover and lists only older revisions is old', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startRaw(t, ({ body }, reply) => {
    const { id, method } = body;
    if (method === 'server/discover')
      return sendJson(reply, 200, {
        jsonrpc: '2.0',
        id,
        result: { supportedVersions: ['2025-11-25'], resultType: 'complete' },
      });
    if (id === undefined) return reply.writeHead(202).end();
    if (method === 'initialize')
      return sendJson(reply, 200, { jsonrpc: '2.0', id, result: { protocolVersion: '2025-06-18' } });
    return sendJson(reply, 200, { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'old' }] } });
  });
  await app.add('old', upstream.url);
  assert.equal(textOf(await app.tool('old', 'x')), 'old');
  assert.equal(upstream.seen.at(-1)?.headers['mcp-protocol-version'], '2025-06-18');
});

test('overloaded, late or unauthorised says nothing about the era: the next call asks again', async (t) => {
  const app = await bootMcp(t);
  let status = 503;
  const upstream = await startRaw(t, ({ body }, reply) => {
    if (status !== 200) return sendJson(reply, status, {}, { 'retry-after': '7' });
    const { id } = body;
    const result =
      body.method === 'server/discover' ? { supportedVersions: ['2026-07-28'] } : { content: [] };
    return sendJson(reply, 200, { jsonrpc: '2.0', id, result: { ...result, resultType: 'complete' } });
  });
  await app.add('busy', upstream.url);
  for (const [code, pattern] of [
    [503, /failed \(503\)/],
    [408, /408/],
    [429, /too many requests/],
    [401, /credentials/],
  ] as const) {
    status = code;
    const refused = await app.tool('busy', 'x');
    assert.equal(refused.status, 502);
    assert.match(String(refused.body.detail), /^Tool call failed: /);
    assert.match(String(refused.body.detail), pattern);
    if (code === 429) assert.equal(refused.headers.get('retry-after'), '7');
  }
  status = 200;
  assert.equal((await app.tool('busy', 'x')).status, 200);
  assert.ok(!upstream.seen.some(({ body }) => body.method === 'initialize'));
});

test('tools/list follows every page, and a cursor that comes round ends it', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startRaw(t, ({ body }, reply) => {
    const page = Number(body.params?.cursor ?? 0);
    const name = `tool-${page}-${'x'.repeat(110)}`;
    const tools = [{ name, description: 'd', inputSchema: { $ref: 'http://127.0.0.1:1/schema' } }];
    const nextCursor = String(page < 9 ? page + 1 : 3);
    sendJson(reply, 200, {
      jsonrpc: '2.0',
      id: body.id,
      result: { resultType: 'complete', tools, nextCursor },
    });
  });
  await app.add('paged', upstream.url);
  const listed = await app.list('paged');
  assert.equal((listed.body.tools as unknown[]).length, 10, listed.text);
  assert.equal(upstream.seen.length, 10);
});

test('N5: nothing of the caller goes upstream, and the protocol’s own _meta stays between neighbours', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startRaw(t, ({ body }, reply) =>
    sendJson(
      reply,
      200,
      {
        jsonrpc: '2.0',
        id: body.id,
        result: {
          resultType: 'complete',
          supportedVersions: ['2026-07-28'],
          content: [],
          _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'secret' }, 'com.example/mine': 1 },
        },
      },
      { 'set-cookie': 'session=abc' },
    ),
  );
  await app.add('nosy', upstream.url);
  const params = {
    name: 'x',
    arguments: {},
    _meta: { 'io.modelcontextprotocol/clientInfo': { name: 'forged' }, 'com.example/kept': 2 },
  };
  const issued = await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' } });
  const mit = String(issued.body.access_token);
  const headers = { authorization: `Bearer ${mit}`, cookie: 'a=b', 'x-forwarded-for': '1.2.3.4' };
  const body = { server_id: 'nosy', method: 'tools/call', params };
  for (let i = 0; i < 2; i++) {
    const reply = await app.call('POST', '/v1/mcp/call', { body, headers });
    assert.deepEqual((reply.body.result as { _meta: object })._meta, { 'com.example/mine': 1 });
    assert.equal(reply.headers.get('set-cookie'), null);
  }
  const sent = JSON.stringify(upstream.seen);
  for (const secret of [adminKey, mit, 'a=b', '1.2.3.4', 'forged', 'session=abc'])
    assert.ok(!sent.includes(secret), secret);
  const meta = (upstream.seen.at(-1)?.body.params?._meta ?? {}) as Record<string, unknown>;
  assert.equal(meta['com.example/kept'], 2);
});

test('an old server that learns the new revision is asked again in time; one that forgets it, at once', async (t) => {
  const clock = handClock();
  const app = await bootMcp(t, { clock });
  let modern = false;
  const upstream = await startRaw(t, ({ body }, reply) => {
    const { id, method, params } = body;
    const isModern = params?._meta !== undefined;
    if (isModern && !modern) return reply.writeHead(400).end();
    if (!isModern && modern) return reply.writeHead(400).end();
    if (id === undefined) return reply.writeHead(202).end();
    const result = method === 'server/discover' ? { supportedVersions: ['2026-07-28'] } : { content: [] };
    return sendJson(reply, 200, { jsonrpc: '2.0', id, result: { ...result, resultType: 'complete' } });
  });
  await app.add('it', upstream.url);
  const call = async () => {
    const before = upstream.seen.length;
    assert.equal((await app.tool('it', 'x')).status, 200);
    return upstream.seen.slice(before).map(({ body }) => body.method);
  };
  const handshake = ['server/discover', 'initialize', 'notifications/initialized', 'tools/call'];
  assert.deepEqual(await call(), handshake);
  assert.deepEqual(await call(), ['tools/call']);
  clock.advance(3_600_001);
  assert.deepEqual((await call()).slice(0, 1), ['server/discover']);
  modern = true;
  clock.advance(3_600_001);
  assert.deepEqual(await call(), ['server/discover', 'tools/call']);
  assert.deepEqual(await call(), ['tools/call']);
  modern = false;
  assert.deepEqual((await call()).slice(0, 2), ['tools/call', 'server/discover']);
});

test('a notification answered with a stream that stays open holds nobody up', async (t) => {
  const app = await bootMcp(t);
  const [everything] = imitations;
  assert.ok(everything !== undefined);
  const upstream = await imitate(t, everything, ({ body }, reply) => {
    if (body.method !== 'notifications/initialized') return false;
    reply.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    return true;
  });
  await app.add('it', upstream.url);
  assert.equal(textOf(await app.tool('it', 'count')), 'run 1');
});
