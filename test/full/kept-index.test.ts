import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import { temporaryFolder } from '../support/app.ts';
import { ask, type Replica, startReplicas } from '../support/replicas.ts';
import { engines } from '../support/stores.ts';

const [, postgres] = engines;
const rounds = 6;

test('a replica that starts in an empty folder takes the index that another one built', {
  skip: postgres?.skip ?? true,
}, async (t) => {
  const { DATABASE_URL = '' } = (await postgres?.environment(t)) ?? {};
  const folders = [temporaryFolder(t), temporaryFolder(t)] as const;
  const start = (folder: string) => startReplicas(t, 1, { DATABASE_URL, MCPRANK_DATA_DIR: folder });
  await start(folders[0]);
  const db = new pg.Client(DATABASE_URL);
  await db.connect();
  t.after(() => db.end());
  const isShared = async () => (await db.query('select 1 from shared_files')).rowCount === 1;
  while (!(await isShared())) await delay(200);
  const [second] = await start(folders[1]);
  assert.ok(second);
  // What it had built itself it would keep ten seconds later.
  assert.ok(readdirSync(folders[1]).includes('search-index.bin'));
  const found = await ask(second.url, 'POST', '/v1/search', { body: { query: 'send an e-mail' } });
  assert.ok((found.body.servers as unknown[]).length > 0);
});

test('killed with -9 while it keeps its index, it starts right, and answers as before', async (t) => {
  const folder = temporaryFolder(t);
  const start = async () => {
    const [replica] = await startReplicas(t, 1, { MCPRANK_DATA_DIR: folder });
    assert.ok(replica);
    while ((await fetch(`${replica.url}/readyz`)).status !== 200) await delay(10);
    return replica;
  };
  const search = async ({ url }: Replica) => {
    const { body } = await ask(url, 'POST', '/v1/search', { body: { query: 'send an e-mail' } });
    return (body.servers as { id: string }[]).map(({ id }) => id);
  };
  const isWriting = () => readdirSync(folder).some((name) => /^search-index\.bin\..*\.tmp$/.test(name));
  let caught = 0;
  let expected: string[] | undefined;
  for (let round = 0; round < rounds; round++) {
    const replica = await start();
    const found = await search(replica);
    expected ??= found;
    assert.ok(found.length > 0);
    assert.deepEqual(found, expected);
    // Something to keep anew.
    await ask(replica.url, 'POST', '/v1/admin/servers', {
      body: { id: `new/${round}`, name: 'x', remote_url: 'https://nobody.example/mcp', tools: [] },
    });
    const gone = once(replica.child, 'exit');
    replica.child.kill('SIGTERM');
    while (replica.child.exitCode === null && !isWriting()) await nextTurn();
    if (replica.child.exitCode === null) caught++;
    replica.child.kill('SIGKILL');
    await gone;
  }
  assert.ok(caught > 0, 'it was never at it');
  const last = await start();
  assert.deepEqual(await search(last), expected);
  assert.ok(!isWriting(), 'what was left over is gone');
});
