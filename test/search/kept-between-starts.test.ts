import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootApp } from '../support/app.ts';
import { engines } from '../support/stores.ts';

for (const engine of engines) {
  test(`${engine.name}: the second start answers from the index that the first one kept`, {
    skip: engine.skip,
  }, async (t) => {
    const env = { ...(await engine.environment(t)), MCPRANK_STARTER: 'on' };
    const ask = async (app: Awaited<ReturnType<typeof bootApp>>) => {
      await app.services.search.settled();
      const { body } = await app.call('POST', '/v1/search', { body: { query: 'send an e-mail' } });
      return body.servers as unknown[];
    };
    const first = await bootApp(t, env);
    const found = await ask(first);
    assert.ok(found.length > 0);
    await first.close();
    const path = join(first.dataDir, 'search-index.bin');
    assert.ok(existsSync(path));
    const { mtimeMs } = statSync(path);
    const second = await bootApp(t, { ...env, MCPRANK_DATA_DIR: first.dataDir });
    assert.deepEqual(await ask(second), found);
    await second.close();
    assert.equal(statSync(path).mtimeMs, mtimeMs, 'nothing was built that would have to be kept');
    assert.ok(!second.lines.some((line) => line.includes('search.index.')), second.lines.join(''));
  });
}
