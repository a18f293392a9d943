import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../src/base/problem.ts';
import { bootApp, handClock } from '../support/app.ts';
import { engines, openTestStore } from '../support/stores.ts';

for (const engine of engines)
  test(`${engine.name}: how far long work is, is told in the store, and how it ended`, {
    skip: engine.skip,
  }, async (t) => {
    const clock = handClock();
    const { longWork } = await openTestStore(t, engine, clock);
    const gate = Promise.withResolvers<void>();
    const running = longWork.track('import', async (tell) => {
      tell({ done: 1, total: 10, unit: 'bytes' });
      await gate.promise;
      tell({ done: 9, total: 10, unit: 'bytes' });
      // Within the same second nobody is told, but at the end.
      tell({ done: 10, total: 10, unit: 'bytes' });
      return 'made';
    });
    for (let tries = 0; tries < 200 && (await longWork.list())[0]?.done !== 1; tries++);
    const [seen] = await longWork.list();
    assert.deepEqual([seen?.name, seen?.state, seen?.done, seen?.total], ['import', 'running', 1, 10]);
    clock.advance(200_000);
    assert.equal((await longWork.list())[0]?.state, 'broken_off');
    gate.resolve();
    assert.equal(await running, 'made');
    assert.deepEqual(
      (await longWork.list()).map(({ state, done }) => [state, done]),
      [['done', 10]],
    );
  });

for (const engine of engines)
  test(`${engine.name}: work that failed keeps why, in public words, until its next run`, {
    skip: engine.skip,
  }, async (t) => {
    const { longWork } = await openTestStore(t, engine, handClock());
    const failing = async (error: Error) => {
      const run = longWork.track('registry sync', async () => {
        throw error;
      });
      await assert.rejects(run, error);
      const [found] = await longWork.list();
      return found;
    };
    const away = await failing(new Problem('unavailable', 'The registry is away'));
    assert.deepEqual([away?.state, away?.reason], ['failed', 'The registry is away']);
    // What nobody foresaw may quote anything; it is for the log alone.
    const strange = await failing(new Error('near "sk_mcp_rank_00": syntax error'));
    assert.match(strange?.reason ?? '', /the log says more/);
    assert.doesNotMatch(strange?.reason ?? '', /sk_mcp/);
    const long = await failing(new Problem('unavailable', 'x'.repeat(100_000)));
    assert.equal(long?.reason?.length, 500);
    await longWork.track('registry sync', async () => undefined);
    assert.deepEqual(
      (await longWork.list()).map(({ state, reason }) => [state, reason]),
      [['done', null]],
    );
  });

test('work goes on where it cannot be told, and the operator reads what was told', async (t) => {
  const app = await bootApp(t);
  await app.services.storage.longWork.track('vault rotation', async (tell) => {
    tell({ done: 3, total: 3, unit: 'connections.access_sealed' });
  });
  const { body } = await app.call('GET', '/v1/admin/work');
  const [work] = body.work as Record<string, unknown>[];
  assert.deepEqual([work?.name, work?.state, work?.done], ['vault rotation', 'done', 3]);
  assert.equal(work?.reason, null);
  const away = new Problem('unavailable', 'The registry is away');
  await assert.rejects(
    app.services.storage.longWork.track('registry sync', () => Promise.reject(away)),
    away,
  );
  const told = (await app.call('GET', '/v1/admin/work')).body.work as Record<string, unknown>[];
  assert.equal(told.find(({ name }) => name === 'registry sync')?.reason, 'The registry is away');
  assert.equal((await app.call('GET', '/v1/admin/work', { key: await app.newKey() })).status, 403);
  const { longWork } = app.services.storage;
  await app.close();
  const made = longWork.track('import', async () => {
    await longWork.list().catch(() => undefined);
    return 'made all the same';
  });
  assert.equal(await made, 'made all the same');
});
