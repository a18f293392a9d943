import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { root } from '../support/paths.ts';
import { engines, openTestStore, testVault } from '../support/stores.ts';

const file = join(root, 'starter/catalogue.jsonl');
type Row = {
  id: string;
  name: string;
  description: string;
  remote_url?: string;
  launch?: unknown;
  category: string;
  tags: string[];
  tools: { name: string; description: string; inputSchema: Record<string, unknown> }[];
};
const rows = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Row);

for (const engine of engines) {
  test(`${engine.name}: every line of the starter is loaded as it stands, without a note`, {
    skip: engine.skip,
  }, async (t) => {
    const catalog = createCatalog({
      storage: await openTestStore(t, engine),
      vault: testVault,
      clock: systemClock,
      outbound: { request: () => assert.fail('nothing here goes out') },
      config: { registryUrl: 'https://registry.example', starterFile: file },
      log: createTelemetry({ level: 'silent' }).log,
    });
    for (const row of rows) {
      const parsed = catalog.parse(row);
      assert.ok(parsed.ok, `${row.id}: ${JSON.stringify(parsed)}`);
      assert.deepEqual(parsed.notes, [], row.id);
      assert.deepEqual(
        [parsed.input.description, parsed.input.remoteUrl],
        [row.description, row.remote_url ?? null],
        'nothing in it looks like a secret',
      );
    }
    const report = await catalog.loadStarter();
    assert.deepEqual([report?.added, report?.skipped, report?.noted], [rows.length, 0, 0]);
  });
}

test('the starter holds about a hundred remote servers and the reference servers, described and tagged', () => {
  assert.ok(rows.filter((row) => row.remote_url !== undefined).length >= 100);
  assert.ok(rows.reduce((sum, row) => sum + row.tools.length, 0) >= 600);
  for (const id of ['everything', 'filesystem', 'memory', 'sequential-thinking']) {
    assert.ok(
      rows.some((row) => row.id === `@modelcontextprotocol/server-${id}` && row.tools.length > 0),
      id,
    );
  }
  for (const id of ['fetch', 'git', 'time'])
    assert.ok(
      rows.some((row) => row.id === `mcp-server-${id}`),
      id,
    );
  for (const row of rows) {
    assert.ok(row.remote_url !== undefined || row.launch !== undefined, `${row.id} can be reached`);
    assert.ok(row.description.length >= 20 && row.tags.length >= 2 && row.category !== '', row.id);
    for (const tool of row.tools) assert.ok(tool.description.length >= 8, `${row.id} ${tool.name}`);
  }
  assert.equal(new Set(rows.map((row) => row.id)).size, rows.length);
});

test('whoever wants to send emails and manage a calendar finds servers and tools for both', () => {
  const saying = (pattern: RegExp) =>
    rows.filter((row) =>
      row.tools.some((tool) => pattern.test(`${row.tags} ${tool.description}`.toLowerCase())),
    );
  assert.ok(saying(/send (an )?email|send a draft/).length >= 6);
  assert.ok(saying(/(calendar|appointment|event).*(create|schedule|put|book)/).length >= 4);
  assert.ok(
    rows.some((row) =>
      ['send_email', 'create_event'].every((name) => row.tools.some((tool) => tool.name === name)),
    ),
  );
});
