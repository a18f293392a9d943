import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createOutbound } from '../../outbound/outbound.ts';
import { fixedCredential } from '../mcp-model.ts';
import { createChangeSubscription } from './change-subscription.ts';

const limits = {
  firstByteMs: 40,
  idleMs: 1_000,
  discoverMs: 1_000,
  totalMs: 1_000,
  questionMs: 1_000,
  maxBytes: 10_000,
  reprobeMs: 1_000,
};

/** A subscription at a server that opens each stream and tells what it is made to. */
async function setUp(t: TestContext, onStream: (reply: ServerResponse) => void) {
  const open = new Set<ServerResponse>();
  const server = createServer((request, reply) => {
    request.resume();
    open.add(reply);
    reply.on('close', () => open.delete(reply));
    reply.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    onStream(reply);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const outbound = createOutbound({ allowUpstreams: ['127.0.0.1'] });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  let id = 0;
  const told: string[] = [];
  const subscription = createChangeSubscription({
    endpoint: { outbound, credential: fixedCredential({}), limits, url },
    nextId: () => ++id,
    onNotification: ({ method }) => void told.push(method),
    now: () => performance.now(),
  });
  t.after(async () => {
    subscription.close();
    await outbound.close();
    server.closeAllConnections();
    server.close();
  });
  return { subscription, open, told };
}

const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('a server that opens a stream and does not say what it tells of keeps nobody waiting, and one stream at most', async (t) => {
  const { subscription, open } = await setUp(t, () => undefined);
  subscription.setListening(true);
  for (const uri of ['note://one', 'note://two', 'note://three'])
    await assert.rejects(subscription.add(uri), { reason: 'timeout' });
  await until(() => open.size === 1);
});

test('a stream of many small events is not taken for one that is too large, however its lines end', async (t) => {
  for (const end of ['\n', '\r\n', '\r']) {
    let streams = 0;
    const event = (method: string) =>
      `data: ${JSON.stringify({ jsonrpc: '2.0', method, params: { notifications: {}, pad: 'x'.repeat(500) } })}${end}${end}`;
    const { subscription, told } = await setUp(t, async (reply) => {
      streams++;
      reply.write(event('notifications/subscriptions/acknowledged'));
      for (let n = 0; n < 40; n++) {
        reply.write(event(`notifications/n${n}`));
        await new Promise(setImmediate);
      }
      reply.write(event('notifications/last'));
    });
    subscription.setListening(true);
    await until(() => told.includes('notifications/last') || streams > 1);
    assert.deepEqual([told.length, streams], [41, 1], JSON.stringify(end));
    subscription.close();
  }
});
