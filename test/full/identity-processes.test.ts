import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { adminKey, bootApp, handClock } from '../support/app.ts';
import { freePort } from '../support/free-port.ts';
import { root } from '../support/paths.ts';
import { engines } from '../support/stores.ts';

/** The same for all: what one sealed another must open. */
const vaultKeys = `test:${Buffer.alloc(32, 7).toString('base64')}`;

type TokenSet = { access_token: string; refresh_token: string };

/** A server of its own process, stopped with the test. */
async function startServer(t: TestContext, env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'bin/mcprank.js'), 'serve'], {
    env: { ...env, PATH: process.env.PATH ?? '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  let out = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    out += text;
    // With MCPRANK_PUBLIC_URL the line names that one: the port was chosen by us.
    if (out.includes('listening on')) return `http://127.0.0.1:${env.MCPRANK_PORT}`;
  }
  throw new Error(`the server did not start: ${out}`);
}

async function post(url: string, path: string, body: object) {
  const reply = await fetch(`${url}/v1/identity/${path}`, {
    method: 'POST',
    headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: reply.status, body: (await reply.json()) as TokenSet & Record<string, unknown> };
}

for (const engine of engines) {
  test(`${engine.name}: I5 fifty refreshes at once over three processes get one and the same successor`, {
    skip: engine.skip,
  }, async (t) => {
    const env = {
      ...(await engine.environment(t)),
      MCPRANK_STARTER: 'off',
      MCPRANK_SYNC: 'off',
      MCPRANK_LOG: 'error',
      MCPRANK_ADMIN_KEY: adminKey,
      MCPRANK_PUBLIC_URL: 'http://rank.test',
    };
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const urls = await Promise.all(
      ports.map((port) => startServer(t, { ...env, MCPRANK_PORT: String(port) })),
    );
    const [first = '', second = ''] = urls;
    let { refresh_token } = (await post(first, 'token', { user_id: 'ann' })).body;
    for (let round = 0; round < 3; round++) {
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, i) => post(urls[i % 3] ?? '', 'refresh', { refresh_token })),
      );
      assert.deepEqual(
        replies.map(({ status }) => status),
        Array(50).fill(200),
        JSON.stringify(replies.find(({ status }) => status !== 200)),
      );
      const successors = new Set(replies.map(({ body }) => body.refresh_token));
      assert.equal(successors.size, 1);
      [refresh_token = ''] = [...successors];
    }
    const trail = await fetch(`${first}/v1/admin/audit?user=ann`, { headers: { 'x-api-key': adminKey } });
    const { entries } = (await trail.json()) as {
      entries: { action: string; facts: { generation?: number } }[];
    };
    assert.deepEqual(
      entries.filter(({ action }) => action === 'token.refresh').map(({ facts }) => facts.generation),
      [4, 3, 2],
      'one generation a round',
    );

    // I7: a revocation among refreshes: whoever came first, nothing works afterwards.
    const racing = await Promise.all([
      ...Array.from({ length: 10 }, (_, i) => post(urls[i % 3] ?? '', 'refresh', { refresh_token })),
      post(second, 'revoke', { user_id: 'ann' }),
      ...Array.from({ length: 10 }, (_, i) => post(urls[i % 3] ?? '', 'refresh', { refresh_token })),
    ]);
    for (const { status } of racing) assert.ok([200, 400].includes(status), `status ${status}`);
    for (const { body } of racing.filter(({ body }) => body.refresh_token !== undefined))
      for (const url of urls)
        assert.equal((await post(url, 'refresh', { refresh_token: body.refresh_token })).status, 400);
  });
}

test('I3 a refresh token that comes again to a replica whose clock is minutes ahead has the same successor', {
  skip: engines[1]?.skip,
}, async (t) => {
  const env = { ...(await engines[1]?.environment(t)), MCPRANK_VAULT_KEYS: vaultKeys };
  const [behind, ahead] = [
    await bootApp(t, env, { clock: handClock(Date.now()) }),
    await bootApp(t, env, { clock: handClock(Date.now() + 300_000) }),
  ];
  const issued = await behind.call('POST', '/v1/identity/token', { body: { user_id: 'ann' } });
  const body = { refresh_token: issued.body.refresh_token };
  const replies = [];
  for (const app of [behind, ahead, behind])
    replies.push(await app.call('POST', '/v1/identity/refresh', { body }));
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.equal(new Set(replies.map(({ body: { refresh_token } }) => refresh_token)).size, 1);
});
