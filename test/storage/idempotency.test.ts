import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { Problem } from '../../src/base/problem.ts';
import { createIdempotency, openStorage } from '../../src/storage/storage.ts';
import { bootApp, handClock, temporaryFolder } from '../support/app.ts';
import { mitOf, startLoopback } from '../support/mcp-oauth.ts';

import { startPlainProvider } from '../support/plain-provider.ts';
import { engines, openTestStore } from '../support/stores.ts';

/** A server whose tool counts its runs, and answers when it is let. */
async function startCounter(t: TestContext) {
  const counter = { runs: 0, status: 200, held: null as Promise<void> | null, url: '' };
  const server = await startLoopback(t, ({ body }, response) => {
    const { id, method } = JSON.parse(body) as { id: number; method: string };
    if (method === 'tools/call') counter.runs++;
    const content = [{ type: 'text', text: `run ${counter.runs}` }];
    const result = {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      ...(method === 'tools/call' ? { content, isError: false, structuredContent: { n: 1 } } : {}),
    };
    const answer = JSON.stringify({ jsonrpc: '2.0', id, result }).replace('"n":1', '"n":9007199254740993');
    const send = () => {
      response.writeHead(counter.status, { 'content-type': 'application/json' });
      response.end(answer);
    };
    if (method === 'tools/call' && counter.held !== null) void counter.held.then(send);
    else send();
    return 'handled';
  });
  counter.url = `${server.url}/mcp`;
  return counter;
}

for (const engine of engines) {
  const named = (what: string, act: (t: TestContext, env: Record<string, string>) => Promise<void>) =>
    test(`${engine.name}: 18.5 ${what}`, { skip: engine.skip }, async (t) => {
      const env = await engine.environment(t);
      await act(t, {
        MCPRANK_STARTER: 'off',
        MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
        MCPRANK_DATA_DIR: temporaryFolder(t),
        ...env,
      });
    });
  const boot = async (
    t: TestContext,
    env: Record<string, string>,
    url: string,
    clock = handClock(Date.now()),
  ) => {
    const app = await bootApp(t, env, { clock });
    await app.call('POST', '/v1/admin/servers', {
      body: { id: 'it', name: 'it', description: 'it', remote_url: url, tools: [] },
    });
    const call = (key: string, n = 1, apiKey?: string) =>
      app.call('POST', '/v1/mcp/tools/call', {
        body: { server_id: 'it', name: 'count', arguments: { n } },
        headers: { 'idempotency-key': key },
        ...(apiKey === undefined ? {} : { key: apiKey }),
      });
    return { app, call, clock };
  };

  named(
    'a key is good after a restart: the answer is the same to the byte, and nothing runs again',
    async (t, env) => {
      const counter = await startCounter(t);
      const first = await boot(t, env, counter.url);
      const before = await first.call('order');
      assert.match(before.text, /run 1.*9007199254740993/);
      await first.app.close();
      const second = await boot(t, env, counter.url, first.clock);
      const after = await second.call('order');
      assert.deepEqual([after.status, after.text], [before.status, before.text]);
      assert.equal(counter.runs, 1);
      assert.equal((await second.call('order', 2)).status, 409);
      second.clock.advance(3_600_001);
      assert.match((await second.call('order')).text, /run 1/, 'a clock may be put forward by an hour');
      second.clock.advance(3_600_000);
      assert.match((await second.call('order')).text, /run 2/);
    },
  );

  named(
    'two processes on one store run a key once, and who comes second waits for the first',
    async (t, env) => {
      const counter = await startCounter(t);
      const one = await boot(t, env, counter.url);
      const two = await boot(t, env, counter.url, one.clock);
      const { promise, resolve } = Promise.withResolvers<void>();
      counter.held = promise;
      const answers = [one.call('k'), two.call('k'), one.call('k'), two.call('k')];
      while (counter.runs === 0) await new Promise((next) => setTimeout(next, 5));
      await new Promise((next) => setTimeout(next, 200));
      resolve();
      const texts = (await Promise.all(answers)).map(({ text }) => text);
      assert.equal(new Set(texts).size, 1, texts.join('\n'));
      assert.equal(counter.runs, 1);
    },
  );

  named(
    'a call whose process died is never run again: its caller is told that nobody knows',
    async (t, env) => {
      const counter = await startCounter(t);
      const { app, call, clock } = await boot(t, env, counter.url);
      await call('cut');
      type Rows = {
        idempotency: { holder: string | null; outcome_sealed: string | null; lease_until: number };
      };
      await app.services.storage
        .tables<Rows>()
        .updateTable('idempotency')
        .set({ holder: 'own_dead', outcome_sealed: null, lease_until: clock.now() - 1 })
        .execute();
      const reply = await call('cut');
      assert.deepEqual([reply.status, counter.runs], [409, 1]);
      assert.match(String(reply.body.detail), /nobody knows whether it ran/);
    },
  );

  named(
    'a failure that may have run is kept over a restart; one that ran nothing frees its key',
    async (t, env) => {
      const counter = await startCounter(t);
      counter.status = 500;
      const first = await boot(t, env, counter.url);
      const failed = await first.call('k');
      assert.equal(failed.status, 502);
      await first.app.close();
      counter.status = 200;
      const second = await boot(t, env, counter.url, first.clock);
      const again = await second.call('k');
      assert.deepEqual([again.status, again.text], [failed.status, failed.text]);
    },
  );

  named(
    'a full table refuses new keys of that developer with 503; known ones and other developers go on',
    async (t, env) => {
      const clock = handClock(Date.now());
      const storage = await openStorage({ databaseUrl: null, dataDir: String(env.MCPRANK_DATA_DIR) }, clock);
      const idempotency = createIdempotency({
        storage,
        seal: (text) => text,
        open: (text) => text,
        clock,
        onError: () => undefined,
        limits: { keys: 3, bytes: 10_000 },
      });
      t.after(async () => {
        idempotency.close();
        await storage.close();
      });
      let runs = 0;
      const once = idempotency.of<string>({
        name: 'test',
        encode: (answer) => answer,
        decode: (text) => text,
        encodeError: () => null,
        decodeError: (text) => text,
      });
      const call = (developerId: string, key: string, answer = 'done') =>
        once({ developerId, key, body: null }, async () => {
          runs++;
          return answer;
        });
      const isFull = (error: unknown) =>
        error instanceof Problem && error.kind === 'unavailable' && (error.retryAfterMs ?? 0) > 0;
      for (const key of ['1', '2', '3']) await call('loud', key);
      await assert.rejects(call('loud', '4'), isFull);
      assert.equal(await call('loud', '1'), 'done');
      assert.equal(await call('other', '4'), 'done');
      assert.equal(runs, 4);
      clock.advance(2_000);
      await assert.rejects(call('loud', '5'), isFull, 'by the store, too');
      // Bytes likewise.
      await call('wide', '1', 'x'.repeat(20_000));
      clock.advance(2_000);
      await assert.rejects(call('wide', '2'), isFull);
      assert.equal((await call('wide', '1')).length, 20_000);
      // Room comes with time.
      clock.advance(2 * 3_600_000);
      await idempotency.prune();
      assert.equal(await call('loud', '4'), 'done');
    },
  );

  named(
    'an outcome that the store did not take makes nobody wait for ever, however busy the process is',
    async (t) => {
      const storage = await openTestStore(t, engine);
      let isBroken = false;
      const idempotency = createIdempotency({
        storage,
        seal(text) {
          if (isBroken) throw new Error('away');
          return text;
        },
        open: (text) => text,
        clock: systemClock,
        onError: () => undefined,
        limits: { leaseMs: 300 },
      });
      t.after(() => idempotency.close());
      const once = idempotency.of<string>({
        name: 'test',
        encode: (answer) => answer,
        decode: (text) => text,
        encodeError: () => null,
        decodeError: (text) => text,
      });
      const busy = Promise.withResolvers<string>();
      const other = once({ developerId: 'dev', key: 'busy', body: null }, () => busy.promise);
      isBroken = true;
      assert.equal(await once({ developerId: 'dev', key: 'cut', body: null }, async () => 'done'), 'done');
      isBroken = false;
      const again = once({ developerId: 'dev', key: 'cut', body: null }, () => assert.fail('ran again'));
      await assert.rejects(again, { kind: 'conflict' });
      busy.resolve('done');
      assert.equal(await other, 'done');
    },
  );

  named('one developer’s thousands of keys make nobody forget theirs', async (t, env) => {
    const counter = await startCounter(t);
    const { app, call, clock } = await boot(t, env, counter.url);
    const other = await app.newKey();
    await call('mine');
    const rows = Array.from({ length: 6_000 }, (_, i) => ({
      id: `flood-${i}`,
      developer_id: 'dev_flood',
      digest: '',
      lease_until: 0,
      size_bytes: 10,
      expires_at: clock.now() + 3_600_000,
    }));
    for (let i = 0; i < rows.length; i += 500)
      await app.services.storage
        .tables<{ idempotency: (typeof rows)[number] }>()
        .insertInto('idempotency')
        .values(rows.slice(i, i + 500))
        .execute();
    await call('theirs', 1, other);
    assert.match((await call('mine')).text, /run 1/);
    assert.match((await call('theirs', 1, other)).text, /run 2/);
    assert.equal(counter.runs, 2);
  });
}

