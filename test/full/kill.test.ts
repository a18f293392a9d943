import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { openServices } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';
import { root } from '../support/paths.ts';
import { engines } from '../support/stores.ts';

const kills = 30;
const writers = 8;

type Row = { id: string };

for (const engine of engines) {
  test(`${engine.name}: killed with -9 during writes, ${kills} times over, it loses no acknowledged row`, {
    skip: engine.skip,
    timeout: 300_000,
  }, async (t) => {
    const env: Record<string, string> = {
      MCPRANK_SYNC: 'off',
      MCPRANK_STARTER: 'off',
      MCPRANK_PORT: '0',
      MCPRANK_ADMIN_KEY: adminKey,
      MCPRANK_TIERS: 'free=1,enterprise=100000000',
      ...(await engine.environment(t)),
    };
    const folder = env.MCPRANK_DATA_DIR ?? temporaryFolder(t);
    const services = await openServices(parseConfig(env));
    await services.catalog.put(
      fixtureServers.map((server) => {
        const parsed = services.catalog.parse(server);
        assert.ok(parsed.ok);
        return parsed.input;
      }),
      'test',
    );
    await services.close();

    const acknowledged: string[] = [];
    for (let round = 0; round < kills; round++) {
      const child = spawn(process.execPath, [join(root, 'bin/mcprank.js'), 'serve'], {
        env: { ...env, MCPRANK_DATA_DIR: folder, PATH: process.env.PATH ?? '' },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let url = '';
      for await (const text of child.stdout.setEncoding('utf8')) {
        url = /listening on (http:\S+)/.exec(text)?.[1] ?? '';
        if (url !== '') break;
      }
      const before = acknowledged.length;
      const write = async () => {
        for (;;) {
          const reply = await recordOne(url).catch(() => null);
          // The connection died with the process: nothing was acknowledged.
          if (reply === null) return;
          // Busy with its start: nothing was acknowledged.
          if (reply.status === 503) continue;
          assert.equal(reply.status, 201);
          acknowledged.push(reply.id);
        }
      };
      const writing = Promise.all(Array.from({ length: writers }, write));
      while (acknowledged.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, round * 7));
      child.kill('SIGKILL');
      await once(child, 'exit');
      await writing;
    }

    const after = await openServices(parseConfig(env));
    t.after(() => after.close());
    const kept = new Set(
      (
        await after.storage.tables<{ invocations: Row }>().selectFrom('invocations').select('id').execute()
      ).map(({ id }) => id),
    );
    const lost = acknowledged.filter((id) => !kept.has(id));
    t.diagnostic(`${acknowledged.length} acknowledged over ${kills} kills, ${kept.size} kept`);
    assert.deepEqual(lost, []);
  });
}

async function recordOne(url: string): Promise<{ readonly status: number; readonly id: string }> {
  const reply = await fetch(`${url}/v1/invocations`, {
    method: 'POST',
    headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
    body: JSON.stringify({ server_id: 'bare', tool_name: 'x', success: true }),
  });
  const { invocation_id: id } = (await reply.json()) as { invocation_id: string };
  return { status: reply.status, id };
}
