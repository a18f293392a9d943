import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { bootApp } from '../support/app.ts';

const rows = 400_000;

/** As a busy hour leaves them. */
function fillLogs(file: string): void {
  const db = new DatabaseSync(file, { timeout: 10_000 });
  const now = Date.now();
  const numbers = `with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${rows})`;
  db.exec(`begin;
    insert into query_log (id, developer_id, key_id, query, shown, first_rank, total, snapshot, cache_hit, latency_ms, at)
      ${numbers} select 'ql_' || i, 'dev', 'key', 'query ' || (i % 5000), iif(i % 3 = 0, '', 'a'), 1, 1, 1, 0, 1.5, ${now} - i from n;
    insert into invocations (id, developer_id, key_id, server_id, tool_name, success, latency_ms, at)
      ${numbers} select 'inv_' || i, 'dev', 'key', 'server ' || (i % 300), 'tool', 1, 2.5, ${now} - i from n;
    insert into calls (id, at, developer_id, key_id, server_id, tool, outcome, latency_ms, request_bytes, reply_bytes)
      ${numbers} select 'call_' || i, ${now} - i, 'dev', 'key', 'server', 'tool', 'ok', 1, 1, 1 from n;
    commit`);
  db.close();
}

/** The longest time for which nothing else was done while this was answered, and how long that took. */
async function watched(act: () => Promise<unknown>): Promise<{ stoodStillMs: number; tookMs: number }> {
  const began = performance.now();
  let [last, stoodStillMs] = [began, 0];
  const timer = setInterval(() => {
    const now = performance.now();
    stoodStillMs = Math.max(stoodStillMs, now - last);
    last = now;
  }, 1);
  await act();
  clearInterval(timer);
  const now = performance.now();
  return { stoodStillMs: Math.max(stoodStillMs, now - last), tookMs: now - began };
}

test('what is asked of logs of 400,000 rows each stops nobody else', { timeout: 300_000 }, async (t) => {
  const app = await bootApp(t);
  fillLogs(join(app.dataDir, 'mcprank.db'));
  const key = (await app.call('POST', '/v1/admin/keys', { body: { developer: 'd', name: 'n', tier: 'pro' } }))
    .body.key_id;
  const { body } = await app.call('GET', '/v1/admin/activity?window=1h');
  assert.equal((body.searches as { count: number }).count, rows);
  for (const path of [
    '/v1/admin/activity?window=24h',
    `/v1/admin/keys/${key}/usage`,
    '/v1/admin/calls?tool=nowhere',
    '/v1/admin/calls?user_id=nobody',
  ]) {
    const { stoodStillMs, tookMs } = await watched(async () =>
      assert.equal((await app.call('GET', path)).status, 200),
    );
    // As a share: a busy machine is slow at both.
    if (tookMs > 100) assert.ok(stoodStillMs < tookMs / 2, `${path}: ${stoodStillMs} of ${tookMs} ms`);
  }
});
