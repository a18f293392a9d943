import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bootApp, type TestApp } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { engines } from '../support/stores.ts';

async function boot(t: TestContext, env: Record<string, string> = {}): Promise<TestApp> {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off', ...env });
  await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
  return app;
}

type Row = {
  id: string;
  developer_id: string;
  server_id: string;
  success: number;
  query_log_id: string | null;
};
const rowsOf = (app: TestApp) =>
  app.services.storage.tables<{ invocations: Row }>().selectFrom('invocations').selectAll().execute();
const outcome = { server_id: 'com.example/mail', tool_name: 'send_email', success: true, latency_ms: 12.5 };

for (const engine of engines) {
  test(`${engine.name}: a recorded outcome is in the store when 201 is answered, under its developer`, {
    skip: engine.skip,
  }, async (t) => {
    const app = await boot(t, await engine.environment(t));
    const reply = await app.call('POST', '/v1/invocations', { body: { ...outcome, query_log_id: 'ql_x' } });
    assert.deepEqual([reply.status, reply.body.recorded], [201, true]);
    const rows = await rowsOf(app);
    assert.deepEqual(
      rows.map(({ id, server_id, success, query_log_id }) => [id, server_id, success, query_log_id]),
      [[reply.body.invocation_id, 'com.example/mail', 1, 'ql_x']],
    );
  });

  test(`${engine.name}: the same idempotency key is one row and one id, however often and at once it comes`, {
    skip: engine.skip,
  }, async (t) => {
    const app = await boot(t, await engine.environment(t));
    const send = (fields: object = {}, key?: string) =>
      app.call('POST', '/v1/invocations', {
        body: { ...outcome, idempotency_key: 'once', ...fields },
        ...(key === undefined ? {} : { key }),
      });
    const replies = await Promise.all(Array.from({ length: 20 }, () => send()));
    replies.push(await send());
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([201]));
    assert.equal(new Set(replies.map(({ body }) => body.invocation_id)).size, 1);
    const other = await send({ success: false });
    assert.deepEqual([other.status, other.body.code], [409, 'conflict']);
    const neighbour = await send({}, await app.newKey());
    assert.equal(neighbour.status, 201, "another developer's key of the same name is another key");
    assert.equal((await rowsOf(app)).length, 2);
  });
}

test('an unknown server or tool is 404, a removed server 410, a server without known tools takes any name', async (t) => {
  const app = await boot(t);
  const send = async (fields: object) => {
    const { status, body } = await app.call('POST', '/v1/invocations', { body: { ...outcome, ...fields } });
    return [status, body.code ?? body.recorded];
  };
  assert.deepEqual(await send({ server_id: 'nowhere' }), [404, 'not_found']);
  assert.deepEqual(await send({ tool_name: 'nothing' }), [404, 'not_found']);
  assert.deepEqual(await send({ server_id: 'bare', tool_name: 'anything' }), [201, true]);
  await app.call('DELETE', '/v1/admin/servers/bare');
  assert.deepEqual(await send({ server_id: 'bare', tool_name: 'anything' }), [410, 'server_gone']);
  assert.equal((await rowsOf(app)).length, 1);
});

test('Prefer: respond-async answers 202 at once, and the row is there after the queue is flushed', async (t) => {
  const app = await boot(t);
  const reply = await app.call('POST', '/v1/invocations', {
    body: outcome,
    headers: { prefer: 'wait=1, respond-async' },
  });
  assert.deepEqual([reply.status, reply.body.recorded], [202, true]);
  await app.services.catalog.flush();
  assert.deepEqual(
    (await rowsOf(app)).map(({ id }) => id),
    [reply.body.invocation_id],
  );
});

test('popularity grows with distinct developers; one developer with a hundred keys moves nothing', {
  skip: fullRunOnly,
}, async (t) => {
  const app = await boot(t);
  const popularityOf = async (id: string) =>
    (await app.services.catalog.rankingSignals()).popularity.get(id) ?? 0;
  const before = await popularityOf('com.example/mail');
  const keysOfOne = await Promise.all(Array.from({ length: 100 }, () => app.newKey({ developer: 'one' })));
  for (const key of keysOfOne) await app.call('POST', '/v1/invocations', { key, body: outcome });
  const afterOne = await popularityOf('com.example/mail');
  for (let i = 0; i < 10; i++)
    await app.call('POST', '/v1/invocations', {
      key: await app.newKey(),
      body: { ...outcome, server_id: 'com.example/calendar', tool_name: 'create_event' },
    });
  const ofTen = await popularityOf('com.example/calendar');
  assert.ok(
    afterOne === before && ofTen > afterOne,
    `${before} → ${afterOne} (one developer, 100 calls), ${ofTen} (ten developers, one call each)`,
  );
});
