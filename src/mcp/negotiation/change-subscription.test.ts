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
async function setUp(
  t: TestContext,
  onStream: (reply: ServerResponse, asked: readonly string[]) => void,
  options: { readonly now?: () => number; readonly statusOf?: () => number } = {},
) {
  const { now = () => performance.now(), statusOf = () => 200 } = options;
  const open = new Set<ServerResponse>();
  const server = createServer((request, reply) => {
    open.add(reply);
    reply.on('close', () => open.delete(reply));
    const status = statusOf();
    reply.writeHead(status, { 'content-type': status === 200 ? 'text/event-stream' : 'text/plain' });
    reply.flushHeaders();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { params } = JSON.parse(Buffer.concat(chunks).toString()) as {
        params: { notifications: { resourceSubscriptions?: string[] } };
      };
      if (status === 200) onStream(reply, params.notifications.resourceSubscriptions ?? []);
      else reply.end();
    });
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
    now,
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

function acknowledge(reply: ServerResponse, uris: readonly string[]): void {
  const params = { notifications: { resourceSubscriptions: uris } };
  const method = 'notifications/subscriptions/acknowledged';
  reply.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method, params })}\n\n`);
}

test('what is subscribed to while a stream waits for its answer stands in one more, all of it together', async (t) => {
  const asked: (readonly string[])[] = [];
  const answered = Promise.withResolvers<void>();
  const { subscription, open } = await setUp(t, (reply, uris) => {
    asked.push(uris);
    answered.promise.then(() => acknowledge(reply, uris));
  });
  subscription.setListening(true);
  await until(() => asked.length === 1);
  const uris = Array.from({ length: 20 }, (_, n) => `note://${n}`);
  const added = uris.map((uri) => subscription.add(uri));
  const twice = subscription.add('note://0');
  answered.resolve();
  assert.deepEqual(new Set(await Promise.all([...added, twice])), new Set([true]));
  assert.deepEqual(asked, [[], uris]);
  await until(() => open.size === 1);
});

test('a server that refuses is asked again after a while, one that refuses the caller at once', async (t) => {
  let [status, now] = [404, 0];
  const asked: (readonly string[])[] = [];
  const { subscription } = await setUp(
    t,
    (reply, uris) => {
      asked.push(uris);
      acknowledge(reply, uris);
    },
    { statusOf: () => status, now: () => now },
  );
  assert.equal(await subscription.add('note://one'), false);
  status = 200;
  assert.equal(await subscription.add('note://one'), false, 'it said so just now');
  assert.equal(asked.length, 0);
  now += 300_000;
  assert.equal(await subscription.add('note://one'), true);
  for (const about of [401, 403, 408, 429]) {
    status = about;
    await assert.rejects(subscription.add('note://two'), `${about}`);
    status = 200;
    assert.equal(await subscription.add('note://two'), true, `${about}`);
    subscription.remove('note://two');
  }
});
