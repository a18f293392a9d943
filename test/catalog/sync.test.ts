import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import { Problem } from '../../src/base/problem.ts';
import { type Catalog, createCatalog } from '../../src/catalog/catalog.ts';
import { createOutbound } from '../../src/outbound/outbound.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { handClock } from '../support/app.ts';
import { sharedFile } from '../support/paths.ts';
import {
  type Fault,
  type RegistryDouble,
  type RegistryEntry,
  startRegistry,
} from '../support/registry-server.ts';
import { type Engine, engines, openTestStore, testVault } from '../support/stores.ts';

const officialMeta = 'io.modelcontextprotocol.registry/official';
const forever = new AbortController().signal;

function entry(
  name: string,
  fields: Record<string, unknown> = {},
  meta: Record<string, unknown> = {},
): RegistryEntry {
  const server = {
    $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
    name,
    description: `About ${name}`,
    version: '1.0.0',
    remotes: [{ type: 'streamable-http', url: `https://${name.split('/')[1]}.example/mcp` }],
    ...fields,
  };
  const official = { status: 'active', updatedAt: '2025-12-01T00:00:00Z', isLatest: true, ...meta };
  return { server, _meta: { [officialMeta]: official } };
}

function entries(count: number): RegistryEntry[] {
  return Array.from({ length: count }, (_, i) => entry(`org.example/server-${String(i).padStart(3, '0')}`));
}

function catalogOn(storage: Storage, registry: Pick<RegistryDouble, 'url'>, clock: Clock): Catalog {
  return createCatalog({
    storage,
    vault: testVault,
    clock,
    outbound: createOutbound({ allowUpstreams: ['127.0.0.1'] }),
    config: { registryUrl: `${registry.url}/`, starterFile: '/nowhere' },
    log: createTelemetry({ level: 'silent' }).log,
  });
}

async function setUp(t: TestContext, engine: Engine, options: Parameters<typeof startRegistry>[1]) {
  const clock = handClock();
  const registry = await startRegistry(t, options);
  const storage = await openTestStore(t, engine, clock);
  return { clock, registry, storage, catalog: catalogOn(storage, registry, clock) };
}

