import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { bootApp, temporaryFolder } from '../support/app.ts';
import { type Engine, engines, openTestStore } from '../support/stores.ts';

const vaultKeys = `k1:${Buffer.alloc(32, 9).toString('base64')}`;

async function restore(t: TestContext, engine: Engine, file: string) {
  const env = await engine.environment(t);
  const storage = await openStorage(
    {
      dataDir: env.MCPRANK_DATA_DIR ?? '',
      databaseUrl: env.DATABASE_URL === undefined ? null : new Secret(env.DATABASE_URL),
    },
    systemClock,
  );
  try {
    return {
      env,
      copied: await storage.restore(file),
      again: await storage.restore(file).catch((e: unknown) => e),
    };
  } finally {
    await storage.close();
  }
}

for (const from of engines)
  for (const to of engines)
    test(`${from.name} → ${to.name}: a backup made while in use becomes a whole service elsewhere: keys, servers, outcomes, users, sealed things`, {
      skip: from.skip || to.skip,
    }, async (t) => {
      const first = await bootApp(t, {
        MCPRANK_STARTER: 'off',
        MCPRANK_VAULT_KEYS: vaultKeys,
        ...(await from.environment(t)),
      });
      const servers = Array.from({ length: 1_200 }, (_, i) => ({
        id: `s/${i}`,
        name: `Server ${i}`,
        description: i === 77 ? 'Knows tide tables of harbours' : `Does thing ${i}`,
        remote_url: `https://s${i}.example/mcp`,
        tools: [{ name: `tool_${i}`, description: 'ünï👩‍💻' }],
        ...(i === 0 && { headers: { 'X-Key': 'planted' } }),
      }));
      await first.call('POST', '/v1/admin/servers', { body: servers.slice(0, 1_000) });
      await first.call('POST', '/v1/admin/servers', { body: servers.slice(1_000) });
      const key = await first.newKey();
      const token = await first.call('POST', '/v1/identity/token', { body: { user_id: 'ann' }, key });
      const outcome = { server_id: 's/1', tool_name: 'tool_1', success: true, idempotency_key: 'once' };
      const told = await first.call('POST', '/v1/invocations', { body: outcome, key });
      const file = join(temporaryFolder(t), 'copy.db');
      await first.services.storage.backup(file);
      await first.close();

      const { env, copied, again } = await restore(t, to, file);
      assert.equal(copied.servers, 1_200);
      assert.match(String(again), /not empty/);
      const second = await bootApp(t, { MCPRANK_STARTER: 'off', MCPRANK_VAULT_KEYS: vaultKeys, ...env });
      await second.services.search.settled();
      const found = await second.call('POST', '/v1/search', { body: { query: 'tide tables' }, key });
      assert.equal((found.body.servers as { id: string }[])[0]?.id, 's/77');
      assert.deepEqual(
        (await second.call('POST', '/v1/invocations', { body: outcome, key })).body,
        told.body,
      );
      const { refresh_token } = token.body;
      const renewed = await second.call('POST', '/v1/identity/refresh', { body: { refresh_token }, key });
      assert.equal(renewed.status, 200, renewed.text);
      assert.deepEqual((await second.services.catalog.credential('s/0'))?.headers, { 'x-key': 'planted' });
      assert.equal((await second.call('GET', '/v1/servers/s%2F5', { key })).body.name, 'Server 5');
    });

test('a restore that cannot be finished leaves the store as it was: no file, not a store', async (t) => {
  const [sqlite] = engines;
  await assert.rejects(restore(t, sqlite!, '/no/such/file'), { kind: 'invalid_request' });
  const folder = temporaryFolder(t);
  const storage = await openStorage({ dataDir: folder, databaseUrl: null }, systemClock);
  t.after(() => storage.close());
  const text = join(folder, 'note.txt');
  writeFileSync(text, 'this is no store '.repeat(1_000));
  await assert.rejects(storage.restore(text), { kind: 'invalid_request', message: /note\.txt: not a copy/ });
  const empty = join(folder, 'empty.db');
  writeFileSync(empty, '');
  await assert.rejects(storage.restore(empty), { kind: 'invalid_request', message: /empty\.db: not a copy/ });
  const others = join(folder, 'others.db');
  new DatabaseSync(others).exec('create table developers (id text)');
  await assert.rejects(storage.restore(others), {
    kind: 'invalid_request',
    message: /others\.db: not a copy/,
  });
  await storage.ping();
});

for (const engine of engines)
  test(`${engine.name}: a backup never takes the place of a file, and one that fails leaves none`, {
    skip: engine.skip,
  }, async (t) => {
    const storage = await openTestStore(t, engine);
    const folder = temporaryFolder(t);
    const mine = join(folder, 'mine.db');
    writeFileSync(mine, 'mine');
    await assert.rejects(storage.backup(mine), { kind: 'conflict', message: /mine\.db exists already/ });
    assert.equal(readFileSync(mine, 'utf8'), 'mine');
    await assert.rejects(storage.backup(join(folder, 'no', 'folder.db')), { kind: 'invalid_request' });
    const file = join(folder, 'copy.db');
    await storage.backup(file);
    await assert.rejects(storage.backup(file), { kind: 'conflict' });
    await storage.close();
    const failed = join(folder, 'failed.db');
    await assert.rejects(storage.backup(failed));
    assert.ok(!existsSync(failed));
  });
