import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanJson } from '../base/json-scanner.ts';
import { Problem } from '../base/problem.ts';
import { UserTools, type UserToolsDeps } from './user-tools.ts';

type Listed = Awaited<ReturnType<UserToolsDeps['mcp']['listTools']>>;

function listed(...names: string[]): Listed {
  const view = scanJson(Buffer.from('{}'));
  const tools = names.map((name) => ({ view, name, description: name, inputSchema: undefined }));
  return { tools, upstreamMs: 1 };
}

function toolsOver(listTools: (caller: { account?: string | undefined }) => Promise<Listed>) {
  let now = 0;
  let connected = ['s'];
  let generation = 0;
  const record = { id: 's', remoteUrl: 'https://s.example/mcp', tools: [{ name: 'known' }] };
  const userTools = new UserTools({
    mcp: { listTools },
    catalogFor: () => ({ view: null, get: async () => record as never }),
    parse: (row) => ({ ok: true, notes: [], input: row as never }),
    connectedBy: async () => connected,
    generationOf: () => generation,
    readOwnTools: async (servers) => ({
      servers: servers.map((server) => ({ server, documents: {} as never, tools: [] })),
      bytes: 1,
    }),
    now: () => now,
    patienceMs: 20,
  });
  return {
    async ask(userId?: string, account?: string) {
      const caller = { developerId: 'acme', keyId: 'key', account, ...(userId !== undefined && { userId }) };
      const own = await userTools.of(caller);
      return own?.servers.flatMap(({ server }) => server.tools.map(({ name }) => name));
    },
    wait: (ms: number) => (now += ms),
    disconnect: () => (connected = []),
    connectAnew: () => generation++,
  };
}

test('who connected anew, as somebody else, is shown nothing of whom they were', async () => {
  let current = 'of_ann';
  const { ask, connectAnew } = toolsOver(async () => listed(current));
  assert.deepEqual(await ask('ann'), ['of_ann']);
  current = 'of_work';
  connectAnew();
  assert.deepEqual(await ask('ann'), ['of_work']);
});

test('a search waits for a slow server a moment only, and the next one has what it listed meanwhile', async () => {
  const { promise, resolve } = Promise.withResolvers<Listed>();
  const { ask } = toolsOver(() => promise);
  assert.equal(await ask('ann'), undefined);
  resolve(listed('known', 'more'));
  assert.deepEqual(await ask('ann'), ['known', 'more']);
});

test('what is older than ten minutes is shown once more while it is read again; who is disconnected has none', async () => {
  let current = ['more'];
  let reads = 0;
  const { ask, wait, disconnect } = toolsOver(async () => {
    reads++;
    return listed(...current);
  });
  assert.deepEqual(await ask('ann'), ['more']);
  current = ['newer'];
  assert.deepEqual([await ask('ann'), reads], [['more'], 1]);
  wait(600_000);
  assert.deepEqual(await ask('ann'), ['more']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([await ask('ann'), reads], [['newer'], 2]);
  assert.deepEqual(await ask('bob'), ['newer'], 'read for bob');
  assert.equal(reads, 3);
  disconnect();
  assert.equal(await ask('ann'), undefined);
});

test('a server that was away is asked again soon', async () => {
  let isAway = true;
  const { ask, wait } = toolsOver(async () => {
    if (isAway) throw new Problem('upstream_error', 'away');
    return listed('more');
  });
  assert.equal(await ask('ann'), undefined);
  isAway = false;
  assert.equal(await ask('ann'), undefined, 'not with every search');
  wait(30_000);
  await ask('ann');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await ask('ann'), ['more']);
});

test('what a server lists for one account of a user is found by that account alone', async () => {
  const { ask } = toolsOver(async ({ account = 'usual' }) => listed(`of_${account}`));
  assert.deepEqual(await ask('ann'), ['of_usual']);
  assert.deepEqual(await ask('ann', 'work'), ['of_work']);
  assert.deepEqual(await ask('ann'), ['of_usual']);
});

test('a user who sees what everybody sees has nothing of their own, nor has a call without a user', async () => {
  const { ask } = toolsOver(async () => listed('known'));
  assert.equal(await ask('ann'), undefined);
  assert.equal(await ask(), undefined);
});