async function brokenSync(catalog: Catalog): Promise<Problem> {
  const error = await catalog.syncOnce(forever).then(
    () => assert.fail('the sync should have broken'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Problem, String(error));
  assert.equal(error.kind, 'upstream_error');
  return error;
}

for (const engine of engines) {
  const suite = (name: string, act: (t: TestContext) => Promise<void>) =>
    test(`${engine.name}: ${name}`, { skip: engine.skip }, act);

  const faults: Readonly<Record<string, Fault>> = {
    'an error': { status: 500 },
    'a refusal for a while': { status: 429, headers: { 'retry-after': '120' } },
    'half a JSON document': 'not json',
    'a connection that breaks': 'cut',
    'an HTML page': { status: 200, body: '<html>' },
    'a page over 8 MB': { status: 200, body: `{"servers":["${'x'.repeat(8_000_001)}"]}` },
  };
  for (const [name, fault] of Object.entries(faults)) {
    suite(`a sync broken on page 7 by ${name} goes on from page 7`, async (t) => {
      const { catalog, registry, storage, clock } = await setUp(t, engine, {
        entries: entries(95),
        pageSize: 10,
      });
      registry.fault = (page) => (page === 7 ? fault : undefined);
      const problem = await brokenSync(catalog);
      assert.ok((problem.retryAfterMs ?? 0) >= (name === 'a refusal for a while' ? 120_000 : 22_000));
      assert.equal((await catalog.stats()).servers, 60);
      const before = registry.requests.length;

      registry.fault = () => undefined;
      const report = await catalogOn(storage, registry, clock).syncOnce(forever);
      assert.equal(report.resumed, true);
      assert.equal(report.added, 35);
      assert.equal(registry.requests.length - before, 4);
      assert.equal((await catalog.stats()).servers, 95);
    });
  }

  suite('a sync that is stopped goes on later, and counts as no failure', async (t) => {
    const { catalog, registry } = await setUp(t, engine, { entries: entries(50), pageSize: 10 });
    const stop = new AbortController();
    registry.fault = (page) => {
      if (page === 3) setTimeout(() => stop.abort(), 20);
      return page === 3 ? 'hang' : undefined;
    };
    await assert.rejects(catalog.syncOnce(stop.signal));
    registry.fault = () => ({ status: 500 });
    assert.ok(((await brokenSync(catalog)).retryAfterMs ?? 0) <= 37_500, 'this is the first failure');
    registry.fault = () => undefined;
    assert.equal((await catalog.syncOnce(forever)).added, 30);
  });

  suite('waits grow with every failure and start over after a success', async (t) => {
    const { catalog, registry } = await setUp(t, engine, { entries: entries(5) });
    registry.fault = () => ({ status: 503 });
    const waits: number[] = [];
    for (let i = 0; i < 5; i += 1) waits.push((await brokenSync(catalog)).retryAfterMs ?? 0);
    // 30 s, 1, 2, 4, 8 minutes, each within a quarter.
    for (const [i, wait] of waits.entries())
      assert.ok(Math.abs(wait / (30_000 * 2 ** i) - 1) <= 0.25, `${waits}`);
    registry.fault = () => undefined;
    await catalog.syncOnce(forever);
    registry.fault = () => ({ status: 503 });
    assert.ok(((await brokenSync(catalog)).retryAfterMs ?? 0) <= 37_500);
  });

  suite('the second sync asks only for what changed, and applies tombstones', async (t) => {
    const { catalog, registry, clock } = await setUp(t, engine, { entries: entries(20) });
    await catalog.syncOnce(forever);
    const revision = await catalog.revision();
    clock.advance(86_400_000);
    registry.entries = [
      entry('org.example/server-003', { description: 'changed' }, { updatedAt: '2026-01-01T12:00:00Z' }),
      entry('org.example/server-004', {}, { updatedAt: '2026-01-01T12:00:00Z', status: 'deleted' }),
      entry('org.example/server-005', {}, { updatedAt: '2026-01-01T12:00:00Z', status: 'deprecated' }),
      entry('org.example/never-seen', {}, { updatedAt: '2026-01-01T12:00:00Z', status: 'deleted' }),
      ...entries(20).slice(6),
    ];
    const report = await catalog.syncOnce(forever);
    assert.equal(registry.requests.at(-1)?.searchParams.get('updated_since'), '2025-12-31T23:00:00.000Z');
    assert.deepEqual([report.updated, report.removed, report.unchanged], [2, 1, 0]);
    assert.equal((await catalog.get('org.example/server-003')).description, 'changed');
    assert.deepEqual((await catalog.get('org.example/server-005')).tags, ['deprecated']);
    await assert.rejects(catalog.get('org.example/server-004'), { kind: 'server_gone' });
    await assert.rejects(catalog.get('org.example/never-seen'), { kind: 'not_found' });
    assert.equal(await catalog.revision(), revision + 3);
  });

  suite("a sync refreshes facts, and leaves tools, words and the operator's own servers alone", async (t) => {
    const { catalog } = await setUp(t, engine, { entries: entries(4) });
    const put = async (id: string, source: string) => {
      const parsed = catalog.parse({
        id,
        name: 'Ours',
        description: 'our words',
        remote_url: 'https://old.example/mcp',
        tools: [{ name: 'do_it', description: 'does it' }],
      });
      assert.ok(parsed.ok);
      await catalog.put([parsed.input], source);
    };
    await put('org.example/server-000', 'starter');
    await put('org.example/server-001', 'admin');
    await put('org.example/server-002', 'starter');
    await catalog.remove('org.example/server-002');
    await catalog.syncOnce(forever);
    const starter = await catalog.get('org.example/server-000');
    assert.equal(starter.remoteUrl, 'https://server-000.example/mcp');
    assert.equal(starter.description, 'our words');
    assert.deepEqual(
      starter.tools.map((tool) => tool.name),
      ['do_it'],
    );
    assert.equal((await catalog.get('org.example/server-001')).remoteUrl, 'https://old.example/mcp');
    await assert.rejects(catalog.get('org.example/server-002'), { kind: 'server_gone' });
    assert.deepEqual((await catalog.get('org.example/server-003')).tools, []);
  });

  suite('bad entries are reported and skipped, older versions left out, and the rest is taken', async (t) => {
    const wild = [
      entry('org.example/good'),
      entry(''),
      entry('org.example/no-url', { remotes: [{ type: 'sse', url: 'not a url' }] }),
      entry('org.example/odd', { remotes: 'none' }),
      entry('org.example/good', { version: '0.9.0', description: 'older' }, { isLatest: false }),
      { server: null } as unknown as RegistryEntry,
      null as unknown as RegistryEntry,
    ].filter((each) => each !== null);
    const { catalog } = await setUp(t, engine, { entries: wild, old: true });
    const report = await catalog.syncOnce(forever);
    assert.equal(report.added, 1);
    assert.equal(report.skipped, 4);
    assert.deepEqual(
      report.problems.map(({ id, reason }) => `${id}: ${reason}`),
      [
        ': server.name: expected 1 to 200 printable characters',
        'org.example/no-url: remotes.url: expected an http(s) URL of at most 2048 characters',
        'org.example/odd: server: expected remotes, packages, headers and arguments as arrays',
        ': id: expected 1 to 200 printable characters',
      ],
    );
    assert.equal((await catalog.get('org.example/good')).description, 'About org.example/good');
  });

  suite('a registry of the older kind is read too: /v0, next_cursor, snake_case', async (t) => {
    const old = Array.from({ length: 25 }, (_, i) => ({
      server: {
        name: `io.github.someone/old-${i}`,
        description: 'old',
        status: i === 7 ? 'deleted' : 'active',
        version: '1.0.0',
        packages: [
          {
            registry_type: 'npm',
            identifier: 'old-server',
            version: '1.0.0',
            runtime_hint: 'npx',
            environment_variables: [{ name: 'OLD_KEY', is_secret: true }],
          },
        ],
      },
      _meta: { [officialMeta]: { published_at: '2025-07-01T00:00:00Z', is_latest: i !== 8 } },
    }));
    const { catalog, registry } = await setUp(t, engine, {
      entries: old,
      pageSize: 10,
      paths: ['/v0/servers'],
      old: true,
    });
    const report = await catalog.syncOnce(forever);
    assert.equal(report.added, 23);
    assert.deepEqual(
      registry.requests.map((url) => url.pathname),
      ['/v0.1/servers', ...Array(3).fill('/v0/servers')],
    );
    const server = await catalog.get('io.github.someone/old-0');
    assert.equal(server.transport, 'stdio');
    assert.deepEqual(server.launch, {
      registryType: 'npm',
      identifier: 'old-server',
      version: '1.0.0',
      runtimeHint: 'npx',
      args: [],
      env: ['OLD_KEY'],
    });
  });

  suite('a registry that hands out the same cursor again is not read for ever', async (t) => {
    const { catalog, registry } = await setUp(t, engine, { entries: entries(50), pageSize: 10 });
    registry.fault = (page) => (page === 3 ? 'same cursor' : undefined);
    assert.match((await brokenSync(catalog)).detail, /loop/);
    assert.ok(registry.requests.length <= 4);
    registry.fault = () => undefined;
    assert.equal((await catalog.syncOnce(forever)).resumed, false);
    assert.equal((await catalog.stats()).servers, 50);
  });

  suite('a cursor that the registry forgot means starting over, not being stuck', async (t) => {
    const { catalog, registry } = await setUp(t, engine, { entries: entries(30), pageSize: 10 });
    registry.fault = (page) => (page === 2 ? { status: 500 } : undefined);
    await brokenSync(catalog);
    registry.fault = (page) => (page === 2 ? { status: 400 } : undefined);
    await brokenSync(catalog);
    registry.fault = () => undefined;
    assert.equal((await catalog.syncOnce(forever)).resumed, false);
    assert.equal((await catalog.stats()).servers, 30);
  });

  const dump = sharedFile('catalogs/official-2025-12-18/servers.json');
  test(`${engine.name}: the real registry of 2025-12-18 is read whole, through failures on every third page`, {
    skip: engine.skip || dump.skip,
  }, async (t) => {
    const all = JSON.parse(readFileSync(dump.file, 'utf8').replace(/^\ufeff/, '')) as RegistryEntry[];
    const { catalog, registry } = await setUp(t, engine, { entries: all });
    const failed = new Set<number>();
    registry.fault = (page) => {
      if (page % 3 !== 0 || failed.has(page)) return undefined;
      failed.add(page);
      return page % 2 === 0 ? 'cut' : { status: 502 };
    };
    for (let i = 0; i < failed.size + 1; i += 1) await catalog.syncOnce(forever).catch(() => undefined);
    assert.deepEqual(await catalog.stats(), { servers: 1_108, tools: 0, removed: 0 });
    assert.equal(failed.size, 4);
    const notion = await catalog.get('com.notion/mcp');
    assert.equal(notion.remoteUrl, 'https://mcp.notion.com/mcp');
    assert.equal(notion.verified, true);
    assert.equal((await catalog.get('io.github.github/github-mcp-server')).verified, false);
    const again = await catalog.syncOnce(forever);
    assert.deepEqual([again.added, again.updated, again.removed], [0, 0, 0]);
  });
}
