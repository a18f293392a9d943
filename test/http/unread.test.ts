import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultLimits } from '../../src/http/http.ts';
import { bootApp, type TestApp } from '../support/app.ts';
import { startLoopback } from '../support/mcp-oauth.ts';

const replyBytes = 7_000_000;

/** A server with large answers, and an app that keeps few of them. */
async function boot(t: TestContext, unread: { bytes: number; stalledMs: number }) {
  const upstream = await startLoopback(t, ({ body }) => {
    const { id } = JSON.parse(body) as { id: number };
    const content = [{ type: 'text', text: 'x'.repeat(replyBytes) }];
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], content, isError: false };
    return { body: { jsonrpc: '2.0', id, result } };
  });
  const limits = { ...defaultLimits, lateMs: Number.POSITIVE_INFINITY, drainMs: 0, graceMs: 100, unread };
  const app = await bootApp(t, { MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' }, { limits });
  await app.call('POST', '/v1/admin/servers', {
    body: { id: 'it', name: 'it', description: 'it', remote_url: upstream.url, tools: [] },
  });
  return app;
}

/** A caller who asks and reads nothing. */
function askAndLeave(t: TestContext, app: TestApp, key: string) {
  const { hostname, port } = new URL(app.url);
  const socket: Socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.pause();
  socket.on('error', () => undefined);
  const body = JSON.stringify({ server_id: 'it', name: 'go', arguments: {} });
  socket.write(
    `POST /v1/mcp/tools/call HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

/** Whose replies were cut off. */
const cuts = (app: TestApp) =>
  app.lines
    .filter((line) => line.includes('http.reply.unread'))
    .map((line) => (JSON.parse(line) as { developer_id: string }).developer_id);

test('18 replies that nobody reads are bounded: who has most of it loses the oldest, and who reads gets theirs', {
  timeout: 30_000,
}, async (t) => {
  const app = await boot(t, { bytes: 18_000_000, stalledMs: 600_000 });
  const [loud, quiet] = [await app.newKey(), await app.newKey()];
  askAndLeave(t, app, quiet);
  for (let i = 0; i < 6; i++) askAndLeave(t, app, loud);
  // What the operating system holds of each is no longer ours; what is left of three is too much.
  while (cuts(app).length < 2 && !t.signal.aborted) await delay(20);
  assert.equal(new Set(cuts(app)).size, 1);
  const reply = await app.call('POST', '/v1/mcp/tools/call', {
    body: { server_id: 'it', name: 'go', arguments: {} },
    key: quiet,
  });
  assert.equal(reply.status, 200);
  assert.ok(reply.text.length > replyBytes);
});

test('18 a caller who takes nothing of a large reply for a while is cut off', {
  timeout: 30_000,
}, async (t) => {
  const app = await boot(t, { bytes: 1_000_000_000, stalledMs: 200 });
  askAndLeave(t, app, await app.newKey());
  while (cuts(app).length === 0 && !t.signal.aborted) await delay(20);
});
