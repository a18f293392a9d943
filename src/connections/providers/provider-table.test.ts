import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProviderTable } from './provider-table.ts';

const settings = { providersFile: null, googleClientId: null, googleClientSecret: null };

test("a provider row's parameters go with its issuer, wherever that stands: at Google, what brings a refresh token", () => {
  const table = createProviderTable(settings);
  for (const issuer of ['https://accounts.google.com', 'https://accounts.google.com/']) {
    const { authorizationParams } = table.ofServer({ issuer }) ?? {};
    assert.equal(authorizationParams?.access_type, 'offline');
    assert.equal(authorizationParams?.prompt, 'consent');
  }
  for (const issuer of ['https://accounts.google.com.evil.example', 'https://google.com'])
    assert.equal(table.ofServer({ issuer }), undefined);
  // The operator moved the row; Google is where it was.
  const row = { issuer: 'https://idp.example.com', client_id: 'id', client_auth: 'none' };
  assert.deepEqual(table.declare([{ name: 'google', row }]), []);
  assert.equal(table.get('google').issuer, 'https://idp.example.com');
  const { authorizationParams } = table.ofServer({ issuer: 'https://accounts.google.com' }) ?? {};
  assert.equal(authorizationParams?.access_type, 'offline');
});
