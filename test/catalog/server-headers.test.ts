import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { createCatalog, credentialColumns } from '../../src/catalog/catalog.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { createVault, rotate, type Vault } from '../../src/vault/vault.ts';
import type { VaultKey } from '../../src/vault/wrappers/local-key.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { type Seen, sendJson, startRaw } from '../support/mcp-servers.ts';
import { engines, openTestStore } from '../support/stores.ts';

const secret = 'planted-header-secret-7f3a';

/** A server of the current revision that says yes to everything. */
const agree = ({ body }: Seen, reply: Parameters<typeof sendJson>[0]) =>
  sendJson(reply, 200, {
    jsonrpc: '2.0',
    id: body.id,
    result: {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      content: [{ type: 'text', text: 'yes' }],
      tools: [],
    },
  });

test('K6: the operator’s headers of a server go to that server with every call of whom they are granted to, and nowhere else', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startRaw(t, agree);
  const other = await startRaw(t, agree);
  await app.add('guarded', upstream.url, { headers: { Authorization: `Bearer ${secret}`, 'X-Team': 'one' } });
  await app.add('open', other.url);
  await app.call('PUT', '/v1/admin/servers/guarded/rights', {
    body: { granted: [{ developer: '*', credentials: true }] },
  });
  for (const key of [await app.newKey(), await app.newKey()]) {
    assert.equal((await app.tool('guarded', 'x', {}, { key })).status, 200);
    await app.tool('open', 'x', {}, { key });
  }
  await app.call('POST', '/v1/admin/servers/guarded/probe');
  assert.ok(upstream.seen.length >= 3);
  for (const { headers } of upstream.seen)
    assert.deepEqual([headers.authorization, headers['x-team']], [`Bearer ${secret}`, 'one']);
  assert.ok(other.seen.every(({ headers }) => headers.authorization === undefined));

  for (const path of [
    '/v1/servers/guarded',
    '/v1/admin/servers',
    '/v1/mcp/server?server_id=guarded',
    '/v1/admin/audit',
  ])
    assert.ok(!(await app.call('GET', path)).text.includes(secret), path);
  assert.ok(!app.lines.join('').includes(secret));
  for (const file of readdirSync(app.dataDir))
    assert.ok(!readFileSync(join(app.dataDir, file)).includes(secret), file);
});

test('new headers hold from the next call on, none given keeps them, an empty object takes them away', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startRaw(t, agree);
  const sent = async () => {
    await app.tool('s', 'x');
    return upstream.seen.at(-1)?.headers['x-key'];
  };
  await app.add('s', upstream.url, { headers: { 'X-Key': 'first' } });
  assert.equal(await sent(), 'first');
  await app.add('s', upstream.url, { headers: { 'X-Key': 'second' } });
  assert.equal(await sent(), 'second');
  await app.add('s', upstream.url, { description: 'only words' });
  assert.equal(await sent(), 'second');
  await app.add('s', upstream.url, { headers: {} });
  assert.equal(await sent(), undefined);
});

for (const engine of engines)
  test(`${engine.name}: a change of vault keys re-wraps the headers of servers`, {
    skip: engine.skip,
  }, async (t) => {
    const storage = await openTestStore(t, engine);
    const [first, next] = [1, 2].map((n) => ({ kid: `k${n}`, key: Buffer.alloc(32, n) })) as [
      VaultKey,
      VaultKey,
    ];
    const vaultOf = (...keys: VaultKey[]) => createVault({ keys, clock: systemClock });
    const catalogOn = (vault: Vault) =>
      createCatalog({
        storage,
        vault,
        clock: systemClock,
        outbound: { request: () => assert.fail('nothing here goes out') },
        config: { registryUrl: 'https://registry.example', starterFile: '/nowhere' },
        log: createTelemetry({ level: 'silent' }).log,
      });
    const before = catalogOn(vaultOf(first));
    const parsed = before.parse({
      id: 's',
      name: 's',
      remote_url: 'https://s.example',
      headers: { 'X-Key': 'kept' },
    });
    assert.ok(parsed.ok);
    await before.put([parsed.input], 'admin');
    const { columns } = storage.seals(credentialColumns);
    assert.equal(await rotate(vaultOf(next, first), columns, () => undefined), 1);
    assert.deepEqual((await catalogOn(vaultOf(next)).credential('s'))?.headers, { 'x-key': 'kept' });
    await assert.rejects(catalogOn(vaultOf(first)).credential('s'));
  });
