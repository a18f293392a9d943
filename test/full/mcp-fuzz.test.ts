import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../support/full-run.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startRaw } from '../support/mcp-servers.ts';

/** Replies as bytes: nearly right JSON-RPC, any JSON, any text, in any framing. */
const message = fc.record(
  {
    jsonrpc: fc.oneof(fc.constant('2.0'), fc.jsonValue()),
    id: fc.oneof(fc.constant('%ID%'), fc.jsonValue()),
    result: fc.oneof(
      fc.jsonValue(),
      fc.record(
        { content: fc.jsonValue(), isError: fc.jsonValue(), _meta: fc.jsonValue() },
        { requiredKeys: [] },
      ),
      fc.record({ tools: fc.jsonValue(), nextCursor: fc.jsonValue() }, { requiredKeys: [] }),
      fc.record({ resultType: fc.jsonValue(), inputRequests: fc.jsonValue(), requestState: fc.jsonValue() }),
    ),
    error: fc.oneof(fc.jsonValue(), fc.record({ code: fc.jsonValue(), message: fc.jsonValue() })),
    method: fc.oneof(fc.constantFrom('elicitation/create', 'ping', 'notifications/progress'), fc.string()),
    params: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const text = fc.oneof(
  { weight: 4, arbitrary: message.map((value) => JSON.stringify(value).replace('"%ID%"', '%ID%')) },
  fc.array(message, { maxLength: 3 }).map((all) => JSON.stringify(all).replaceAll('"%ID%"', '%ID%')),
  fc.string({ unit: 'binary', maxLength: 200 }),
);
const reply = fc.record({
  status: fc.constantFrom(200, 200, 200, 200, 202, 204, 301, 400, 401, 403, 404, 405, 429, 500, 503),
  type: fc.constantFrom('application/json', 'application/json', 'text/event-stream', 'text/html', ''),
  pieces: fc.array(text, { maxLength: 4 }),
  cut: fc.boolean(),
});

test('whatever a server replies, its caller gets an answer in the documented form, soon, and the service lives', async (t) => {
  const app = await bootMcp(t, { mcpLimits: { firstByteMs: 500, idleMs: 500, totalMs: 1_000 } });
  let next: { status: number; type: string; pieces: string[]; cut: boolean } | undefined;
  const upstream = await startRaw(t, ({ body, method }, out, socket) => {
    const { id } = body;
    if (next === undefined || method === 'DELETE') return void out.writeHead(404).end();
    const pieces = next.pieces.map((piece) => piece.replaceAll('%ID%', JSON.stringify(id ?? null)));
    const framed = next.type === 'text/event-stream' ? pieces.map((piece) => `data: ${piece}\n\n`) : pieces;
    out.writeHead(next.status, next.type === '' ? {} : { 'content-type': next.type });
    if (next.status !== 204) for (const piece of framed) out.write(piece);
    if (next.cut) socket.destroy();
    else out.end();
  });
  await app.add('fuzzed', upstream.url);
  await fc.assert(
    fc.asyncProperty(reply, async (made) => {
      next = made;
      const call = await app.rpc('fuzzed', 'tools/call', { name: 'x', arguments: {} });
      assert.equal(call.status, 200, call.text);
      assert.equal(call.body.jsonrpc, '2.0');
      assert.ok('result' in call.body || 'error' in call.body, call.text);
      const tool = await app.tool('fuzzed', 'x');
      assert.ok(tool.status === 200 || tool.status === 502, `${tool.status} ${tool.text}`);
      const list = await app.list('fuzzed');
      assert.ok(list.status === 200 || list.status === 502, `${list.status} ${list.text}`);
      for (const { text: body } of [call, tool, list])
        assert.doesNotMatch(body, /Internal error|node_modules|\.ts:\d/);
    }),
    { numRuns: runsOf(150), interruptAfterTimeLimit: 20_000 },
  );
  assert.equal((await app.call('GET', '/v1/health')).status, 200);
});
