import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { adminKey } from '../support/app.ts';
import { startLoopback } from '../support/mcp-oauth.ts';
import { root } from '../support/paths.ts';
import { ask, type Replica, startReplicas } from '../support/replicas.ts';
import { engines } from '../support/stores.ts';

/**
 * Replies that are cut off by kill -9 between the store's commit and their first byte: who asks again after the restart is
 * told what was done, and it is done once.
 */
const killed = `--import ${join(root, 'test/support/kill-before-reply.ts')}`;

/** A service that dies before its n-th good reply at a path; without a path, one that lives. */
async function start(
  t: TestContext,
  env: Readonly<Record<string, string>>,
  death?: { readonly path: string; readonly count: number },
): Promise<Replica> {
  const dying = death && {
    NODE_OPTIONS: killed,
    KILL_PATH: death.path,
    KILL_COUNT: String(death.count),
  };
  const [replica] = await startReplicas(t, 1, { ...env, ...dying });
  return replica as Replica;
}

/** A POST; null when the connection broke. */
async function post(url: string, path: string, body: unknown, headers: Record<string, string> = {}) {
  try {
    const reply = await fetch(url + path, {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    const text = await reply.text();
    return { status: reply.status, text, body: JSON.parse(text) as Record<string, string> };
  } catch {
    return null;
  }
}

/** The deed and its repetition: cut off, and after the restart. */
async function cutOff(
  t: TestContext,
  env: Readonly<Record<string, string>>,
  path: string,
  act: (url: string) => ReturnType<typeof post>,
) {
  const dying = await start(t, env, { path, count: 1 });
  const gone = once(dying.child, 'exit');
  assert.equal(await act(dying.url), null, 'nothing was said');
  await gone;
  const alive = await start(t, env);
  return { alive, again: await act(alive.url) };
}

/** A server whose tool counts its runs. */
async function startCounter(t: TestContext) {
  let runs = 0;
  const { url } = await startLoopback(t, ({ body }) => {
    const { id, method } = JSON.parse(body) as { id: number; method: string };
    if (method === 'tools/call') runs++;
    const content = [{ type: 'text', text: `run ${runs}` }];
    const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], content, isError: false };
    return { body: { jsonrpc: '2.0', id, result } };
  });
  return { url: `${url}/mcp`, runs: () => runs };
}

const users = 8;
const cuts = 6;

for (const engine of engines) {
  const options = { skip: engine.skip, timeout: 300_000 };
  const environment = async (t: TestContext) => ({
    MCPRANK_STARTER: 'off',
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    ...(await engine.environment(t)),
  });
  const addServer = async (t: TestContext, env: Record<string, string>, url: string) => {
    const { url: base, child } = await start(t, env);
    await ask(base, 'POST', '/v1/admin/servers', {
      body: { id: 'it', name: 'it', description: 'it', remote_url: url, tools: [{ name: 'count' }] },
    });
    child.kill('SIGTERM');
    await once(child, 'exit');
  };

  test(
    `${engine.name}: refresh families cut by kill -9 between commit and reply, ${cuts} times over: every user goes on, each generation was made once`,
    options,
    async (t) => {
      const env = await environment(t);
      const tokens: string[][] = [];
      const first = await start(t, env);
      for (let i = 0; i < users; i++) {
        const issued = await post(first.url, '/v1/identity/token', { user_id: `user ${i}` });
        tokens.push([String(issued?.body.refresh_token)]);
      }
      first.child.kill('SIGKILL');
      const refresh = async (url: string, own: string[]): Promise<boolean> => {
        const reply = await post(url, '/v1/identity/refresh', { refresh_token: own.at(-1) });
        if (reply === null) return false;
        // A slow machine may refuse, and did nothing then.
        if (reply.status === 503) return delay(100).then(() => refresh(url, own));
        assert.equal(reply.status, 200, reply.text);
        own.push(String(reply.body.refresh_token));
        return true;
      };
      for (let cut = 0; cut < cuts; cut++) {
        const dying = await start(t, env, { path: '/v1/identity/refresh', count: 1 + cut * 3 });
        await Promise.all(
          tokens.map(async (own) => {
            while (await refresh(dying.url, own));
          }),
        );
      }
      const { url } = await start(t, env);
      for (const own of tokens) assert.ok(await refresh(url, own));
      for (const [i, own] of tokens.entries()) {
        const trail = await ask(url, 'GET', `/v1/admin/audit?user=user%20${i}&limit=100`);
        const entries = trail.body.entries as { action: string; facts: { generation?: number } }[];
        const generations = entries
          .filter(({ action }) => action === 'token.refresh')
          .map(({ facts }) => facts.generation);
        assert.deepEqual(
          generations,
          own
            .map((_, n) => n + 1)
            .slice(1)
            .reverse(),
          'one generation for each token that was told',
        );
        assert.equal(new Set(own).size, own.length);
      }
    },
  );

  test(
    `${engine.name}: an outcome, and a call under an Idempotency-Key, that were done and not answered: asked again they are told, and there is one of each`,
    options,
    async (t) => {
      const counter = await startCounter(t);
      const env = await environment(t);
      await addServer(t, env, counter.url);
      const outcome = { server_id: 'it', tool_name: 'count', success: true, idempotency_key: 'job-1' };
      const recorded = await cutOff(t, env, '/v1/invocations', (url) =>
        post(url, '/v1/invocations', outcome),
      );
      assert.equal(recorded.again?.status, 201, recorded.again?.text);
      const { invocation_id } = (await post(recorded.alive.url, '/v1/invocations', outcome))?.body ?? {};
      assert.equal(invocation_id, recorded.again?.body.invocation_id);
      recorded.alive.child.kill('SIGTERM');
      await once(recorded.alive.child, 'exit');

      const call = { server_id: 'it', name: 'count', arguments: {} };
      const called = await cutOff(t, env, '/v1/mcp/tools/call', (url) =>
        post(url, '/v1/mcp/tools/call', call, { 'idempotency-key': 'job-2' }),
      );
      assert.equal(called.again?.status, 200, called.again?.text);
      assert.match(called.again?.text ?? '', /run 1/);
      assert.equal(counter.runs(), 1);
    },
  );
}
