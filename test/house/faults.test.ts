import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { sql } from 'kysely';
import { bootApp } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';
import { fullRunOnly } from '../support/full-run.ts';

const outcome = { server_id: 'bare', tool_name: 'x', success: true };

test('a full disk: writes are 503 in words and lose nothing, searches go on, and writes work again when there is room', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
  await app.services.search.settled();
  const kept = await app.call('POST', '/v1/invocations', { body: outcome });
  await sql`pragma max_page_count = 1`.execute(app.services.storage.tables());

  const body = Array.from({ length: 50 }, (_, i) => ({
    id: `big-${i}`,
    name: 'Big',
    description: 'x'.repeat(7_000),
  }));
  const refused = await app.call('POST', '/v1/admin/servers', { body });
  assert.deepEqual(
    [refused.status, refused.body],
    [503, { detail: 'The disk of the store is full; nothing was written', code: 'unavailable' }],
  );
  assert.ok(refused.headers.has('retry-after'));
  assert.equal((await app.call('GET', '/v1/servers/big-0')).status, 404, 'nothing is half-written');
  const found = await app.call('POST', '/v1/search', { body: { query: 'send an e-mail' } });
  assert.equal((found.body.servers as { id: string }[])[0]?.id, 'com.example/mail');

  await sql`pragma max_page_count = 1000000`.execute(app.services.storage.tables());
  assert.equal((await app.call('POST', '/v1/admin/servers', { body })).status, 200);
  const rows = await app.services.storage
    .tables<{ invocations: { id: string } }>()
    .selectFrom('invocations')
    .select('id')
    .execute();
  assert.deepEqual(
    rows.map(({ id }) => id),
    [kept.body.invocation_id],
  );
});

test('a store locked by another process: writes are 503 in words, searches go on, and a retry succeeds', {
  skip: fullRunOnly,
}, async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
  await app.services.search.settled();
  await sql`pragma busy_timeout = 50`.execute(app.services.storage.tables());
  const other = new DatabaseSync(join(app.dataDir, 'mcprank.db'));
  t.after(() => other.close());
  other.exec('begin immediate');
  const send = () => app.call('POST', '/v1/invocations', { body: { ...outcome, idempotency_key: 'again' } });
  const refused = await send();
  assert.deepEqual(
    [refused.status, refused.body.detail],
    [503, 'The store is locked by another process; nothing was written'],
  );
  assert.equal((await app.call('POST', '/v1/search', { body: { query: 'weather' } })).status, 200);
  other.exec('rollback');
  assert.equal((await send()).status, 201);
});
