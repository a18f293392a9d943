import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AskedServers, type AskedServersDeps } from './asked-servers.ts';

test('which servers were set up here is read when the catalogue changed, and not for each request', async () => {
  let revision = 1;
  let reads = 0;
  const ids = ['one'];
  const catalog = {
    view: null,
    revision: async () => revision,
    get: async (id: string) => ({ id, remoteUrl: 'https://one.example/mcp' }),
  };
  const asked = new AskedServers({
    catalogFor: () => catalog as never as ReturnType<AskedServersDeps['catalogFor']>,
    async setUpHere() {
      reads++;
      return [...ids];
    },
    connectedBy: async ({ userId }) => (userId === undefined ? [] : ['own']),
    isLocal: () => false,
  });
  const caller = { developerId: 'acme', keyId: 'key', maySearch: true };
  for (let i = 0; i < 3; i++) assert.deepEqual(await asked.of(caller), ['one']);
  assert.deepEqual(await asked.of({ ...caller, userId: 'ann' }), ['one', 'own']);
  assert.equal(reads, 1);
  ids.push('two');
  revision++;
  assert.deepEqual(await asked.of(caller), ['one', 'two']);
});
