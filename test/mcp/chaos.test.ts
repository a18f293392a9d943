import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { adminKey } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp, textOf } from '../support/mcp-app.ts';
import { imitate, imitations } from '../support/mcp-imitations.ts';
import { answersTwice, misbehaviours } from '../support/mcp-misbehaving.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';

/** So that what never ends, ends within the test. */
const mcpLimits = { firstByteMs: 3_000, idleMs: 3_000, totalMs: 6_000 };

test('misbehaving servers end in the documented errors, and healthy ones beside them answer every call', {
  skip: fullRunOnly,
}, async (t) => {
  const app = await bootMcp(t, { mcpLimits });
  const modern = await startSdkServer(t, { legacy: 'reject' });
  const [everything] = imitations;
  assert.ok(everything !== undefined);
  const old = await imitate(t, everything);
  await app.add('modern', modern.url);
  await app.add('old', old.url);
  await app.add('answers twice', await answersTwice(t));
  const bad = await Promise.all(
    misbehaviours.map(async ({ name, reasons, start }) => {
      await app.add(name, await start(t));
      return { name, reasons };
    }),
  );

  let chaos = true;
  let healthy = 0;
  const load = async (id: string, tool: string) => {
    while (chaos) {
      const reply = await app.tool(id, tool, { message: 'hi' });
      assert.deepEqual([reply.status, reply.body.isError], [200, false], `${id}: ${reply.text}`);
      healthy++;
    }
  };
  const loads = [load('modern', 'echo'), load('old', 'count'), load('modern', 'echo'), load('old', 'count')];
  await Promise.all(
    bad.flatMap(({ name, reasons }) => [
      app.tool(name, 'x').then((reply) => {
        assert.equal(reply.status, 502, `${name}: ${reply.text}`);
        assert.match(String(reply.body.detail), /^Tool call failed: /);
      }),
      app.rpc(name, 'tools/call', { name: 'x' }, { id: 'mine' }).then((reply) => {
        assert.equal(reply.status, 200, name);
        const { code, data } = reply.body.error as { code: number; data: { reason: string } };
        assert.deepEqual([reply.body.id, code], ['mine', -32000], name);
        assert.ok(reasons.includes(data.reason), `${name}: ${reply.text}`);
      }),
    ]),
  );
  chaos = false;
  await Promise.all(loads);
  assert.ok(healthy > 20, `${healthy} healthy calls`);
  assert.equal(textOf(await app.tool('answers twice', 'x')), 'first');
  assert.equal(textOf(await app.tool('old', 'count')), `run ${old.runs()}`);
});

test('a caller that goes away ends its call upstream', async (t) => {
  const app = await bootMcp(t);
  const [everything] = imitations;
  assert.ok(everything !== undefined);
  const cancelled = Promise.withResolvers<void>();
  const upstream = await imitate(t, everything, (seen, reply) => {
    if (seen.body.method === 'notifications/cancelled') cancelled.resolve();
    if (seen.body.method !== 'tools/call') return false;
    reply.writeHead(200, { 'content-type': 'text/event-stream' }).write(': working\n\n');
    setTimeout(() => caller.destroy(), 50);
    return true;
  });
  await app.add('slow', upstream.url);
  const caller = request(`${app.url}/v1/mcp/tools/call`, {
    method: 'POST',
    agent: false,
    headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
  });
  caller.on('error', () => undefined);
  caller.end(JSON.stringify({ server_id: 'slow', name: 'count' }));
  await cancelled.promise;
});
