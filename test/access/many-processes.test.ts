import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootApp } from '../support/app.ts';
import { until } from '../support/programs.ts';

type Diagnostics = { findings: { check: string; level: string; message: string }[] };

test('processes on one store that do not share their limits say so', async (t) => {
  const first = await bootApp(t);
  const limits = async () => {
    const { body } = await first.call('GET', '/v1/admin/settings');
    return (body as Diagnostics).findings.find(({ check }) => check === 'limits');
  };
  assert.deepEqual(await limits(), { check: 'limits', level: 'ok', message: 'counted by the one process' });
  const second = await bootApp(t, { MCPRANK_DATA_DIR: first.dataDir });
  const said = () => second.lines.filter((line) => line.includes('"access.limits.not_shared"'));
  await until('the line', () => said().length === 1);
  assert.match(said()[0] ?? '', /"level":"warn".*"processes":2/);
  assert.match(
    (await limits())?.message ?? '',
    /^2 processes serve from this store and each counts for itself/,
  );
  await second.close();
  assert.equal((await limits())?.level, 'ok');
});
