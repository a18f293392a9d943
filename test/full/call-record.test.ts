import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { temporaryFolder } from '../support/app.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { ask, type Replica, startReplicas } from '../support/replicas.ts';
import { engines } from '../support/stores.ts';

const kills = 8;
const callers = 8;

for (const engine of engines)
  test(`${engine.name}: killed with -9 in the middle of calls, ${kills} times over, every call that was answered is in the record`, {
    skip: engine.skip,
    timeout: 300_000,
  }, async (t) => {
    const upstream = await startRaw(t, ({ body }, reply) => {
      const result = {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        content: [],
      };
      sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result });
    });
    const env = {
      MCPRANK_DATA_DIR: temporaryFolder(t),
      ...(await engine.environment(t)),
      MCPRANK_STARTER: 'off',
      MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
      MCPRANK_TIERS: 'free=1,enterprise=100000000',
    };
    const start = async () => (await startReplicas(t, 1, env))[0] as Replica;
    let replica = await start();
    const server = { id: 's', name: 's', remote_url: upstream.url, tools: [{ name: 'x' }] };
    await ask(replica.url, 'POST', '/v1/admin/servers', { body: server });

    /** The digests of the arguments of calls that were answered. */
    const answered: string[] = [];
    let made = 0;
    for (let round = 0; round < kills; round++) {
      const before = answered.length;
      const { url } = replica;
      const callOn = async () => {
        for (;;) {
          const args = { number: ++made };
          const body = { server_id: 's', name: 'x', arguments: args };
          const reply = await ask(url, 'POST', '/v1/mcp/tools/call', { body }).catch(() => null);
          // The connection died with the process: nothing was answered.
          if (reply === null) return;
          if (reply.status === 503) continue;
          assert.equal(reply.status, 200);
          answered.push(createHash('sha256').update(JSON.stringify(args)).digest('hex'));
        }
      };
      const calling = Promise.all(Array.from({ length: callers }, callOn));
      while (answered.length === before) await delay(5);
      // The record is written to the store every fifth of a second: at no moment of it may a call be lost.
      await delay(round * 37);
      replica.child.kill('SIGKILL');
      await once(replica.child, 'exit');
      await calling;
      replica = await start();
    }

    const kept = new Set<unknown>();
    let cursor = '';
    do {
      const page = await ask(replica.url, 'GET', `/v1/admin/calls?limit=5000${cursor}`);
      for (const { arguments_digest } of page.body.calls as { arguments_digest: string }[])
        kept.add(arguments_digest);
      cursor = page.body.next_cursor === undefined ? '' : `&cursor=${String(page.body.next_cursor)}`;
    } while (cursor !== '');
    t.diagnostic(`${answered.length} answered over ${kills} kills, ${kept.size} in the record`);
    assert.deepEqual(
      answered.filter((digest) => !kept.has(digest)),
      [],
    );
  });
