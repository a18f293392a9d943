import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bootMcp } from '../support/mcp-app.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';

/** A server of 2026-07-28 whose tools tell of their progress where they are asked to: `work` ends well, `fail` and `break` do not. */
function startWorking(t: TestContext) {
  return startRaw(t, ({ body }, reply) => {
    const { id, method, params } = body;
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], tools: [] };
    const answer = { ...result, content: [{ type: 'text', text: 'done' }] };
    if (method !== 'tools/call' || params?.name === 'quiet')
      return sendJson(reply, 200, { jsonrpc: '2.0', id, result: answer });
    const meta = params?._meta as { progressToken?: string | number } | undefined;
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (message: object) =>
      reply.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
    const { progressToken } = meta ?? {};
    for (const progress of progressToken === undefined ? [] : [1, 2])
      send({
        method: 'notifications/progress',
        params: { progressToken, progress, total: 2, message: 'line\nbreak' },
      });
    if (params?.name === 'work') send({ id, result: answer });
    if (params?.name === 'fail') send({ id, error: { code: -32603, message: 'out of paper' } });
    return reply.end();
  });
}

const streaming = { accept: 'application/json, text/event-stream' };

test('a caller that takes a stream hears of progress, and then the answer or why there is none', async (t) => {
  const app = await bootMcp(t);
  await app.add('s', (await startWorking(t)).url);
  const eventsOf = async (name: string) => {
    const reply = await app.tool('s', name, {}, { headers: streaming });
    assert.match(reply.headers.get('content-type') ?? '', /^text\/event-stream/);
    return [...reply.text.matchAll(/^data: (.*)$/gm)].map(([, text = '']) => JSON.parse(text) as object);
  };
  const progress = (n: number) => ({
    progress: { progressToken: 'progress', progress: n, total: 2, message: 'line\nbreak' },
  });
  assert.deepEqual(await eventsOf('work'), [
    progress(1),
    progress(2),
    { result: { content: [{ type: 'text', text: 'done' }], isError: false } },
  ]);
  const [, , failed] = await eventsOf('fail');
  const { problem } = failed as { problem: { status: number; code: string; detail: string } };
  assert.deepEqual([problem.status, problem.code], [502, 'upstream_error']);
  assert.match(problem.detail, /out of paper/);
  const [, , broken] = await eventsOf('break');
  assert.equal((broken as typeof failed & { problem: { code: string } }).problem.code, 'upstream_error');
});

test('without a word on the way, without the header, and under an idempotency key the answer is JSON as ever', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startWorking(t);
  await app.add('s', upstream.url);
  for (const [name, headers] of [
    ['quiet', streaming],
    ['work', {}],
    ['work', { ...streaming, 'idempotency-key': 'once' }],
  ] as const) {
    const reply = await app.tool('s', name, {}, { headers });
    assert.match(reply.headers.get('content-type') ?? '', /^application\/json/, name);
    assert.deepEqual(reply.body, { content: [{ type: 'text', text: 'done' }], isError: false });
  }
  const refused = await app.tool('none', 'work', {}, { headers: streaming });
  assert.equal(refused.status, 404);
  assert.equal(upstream.seen.filter(({ text }) => text.includes('progressToken')).length, 1);
});
