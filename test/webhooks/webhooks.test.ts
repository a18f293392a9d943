import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { bootApp, handClock } from '../support/app.ts';
import { engines } from '../support/stores.ts';

type Heard = { headers: Record<string, string>; body: string };

/** An app's endpoint that fails as often as it is told. */
async function startEndpoint(t: TestContext) {
  const heard: Heard[] = [];
  const statuses: number[] = [];
  const server = createServer(async (request, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    heard.push({
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(chunks).toString(),
    });
    reply.writeHead(statuses.shift() ?? 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/events`, heard, statuses };
}

/** As a receiver checks it: https://www.standardwebhooks.com */
function isSigned({ headers, body }: Heard, secret: string): boolean {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const expected = `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  return (headers['webhook-signature'] ?? '').split(' ').includes(expected);
}

for (const engine of engines)
  test(`${engine.name}: I4 O1 a refresh token used again is told to the app, signed, under one id until it is heard`, {
    skip: engine.skip,
  }, async (t) => {
    const clock = handClock();
    const endpoint = await startEndpoint(t);
    const app = await bootApp(
      t,
      {
        MCPRANK_STARTER: 'off',
        MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
        ...(await engine.environment(t)),
      },
      { clock },
    );
    const deliver = () => app.services.webhooks.deliver(new AbortController().signal);
    const key = await app.newKey();
    const hook = await app.call('PUT', '/v1/identity/webhook', { body: { url: endpoint.url }, key });
    const secret = String(hook.body.secret);
    assert.match(secret, /^whsec_/);
    const seen = async () => (await app.call('GET', '/v1/identity/webhook', { key })).body;
    const updated_at = new Date(clock.now()).toISOString();
    assert.deepEqual(await seen(), { url: endpoint.url, updated_at, waiting: 0 });

    const reuse = async () => {
      const issued = await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' }, key });
      const refresh = (refresh_token: unknown) =>
        app.call('POST', '/v1/identity/refresh', { body: { refresh_token }, key });
      const next = await refresh(issued.body.refresh_token);
      await refresh(next.body.refresh_token);
      assert.equal((await refresh(issued.body.refresh_token)).status, 400);
    };
    await reuse();
    assert.equal((await seen()).waiting, 1);
    endpoint.statuses.push(500, 302);
    await deliver();
    await deliver();
    assert.equal(endpoint.heard.length, 1, 'not again before its pause is over');
    clock.advance(6_000);
    await deliver();
    clock.advance(301_000);
    await deliver();
    await deliver();
    assert.equal(endpoint.heard.length, 3);
    assert.equal(new Set(endpoint.heard.map(({ headers }) => headers['webhook-id'])).size, 1);
    assert.ok(endpoint.heard.every((each) => isSigned(each, secret)));
    const event = JSON.parse(endpoint.heard[2]?.body ?? '{}') as { type: string; data: { user_id: string } };
    assert.deepEqual([event.type, event.data.user_id], ['token.reuse', 'ann']);
    assert.doesNotMatch(endpoint.heard[2]?.body ?? '', /rt_/);

    assert.equal((await seen()).waiting, 0);
    const second = await app.call('PUT', '/v1/identity/webhook', { body: { url: endpoint.url }, key });
    await reuse();
    await deliver();
    const both = endpoint.heard.at(-1) as Heard;
    assert.ok(isSigned(both, secret) && isSigned(both, String(second.body.secret)), 'both secrets for a day');
    clock.advance(86_400_000);
    await reuse();
    await deliver();
    assert.ok(!isSigned(endpoint.heard.at(-1) as Heard, secret), 'then the new one alone');

    await app.call('DELETE', '/v1/identity/webhook', { key });
    const before = endpoint.heard.length;
    await reuse();
    await deliver();
    assert.equal(endpoint.heard.length, before);
  });

test('O1 E: events are never posted to a private address that is not allowed, and a foreign developer sees no webhook', async (t) => {
  const clock = handClock();
  const endpoint = await startEndpoint(t);
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' }, { clock });
  const key = await app.newKey();
  for (const url of ['file:///etc/passwd', 'https://user@app.example/', 'nonsense'])
    assert.equal((await app.call('PUT', '/v1/identity/webhook', { body: { url }, key })).status, 400, url);
  await app.call('PUT', '/v1/identity/webhook', { body: { url: endpoint.url }, key });
  const other = await app.newKey();
  const foreign = await app.call('GET', '/v1/identity/webhook', { key: other });
  assert.deepEqual(foreign.body, { url: null, updated_at: null, waiting: 0 });
  const issued = await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' }, key });
  const body = { refresh_token: issued.body.refresh_token };
  await app.call('POST', '/v1/identity/refresh', { body, key });
  clock.advance(31_000);
  await app.call('POST', '/v1/identity/refresh', { body, key });
  await app.services.webhooks.deliver(new AbortController().signal);
  assert.equal(endpoint.heard.length, 0);
});

for (const engine of engines)
  test(`${engine.name}: 18.8 an app that is slow holds two of its own events, and nobody else's`, {
    skip: engine.skip,
  }, async (t) => {
    const slow = { open: 0, most: 0, answer: new Set<() => void>() };
    const answered: string[] = [];
    const server = createServer((request, reply) => {
      if (request.url !== '/slow') {
        answered.push(String(request.url));
        reply.writeHead(204).end();
        return;
      }
      slow.most = Math.max(slow.most, ++slow.open);
      slow.answer.add(() => {
        slow.open--;
        reply.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as { port: number };
    const clock = handClock();
    const app = await bootApp(
      t,
      { MCPRANK_STARTER: 'off', MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1', ...(await engine.environment(t)) },
      { clock },
    );
    const hook = async (path: string) => {
      const made = await app.call('POST', '/v1/admin/keys', {
        body: { developer: path, name: 'test', tier: 'pro' },
      });
      const key = String(made.body.key);
      await app.call('PUT', '/v1/identity/webhook', {
        body: { url: `http://127.0.0.1:${port}${path}` },
        key,
      });
      return String(made.body.developer_id);
    };
    type Outbox = {
      webhook_outbox: { id: string; developer_id: string; body: string; attempts: number; next_at: number };
    };
    const add = async (developer_id: string, count: number, next_at = clock.now()) => {
      const rows = Array.from({ length: count }, (_, i) => ({
        id: `${developer_id}-${next_at}-${i}`,
        developer_id,
        body: '{}',
        attempts: 0,
        next_at,
      }));
      for (let i = 0; i < count; i += 50)
        await app.services.storage
          .tables<Outbox>()
          .insertInto('webhook_outbox')
          .values(rows.slice(i, i + 50))
          .execute();
    };
    // Longer due than anybody else's, and more than one page of them.
    await add(await hook('/slow'), 250, clock.now() - 1_000);
    await add(await hook('/b'), 5);
    const late = await hook('/late');
    const until = async (what: () => boolean) => {
      while (!what()) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    const stopping = new AbortController();
    const delivering = app.services.webhooks.deliver(stopping.signal);
    await until(() => answered.length === 5);
    // In the same run, while the slow one still holds its two.
    await add(late, 1);
    await until(() => answered.includes('/late'));
    assert.deepEqual([slow.open, slow.most], [2, 2]);
    for (const answer of slow.answer) answer();
    await until(() => slow.answer.size === 4);
    assert.equal(slow.most, 2);
    stopping.abort();
    await delivering;
  });