test('18.5 the OAuth proxy likewise: after a restart, to the byte; and nothing of it stands in the store in clear, or outlives its user', async (t) => {
  const folder = temporaryFolder(t);
  const plain = await startPlainProvider(t, {}, {}, { MCPRANK_DATA_DIR: folder });
  await plain.connect('ann');
  let runs = 0;
  plain.onApi = () => ({
    status: 201,
    headers: { 'content-type': 'application/octet-stream', 'x-of-the-api': 'yes' },
    body: `a private letter, number ${++runs}`,
  });
  const post = async (app: typeof plain.app) =>
    app.call('POST', '/v1/proxy/plain/api/send', {
      body: { to: 'bob' },
      headers: { ...(await mitOf(app, 'ann')), 'idempotency-key': 'letter' },
    });
  const first = await post(plain.app);
  assert.deepEqual([first.status, first.text], [201, 'a private letter, number 1']);
  const rows = () =>
    plain.app.services.storage
      .tables<{ idempotency: { user_id: string; outcome_sealed: string } }>()
      .selectFrom('idempotency')
      .selectAll()
      .execute();
  const [row] = await rows();
  assert.equal(row?.user_id, 'ann');
  assert.ok(!String(row?.outcome_sealed).includes('private'));
  const again = await post(plain.app);
  assert.deepEqual(
    [again.status, again.text, again.headers.get('x-of-the-api'), runs],
    [201, first.text, 'yes', 1],
  );
  const gone = await plain.app.call('DELETE', '/v1/identity/users/ann');
  assert.equal(gone.status, 200, gone.text);
  assert.deepEqual(await rows(), []);
});
