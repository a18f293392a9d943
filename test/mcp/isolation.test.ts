import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../support/full-run.ts';
import { bootMcp, textOf } from '../support/mcp-app.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';

test('no two principals share a session, a header, a cookie or an answer', async (t) => {
  const app = await bootMcp(t);
  /** By session: who was seen in it. */
  const seenIn = new Map<string, Set<string>>();
  const alive = new Set<string>();
  let count = 0;
  const upstream = await startRaw(t, ({ body, headers }, reply) => {
    const { id, method, params } = body;
    assert.equal(headers.cookie, undefined);
    assert.equal(headers['x-api-key'], undefined);
    assert.equal(headers.authorization, undefined);
    const session = String(headers['mcp-session-id']);
    if (method === 'server/discover') return reply.writeHead(404).end();
    if (method === 'initialize') {
      const fresh = `s${++count}`;
      alive.add(fresh);
      seenIn.set(fresh, new Set());
      const result = { protocolVersion: '2025-11-25' };
      const own = { 'mcp-session-id': fresh, 'set-cookie': `sid=${fresh}; Path=/` };
      return sendJson(reply, 200, { jsonrpc: '2.0', id, result }, own);
    }
    if (!alive.has(session)) return reply.writeHead(404).end();
    if (id === undefined) return reply.writeHead(202).end();
    const who = String((params?.arguments as { who?: string } | undefined)?.who);
    seenIn.get(session)?.add(who);
    // Answers in another order than the questions.
    const result = { content: [{ type: 'text', text: `${who} in ${session}` }] };
    setTimeout(() => sendJson(reply, 200, { jsonrpc: '2.0', id, result }), Math.random() * 5);
  });
  await app.add('a', upstream.url);
  await app.add('b', upstream.url);
  const keys = await Promise.all([app.newKey(), app.newKey(), app.newKey()]);

  const step = fc.record({ who: fc.nat(2), server: fc.constantFrom('a', 'b'), forget: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      await Promise.all(
        steps.map(async ({ who, server }) => {
          const name = `${who} at ${server}`;
          const reply = await app.tool(server, 'x', { who: name }, { key: keys[who] ?? '' });
          assert.ok(textOf(reply).startsWith(`${name} in `), reply.text);
        }),
      );
      // Between two rounds: a session that dies twice within one call is an error by right.
      if (steps.some(({ forget }) => forget)) alive.clear();
    }),
    { numRuns: runsOf(25) },
  );
  assert.ok(seenIn.size > 6);
  for (const [session, who] of seenIn) assert.ok(who.size <= 1, `${session}: ${[...who].join(', ')}`);
});
