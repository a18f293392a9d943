import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootApp } from '../support/app.ts';
import { engines } from '../support/stores.ts';

type Page = {
  servers: {
    server: { name: string; version: string; remotes?: { url: string }[] };
    _meta: Record<string, unknown>;
  }[];
  metadata: { nextCursor?: string; count: number };
};

for (const engine of engines)
  test(`${engine.name}: a client of the public registry can point here: pages, search, one version, no key; what the operator added stays private`, {
    skip: engine.skip,
  }, async (t) => {
    const app = await bootApp(t, { ...(await engine.environment(t)), MCPRANK_STARTER: 'on' });
    await app.call('POST', '/v1/admin/servers', {
      body: { id: 'secret.example/one', name: 'Private', remote_url: 'https://secret.example/mcp' },
    });
    const get = async (path: string) => {
      const reply = await app.call('GET', path, { key: null });
      return { status: reply.status, page: reply.body as Page };
    };
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const { page } = await get(`/v0.1/servers?limit=40${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      names.push(...page.servers.map(({ server }) => server.name));
      cursor = page.metadata.nextCursor;
    } while (cursor !== undefined);
    assert.equal(names.length, 153);
    assert.ok(!names.includes('secret.example/one'));
    const one = encodeURIComponent(names.find((name) => name.includes('/')) ?? '');
    const { page: versions } = await get(`/v0.1/servers/${one}/versions`);
    const latest = (await app.call('GET', `/v0.1/servers/${one}/versions/latest`, { key: null })).body;
    assert.deepEqual(versions.servers[0], latest);
    assert.ok((latest._meta as Record<string, { popularity: number }>)['dev.mcprank/facts']!.popularity > 0);
    assert.equal((await get(`/v0.1/servers/${one}/versions/9.9.9`)).status, 404);
    assert.equal((await get('/v0.1/servers/secret.example%2Fone/versions/latest')).status, 404);
    const { page: found } = await get('/v0.1/servers?search=GITHUB&version=latest');
    assert.ok(found.servers.length > 0 && found.servers.every(({ server }) => /github/i.test(server.name)));
    assert.equal((await get('/v0.1/servers?search=%25')).page.servers.length, 0);
    assert.equal((await get('/v0.1/servers?updated_since=yesterday')).status, 400);
  });

test('another mcprank syncs from this one, removals included', async (t) => {
  const first = await bootApp(t, { MCPRANK_STARTER: 'on' });
  const second = await bootApp(t, {
    MCPRANK_STARTER: 'off',
    MCPRANK_REGISTRY_URL: first.url,
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
  });
  const sync = () => second.services.catalog.syncOnce(new AbortController().signal);
  const report = await sync();
  assert.deepEqual([report.added, report.skipped], [153, 0]);
  const [gone] = (await first.services.catalog.list({ limit: 1 })).servers;
  await first.services.storage
    .tables<{ servers: { id: string; deleted_at: number; updated_at: number } }>()
    .updateTable('servers')
    .set({ deleted_at: Date.now(), updated_at: Date.now() })
    .where('id', '=', gone?.id ?? '')
    .execute();
  assert.equal((await sync()).removed, 1);
  const reply = await second.call('GET', `/v1/servers/${encodeURIComponent(gone?.id ?? '')}`);
  assert.equal(reply.status, 410);
});
