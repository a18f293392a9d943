import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bootApp, type TestApp } from '../support/app.ts';
import { connectUser, type Idp, providerSettings, startIdp } from '../support/oidc.ts';
import { startWorkers } from '../support/refresh-processes.ts';
import { type Engine, engines } from '../support/stores.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The provider has done the first refresh, and has not answered yet. */
async function firstRefresh({ counts }: Idp): Promise<void> {
  while (counts.refreshes === 0) await pause(5);
}

type Stage = {
  readonly idp: Idp;
  readonly app: TestApp;
  readonly env: Record<string, string>;
  readonly owner: { readonly developerId: string; readonly userId: string };
};

/** A user whose access token is over, and the settings of other processes on the same store. */
async function stage(t: TestContext, engine: Engine): Promise<Stage> {
  const idp = await startIdp(t);
  const env = {
    ...(await engine.environment(t)),
    ...providerSettings(t, { idp: idp.row() }, idp),
    MCPRANK_SYNC: 'off',
  };
  const app = await bootApp(t, env);
  await connectUser(app, { userId: 'u1', provider: 'idp' });
  const [connection] = await app.services.connections.admin.list({ limit: 1 });
  assert.ok(connection !== undefined);
  await expire(app);
  return { idp, app, env, owner: { developerId: connection.developerId, userId: 'u1' } };
}

async function expire(app: TestApp): Promise<void> {
  await app.services.storage
    .tables<{ connections: { issued_at: number } }>()
    .updateTable('connections')
    .set((e) => ({ issued_at: e('issued_at', '-', 7_200_000) }))
    .execute();
}

const distinct = (values: readonly unknown[]) => [...new Set(values)];

for (const engine of engines) {
  const { skip } = engine;

  test(`J1 ${engine.name}: three processes with twenty calls each on one expired token make one token request, and all succeed`, {
    skip,
  }, async (t) => {
    const { idp, env, owner, app } = await stage(t, engine);
    const workers = await startWorkers(t, 3, env);
    for (const round of [1, 2]) {
      const results = (
        await Promise.all(
          workers.map((worker) => worker.ask({ request: { owner, provider: 'idp' }, times: 20 })),
        )
      ).flat();
      assert.equal(results.length, 60);
      assert.deepEqual(distinct(results.map(({ problem }) => problem)), [undefined]);
      assert.deepEqual(distinct(results.map(({ version }) => version)), [round + 1]);
      assert.equal(distinct(results.map(({ accessToken }) => accessToken)).length, 1);
      assert.equal(idp.counts.refreshes, round, 'requests at the token endpoint');
      assert.equal((await idp.introspect(String(results[0]?.accessToken))).active, true);
      await expire(app);
      // What a process holds in memory goes by what it read: a notice, as every change of a row brings one, drops it.
      const [connection] = await app.services.connections.admin.list({ limit: 1 });
      await app.services.storage.write((_trx, notify) => notify('connections', connection?.id ?? ''));
      await pause(1_000);
    }
  });

  test(`J2 ${engine.name}: a provider slower than the lease is still asked once`, { skip }, async (t) => {
    const { idp, env, owner } = await stage(t, engine);
    const workers = await startWorkers(t, 3, env, 300);
    idp.conduct.delayMs = 1_500;
    const results = (
      await Promise.all(
        workers.map((worker) => worker.ask({ request: { owner, provider: 'idp' }, times: 3 })),
      )
    ).flat();
    assert.deepEqual(distinct(results.map(({ version }) => version)), [2]);
    assert.equal(idp.counts.refreshes, 1);
  });

  for (const rotate of [false, true])
    test(`J3 ${engine.name}: a process killed in mid-refresh is followed by the next (${rotate ? 'rotating: the user connects again' : 'not rotating: the token is renewed'})`, {
      skip,
    }, async (t) => {
      const { idp, env, owner } = await stage(t, engine);
      idp.conduct.rotate = rotate;
      const [first, second] = await startWorkers(t, 2, env, 600);
      assert.ok(first !== undefined && second !== undefined);
      idp.conduct.delayMs = 500;
      first.ask({ request: { owner, provider: 'idp' }, times: 1 }).catch(() => undefined);
      await firstRefresh(idp);
      first.signal('SIGKILL');
      const waiting = second.ask({ request: { owner, provider: 'idp' }, times: 3 });
      const results = await waiting;
      assert.equal(idp.counts.refreshes, 2);
      if (rotate) assert.deepEqual(distinct(results.map(({ problem }) => problem)), ['token_expired']);
      else assert.deepEqual(distinct(results.map(({ version }) => version)), [2]);
    });

  test(`J4 ${engine.name}: a holder that slept through its lease stores nothing over the tokens of the next`, {
    skip,
  }, async (t) => {
    const { idp, env, owner, app } = await stage(t, engine);
    idp.conduct.rotate = false;
    const [sleeper, next] = await startWorkers(t, 2, env, 600);
    assert.ok(sleeper !== undefined && next !== undefined);
    idp.conduct.delayMs = 400;
    const slept = sleeper.ask({ request: { owner, provider: 'idp' }, times: 1 });
    await firstRefresh(idp);
    sleeper.signal('SIGSTOP');
    const [taken] = await next.ask({ request: { owner, provider: 'idp' }, times: 1 });
    assert.equal(taken?.version, 2);
    sleeper.signal('SIGCONT');
    const [woken] = await slept;
    assert.deepEqual(woken, taken);
    const kept = await app.services.connections.tokens.fresh({ owner, provider: 'idp' });
    assert.equal(kept.accessToken, taken?.accessToken);
    assert.equal(idp.counts.refreshes, 2);
  });

  test(`J4 ${engine.name}: a holder that slept through its lease does not undo what came after, and its newer tokens are not lost`, {
    skip,
  }, async (t) => {
    const { idp, app, env, owner } = await stage(t, engine);
    const [sleeper, next] = await startWorkers(t, 2, env, 600);
    assert.ok(sleeper !== undefined && next !== undefined);
    idp.conduct.delayMs = 400;
    const slept = sleeper.ask({ request: { owner, provider: 'idp' }, times: 1 });
    await firstRefresh(idp);
    sleeper.signal('SIGSTOP');
    // The provider rotates for the sleeper; the next one brings the old token, and the provider ends the grant.
    const [taken] = await next.ask({ request: { owner, provider: 'idp' }, times: 1 });
    assert.equal(taken?.problem, 'token_expired');
    sleeper.signal('SIGCONT');
    const [woken] = await slept;
    assert.equal(woken?.version, 2);
    const [connection] = await app.services.connections.admin.list({ limit: 1 });
    assert.equal(connection?.status, 'active', 'the last successful issue wins');
    assert.equal(idp.counts.refreshes, 2);
  });
}
