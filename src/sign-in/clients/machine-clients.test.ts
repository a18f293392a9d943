import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMachineClients } from './machine-clients.ts';

test('P16 a removal that breaks off leaves no token of a client that nobody can remove any more', async () => {
  const alive = new Set<string>();
  let isAway = true;
  const store = {
    async endAccounts(ids: readonly string[]) {
      for (const id of ids) alive.delete(id);
    },
    async removeMachine() {
      if (isAway) throw new Error('the store is away');
      return true;
    },
    async putAccount({ id }: { id: string }) {
      alive.add(id);
    },
    putMachine: async (row: object) => ({ ...row, created_at: 0 }),
  };
  const principal = { scopes: new Set(['mcp']), developerId: 'acme', keyId: 'key' };
  const machines = createMachineClients({
    store: store as never,
    checkUrl: () => undefined,
    access: { holder: async () => ({ principal }) as never },
  });
  const by = { actor: 'key', developerId: 'acme' };
  const { clientId } = await machines.add({ name: 'nightly', keyId: 'key', jwks: null, jwksUri: null }, by);
  await assert.rejects(machines.remove(clientId, by), /away/);
  assert.equal(alive.size, 0);
  isAway = false;
  await machines.remove(clientId, by);
});
